//! Logs that nobody reads, that strangers fill, and that an engine floods. None of this may affect
//! a session.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test"
)]

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tidegate_e2e::limits::{READY_WAIT, soon, within};
use tidegate_e2e::ports::free_port;
use tidegate_e2e::probe::Probe;
use tidegate_e2e::server::binary;
use tidegate_e2e::session::Session;
use tidegate_e2e::wire;
use tidegate_e2e::{Cluster, Server, processes};

/// A server whose standard error is a full pipe.
struct Muted {
    child: Child,
    folder: PathBuf,
    addr: SocketAddr,
    reader: std::io::PipeReader,
}

impl Muted {
    fn start(command: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("tidegate-e2e-")
            .tempdir()
            .expect("a folder")
            .keep();
        std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o711))
            .unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let flags = fcntl_getfl(&writer).unwrap();
        fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
        while writer.write(&[b'.'; 4096]).is_ok() {}
        while writer.write(b".").is_ok() {}
        // The server's standard error must be a pipe that blocks.
        fcntl_setfl(&writer, flags).unwrap();
        let addr = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = folder.join("test.toml");
        std::fs::write(&config, "[console]\nenabled = \"no\"\n").unwrap();
        let child = Command::new(binary())
            .args([command, "--data"])
            .arg(folder.join("data"))
            .arg("--config")
            .arg(&config)
            .args(["--listen", &addr.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(writer)
            .spawn()
            .unwrap();
        let muted = Self {
            child,
            folder,
            addr,
            reader,
        };
        within(READY_WAIT, "the control socket", || {
            muted.cli(&["cluster", "list"]).map(drop)
        });
        // `up` opens the port after its first cluster, later than the control socket.
        within(READY_WAIT, "the port", || TcpStream::connect(addr).ok());
        muted
    }

    fn cli(&self, args: &[&str]) -> Option<Vec<u8>> {
        let mut command = Command::new(binary());
        command
            .args(args)
            .arg("--data")
            .arg(self.folder.join("data"));
        let out = command.output().unwrap();
        out.status.success().then_some(out.stdout)
    }

    fn create(&self, name: &str) -> Cluster {
        let json = self
            .cli(&["cluster", "create", name, "--json"])
            .expect("created");
        Cluster::from_json(&serde_json::from_slice(&json).unwrap())
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        let pid = self.pid();
        processes::kill(pid, Signal::TERM);
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn bare(addr: SocketAddr) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(READY_WAIT)).unwrap();
    // Reads a whole greeting, sends a byte and disconnects. One that sends nothing is taken for a
    // health check, and not logged.
    let mut header = [0; 4];
    stream.read_exact(&mut header).expect("a greeting");
    stream
        .read_exact(&mut vec![0; usize::from(header[0])])
        .unwrap();
    stream.write_all(b"\x01").unwrap();
}

#[test]
fn sessions_go_on_while_nobody_reads_the_log() {
    for command in ["serve", "up"] {
        let muted = Muted::start(command);
        let cluster = muted.create("calm");
        let mut session = Session::open(&cluster);
        for _ in 0..256 {
            bare(muted.addr);
        }
        assert!(session.ping(), "{command}");
        assert_eq!(Session::open(&cluster).value("SELECT 1"), "1", "{command}");
    }
}

/// Lines that were queued while nobody read are written once somebody reads, and lines of strangers
/// beyond their budget are counted.
#[test]
fn a_log_that_is_read_again_says_what_it_lacks() {
    let mut muted = Muted::start("serve");
    let cluster = muted.create("counted");
    for _ in 0..400 {
        bare(muted.addr);
    }
    Session::open(&cluster).quit();
    let reader = muted.reader.try_clone().unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            let _ = told.send(line);
        }
    });
    let mut closed = 0;
    let mut withheld = 0;
    let mut proven = 0;
    while closed + withheld < 400 || proven == 0 {
        let line = heard
            .recv_timeout(READY_WAIT)
            .unwrap_or_else(|e| panic!("{e}: {closed} + {withheld}, {proven}"));
        let Some(json) = line
            .find('{')
            .and_then(|at| serde_json::from_str::<serde_json::Value>(&line[at..]).ok())
        else {
            continue;
        };
        let fields = &json["fields"];
        match fields["message"].as_str().unwrap_or_default() {
            "connection closed" if fields["user"].is_string() => proven += 1,
            "connection closed" => closed += 1,
            text if text.ends_with("were left out") => {
                withheld += fields["lines"].as_u64().unwrap()
            }
            _ => {}
        }
    }
    assert!(withheld > 0, "the budget of strangers was reached");
    // The readiness probes of this test are unproven connections too.
    assert!(
        (400..=410).contains(&(closed + withheld)),
        "{closed} + {withheld}"
    );
    // A signal still stops the server, whether or not the pipe is full.
    processes::kill(muted.pid(), Signal::TERM);
    assert!(muted.child.wait().unwrap().success());
}

