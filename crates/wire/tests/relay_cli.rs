//! Relay between MariaDB's command-line client and a real server. The client waits for the end of
//! each answer before it sends the next command. So the relay must report the session as idle when
//! a command begins, and as busy when the engine sends.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of a test"
)]

mod relay_engine;
mod relay_script;

use relay_engine::*;
use relay_script::*;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use tidegate_wire::capabilities::Capabilities;
use tidegate_wire::greeting::Opening;
use tidegate_wire::handshake_response::HandshakeResponse;
use tidegate_wire::packet::{Header, PacketReader};

/// Facts about the session that the pump collects.
struct Watched {
    session: Session,
    begun: usize,
    faults: Vec<String>,
}

fn read_packet(stream: &mut UnixStream) -> Vec<u8> {
    let mut reader = PacketReader::new(1 << 20);
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        if let (_, Some(read)) = reader.feed(&byte).unwrap() {
            return packet(read.seq, &read.payload);
        }
    }
}

/// Passes the login. Returns the capabilities that both sides agreed on.
fn pass_login(client: &mut UnixStream, engine: &mut UnixStream) -> Capabilities {
    let greeting = read_packet(engine);
    let Ok(Opening::Greeting(offered)) = Opening::parse(&greeting[4..]) else {
        panic!("no greeting: {greeting:?}")
    };
    client.write_all(&greeting).unwrap();
    let response = read_packet(client);
    engine.write_all(&response).unwrap();
    let asked = HandshakeResponse::parse(&response[4..])
        .unwrap()
        .capabilities;
    loop {
        let answer = read_packet(engine);
        client.write_all(&answer).unwrap();
        match answer[4] {
            0 => return asked.granted_by(offered.capabilities),
            0xFE => engine.write_all(&read_packet(client)).unwrap(),
            _ => panic!("refused: {}", String::from_utf8_lossy(&answer)),
        }
    }
}

fn pump_client(mut client: UnixStream, mut engine: UnixStream, watched: Arc<Mutex<Watched>>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = client.read(&mut buffer) {
        let bytes = &buffer[..n];
        let mut w = watched.lock().unwrap();
        if !w.session.relay.client_mid_packet() && Header::parse(bytes).is_some_and(|h| h.seq == 0)
        {
            w.begun += 1;
            if !w.session.relay.at_boundary() {
                w.faults.push(format!(
                    "the end of an answer was missed before {:x?}",
                    &bytes[..n.min(40)]
                ));
            }
        }
        w.session.client(bytes);
        let out = std::mem::take(&mut w.session.to_engine);
        if !w.session.relay.client_mid_packet() && !w.session.waits() && !bytes.ends_with(&out) {
            w.faults.push("the bytes were changed".to_owned());
        }
        drop(w);
        if engine.write_all(&out).is_err() {
            break;
        }
    }
    let _ = engine.shutdown(std::net::Shutdown::Write);
}

fn pump_engine(mut engine: UnixStream, mut client: UnixStream, watched: Arc<Mutex<Watched>>) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(n @ 1..) = engine.read(&mut buffer) {
        let mut w = watched.lock().unwrap();
        if w.session.relay.at_boundary() {
            w.faults.push(format!(
                "an answer continues behind its end: {:x?}",
                &buffer[..n.min(40)]
            ));
        }
        w.session.engine(&buffer[..n]);
        w.session.to_client.clear();
        drop(w);
        if client.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(std::net::Shutdown::Write);
}

/// Runs the client through a relay. Returns its output, and the facts about the session.
fn run(engine: &Engine, name: &str, sql: &str) -> (String, Arc<Mutex<Watched>>) {
    let path = engine.folder().join(name);
    let listener = UnixListener::bind(&path).unwrap();
    let mut child = Command::new("mariadb")
        .args([
            "--no-defaults",
            "-uroot",
            "--local-infile=1",
            "--force",
            "--max-allowed-packet=128M",
            "-BN",
        ])
        .arg(format!("--socket={}", path.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let (mut client, _) = listener.accept().unwrap();
    let mut server = UnixStream::connect(engine.socket()).unwrap();
    let capabilities = pass_login(&mut client, &mut server);
    let session = Session::new(capabilities);
    let watched = Arc::new(Mutex::new(Watched {
        session,
        begun: 0,
        faults: vec![],
    }));
    let up = {
        let client = client.try_clone().unwrap();
        let server = server.try_clone().unwrap();
        let watched = watched.clone();
        std::thread::spawn(move || pump_client(client, server, watched))
    };
    let down = {
        let watched = watched.clone();
        std::thread::spawn(move || pump_engine(server, client, watched))
    };
    let mut stdin = child.stdin.take().unwrap();
    let sql = sql.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(sql.as_bytes()));
    let printed = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    up.join().unwrap();
    down.join().unwrap();
    (String::from_utf8(printed.stdout).unwrap(), watched)
}

#[test]
fn case_54_55_58_59_72_the_command_line_client() {
    let engine = Engine::start("cli");
    let file = engine.folder().join("f.txt");
    std::fs::write(&file, "1234567\n".repeat(1 << 16)).unwrap();
    let sql = format!(
        "CREATE DATABASE test; USE test;
         CREATE TABLE t (a LONGTEXT); BEGIN; INSERT INTO t VALUES ('x'), (NULL); COMMIT;
         SELECT * FROM t;
         SELECT * FROM none;
         LOAD DATA LOCAL INFILE '{}' INTO TABLE t; SELECT COUNT(*) FROM t;
         LOAD DATA LOCAL INFILE '/nowhere/at/all' INTO TABLE t;
         ALTER TABLE t ADD COLUMN b INT, ALGORITHM=COPY;
         INSERT INTO t VALUES ('{}', 1); SELECT a FROM t WHERE b = 1; SELECT REPEAT('z', 33554500);
         DELIMITER //
         CREATE PROCEDURE p() BEGIN SELECT 'one'; SELECT 'two'; END//
         CALL p()// SELECT 'three'; SELECT 'four'//
         DELIMITER ;
         KILL QUERY 99999999; KILL 1073741000;
         PREPARE s FROM 'SELECT ?'; EXECUTE s USING 7; SELECT 'the end';\n",
        file.display(),
        "y".repeat(17 << 20),
    );
    let (printed, watched) = run(&engine, "c", &sql);
    let w = watched.lock().unwrap();
    assert_eq!(w.faults, Vec::<String>::new());
    assert!(w.begun > 20, "{} commands", w.begun);
    assert!(w.session.relay.quit_seen() && !w.session.relay.client_mid_packet());
    assert_eq!(w.session.relay.activity(), Idle);
    assert!(printed.contains("65538\n") && printed.ends_with("7\nthe end\n"));
    assert!(printed.contains("one\ntwo\nthree\nfour\n"));
    assert!(printed.len() > (17 << 20) + 33_554_500);
}