/// Returns a length as TLS writes it.
fn be16(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap().to_be_bytes()
}

/// Returns the record of a ClientHello that asks for this server name.
fn client_hello(name: &[u8]) -> Vec<u8> {
    let sni = [
        &[0, 0][..],
        &be16(name.len() + 5),
        &be16(name.len() + 3),
        &[0],
        &be16(name.len()),
        name,
    ]
    .concat();
    // X25519; two signature schemes; TLS 1.3; a key share.
    let rest = b"\x00\x0a\x00\x04\x00\x02\x00\x1d\x00\x0d\x00\x06\x00\x04\x04\x03\x08\x04\x00\x2b\x00\x03\x02\x03\x04\
        \x00\x33\x00\x26\x00\x24\x00\x1d\x00\x20";
    let extensions = [&sni[..], rest, &[7; 32]].concat();
    let body = [
        b"\x03\x03",
        &[9; 32][..],
        b"\x00\x00\x02\x13\x01\x01\x00",
        &be16(extensions.len()),
        &extensions,
    ]
    .concat();
    let message = [&[1, 0][..], &be16(body.len()), &body].concat();
    [b"\x16\x03\x01", &be16(message.len())[..], &message].concat()
}

/// rustls writes a line about such a handshake that is longer than the handshake and has no budget.
#[test]
fn a_stranger_writes_no_line_of_a_library_and_no_long_one() {
    let server = Server::start();
    let cluster = server.create("quiet");
    for name in [&[0x1b; 15_500][..], b"127.0.0.1", b"\xff", b"a..b"] {
        for _ in 0..20 {
            let mut probe = Probe::connect(server.addr());
            probe.write(1, &wire::ssl_request(wire::ORDINARY));
            probe.raw(&client_hello(name)).unwrap();
            // Any answer shows that the server has read it.
            let mut byte = [0];
            let read = probe.tcp().read(&mut byte).expect("an answer");
            // 21: alert, 22: handshake (RFC 8446, section 5.1).
            assert!(read == 1 && matches!(byte[0], 21 | 22), "{byte:?}");
        }
    }
    Session::open(&cluster).quit();
    soon("the line of the session", || {
        server.log().contains("\"end\":\"quit\"").then_some(())
    });
    let log = server.log();
    for line in log.lines() {
        assert!(line.len() < 4096, "{} bytes: {:.300}", line.len(), line);
        assert!(!line.contains("\"target\":\"rustls"), "{line}");
    }
    assert!(
        log.contains("tls failed"),
        "what was refused is told by us: {log}"
    );
}

/// Returns the lengths of an engine's logs, starting with the one that it writes to.
fn logs(folder: &Path) -> Vec<u64> {
    std::iter::once("engine.log".to_owned())
        .chain((1..9).map(|n| format!("engine.log.{n}")))
        .map_while(|name| std::fs::metadata(folder.join(name)).ok())
        .map(|m| m.len())
        .collect()
}

#[test]
fn an_engine_that_floods_its_log_fills_no_disk_and_blocks_nobody() {
    let server = Server::start();
    let cluster = server.create("flooder");
    let other = server.create("neighbour");
    let mut session = Session::open(&cluster);
    let mut neighbour = Session::open(&other);
    let folder = PathBuf::from(session.value("SELECT @@datadir"))
        .parent()
        .unwrap()
        .to_owned();
    let path = folder.join("engine.log");
    // Appends to the same file, as the engine does.
    let mut flood = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    let lines = "[Warning] a line of the flood\n".repeat(100_000);
    for _ in 0..5 {
        for _ in 0..7 {
            flood.write_all(lines.as_bytes()).unwrap();
        }
        soon("the log is emptied", || {
            (logs(&folder)[0] < 1 << 20).then_some(())
        });
        assert_eq!(neighbour.value("SELECT 1"), "1");
    }
    let kept = logs(&folder);
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert!(kept.iter().all(|length| *length <= 10 << 20), "{kept:?}");
    // The engine continues at the start of the emptied file.
    flood.write_all(b"end\n").unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20);
    assert!(session.ping());
}
