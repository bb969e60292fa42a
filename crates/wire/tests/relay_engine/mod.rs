//! A real MariaDB server on a Unix socket in a temporary folder, which stops when the value is
//! dropped, and a hand-written client that reaches it through a relay. Only the relay decides when
//! an answer has ended; a probe after each command shows whether it was right.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "part of a test"
)]

use crate::relay_script::*;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tidegate_wire::capabilities::{Capabilities, OFFERED};
use tidegate_wire::client::{ClientIdentity, ClientLogin, ClientStep};
use tidegate_wire::packet::PacketReader;

/// Time to wait for an answer, enough on any busy machine. A test that reaches it fails.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Engine {
    process: Child,
    folder: PathBuf,
}

impl Engine {
    pub fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("tg-relay-{name}-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let data = format!("--datadir={}", folder.join("data").display());
        // Two installers that share a folder for temporary tables remove each other's tables.
        let temp = format!("--tmpdir={}", folder.display());
        let whoami = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = format!("--user={}", String::from_utf8_lossy(&whoami).trim());
        let installed = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                &data,
                &temp,
                &user,
            ])
            .output()
            .unwrap();
        assert!(
            installed.status.success(),
            "{}",
            String::from_utf8_lossy(&installed.stderr)
        );
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let process = Command::new("/usr/sbin/mariadbd")
            .args([
                "--no-defaults",
                "--skip-networking",
                "--max-allowed-packet=128M",
                "--local-infile=1",
            ])
            .args([
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-log-file-size=100M",
                &data,
                &temp,
                &user,
            ])
            .arg(format!("--socket={}", folder.join("s").display()))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut engine = Self { process, folder };
        while UnixStream::connect(engine.socket()).is_err() {
            let ended = engine.process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{}",
                std::fs::read_to_string(engine.folder.join("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        engine
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("s")
    }

    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Capabilities with which the gateway logs in, as new and old clients of MySQL and MariaDB take
/// them.
pub fn clients() -> [Capabilities; 4] {
    // The gateway never compresses towards an engine.
    let offered = OFFERED.without(Capabilities::COMPRESSION);
    let mysql = offered.without(Capabilities::MARIADB);
    let newer = Capabilities::DEPRECATE_EOF.union(Capabilities::SESSION_TRACK);
    [mysql, mysql.without(newer), offered, offered.without(newer)]
}

pub struct Peer {
    stream: UnixStream,
    pub session: Session,
    pub connection_id: u32,
    probes: u32,
    /// Cursors may be open, which the relay reports as a transaction.
    pub uses_cursors: bool,
    /// Beginning of the last command, for messages.
    sent: Vec<u8>,
}

impl Peer {
    pub fn login(engine: &Engine, capabilities: Capabilities) -> Self {
        let mut stream = UnixStream::connect(engine.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut login = ClientLogin::new(ClientIdentity {
            user: b"root".to_vec(),
            stage1: None,
            database: None,
            capabilities,
            collation: 45,
            max_packet: 1 << 30,
            attributes: vec![],
            tls: false,
        });
        let mut reader = PacketReader::new(1 << 16);
        loop {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            let (_, Some(packet)) = reader.feed(&byte).unwrap() else {
                continue;
            };
            match login.on_packet(packet).unwrap() {
                ClientStep::Send(bytes) => stream.write_all(&bytes).unwrap(),
                ClientStep::Done { engine, .. } => {
                    return Self {
                        stream,
                        session: Session::new(capabilities),
                        connection_id: engine.connection_id,
                        probes: 0,
                        uses_cursors: false,
                        sent: vec![],
                    };
                }
                ClientStep::Secure(_) => unreachable!("it did not ask for TLS"),
                ClientStep::Refused(err) => panic!("{err}"),
            }
        }
    }

    /// Sends through the relay, without waiting.
    pub fn send(&mut self, bytes: &[u8]) {
        self.sent = bytes[..bytes.len().min(80)].to_vec();
        for chunk in bytes.chunks(1 << 16) {
            self.session.client(chunk);
            let out = std::mem::take(&mut self.session.to_engine);
            self.stream.write_all(&out).unwrap();
        }
    }

    /// Sends to the engine without the relay.
    pub fn send_unseen(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Returns the next bytes of the engine.
    pub fn receive(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 1 << 16];
        let sent = String::from_utf8_lossy(&self.sent);
        let n = loop {
            match self.stream.read(&mut buffer) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                read => break read.unwrap_or_else(|e| panic!("no answer to {sent:?}: {e}")),
            }
        };
        assert!(n > 0, "the engine has closed after {sent:?}");
        buffer.truncate(n);
        self.session.engine(&buffer);
        self.session.to_client.clear();
        let waited = std::mem::take(&mut self.session.to_engine);
        self.stream.write_all(&waited).unwrap();
        buffer
    }

    pub fn is_closed(&mut self) -> bool {
        // The engine resets the connection if it closes with unread bytes.
        match self.stream.read(&mut [0]) {
            Ok(n) => n == 0,
            Err(e) => e.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Reads until the relay says that nothing is outstanding.
    pub fn answer(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while matches!(self.session.state(), Busy | Pinging) {
            all.extend(self.receive());
        }
        all
    }

    /// Sends a command, reads its answer, and probes that it was complete.
    pub fn run(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.send(bytes);
        let answer = self.answer();
        self.probe();
        answer
    }

    pub fn sql(&mut self, text: &str) -> Vec<u8> {
        let answer = self.run(&query(text));
        assert_ne!(
            answer.get(4),
            Some(&0xFF),
            "{text}: {}",
            String::from_utf8_lossy(&answer)
        );
        answer
    }

    /// Sends a probe. The relay reports the session as idle or in a transaction, so the next bytes
    /// must be the answer to the probe, and the engine must agree about the transaction.
    pub fn probe(&mut self) {
        let claimed = self.session.state();
        assert_ne!(claimed, Busy);
        self.probes += 1;
        let sign = format!("probe {}", self.probes);
        self.send(&query(&format!("SELECT '{sign}', @@in_transaction")));
        let answer = self.answer();
        // Two columns, and a byte that says that their definitions follow, where that was granted.
        assert!(
            matches!(answer[..], [1, 0, 0, 1, 2, ..] | [2, 0, 0, 1, 2, 1, ..]),
            "left over: {:x?}",
            &answer[..answer.len().min(60)]
        );
        let agrees = match claimed {
            InTransaction if self.uses_cursors => true,
            InTransaction => has_row(&answer, &sign, 1),
            _ => has_row(&answer, &sign, 0),
        };
        assert!(
            agrees,
            "{claimed:?} but {}",
            String::from_utf8_lossy(&answer)
        );
        assert_eq!(self.session.state(), claimed);
    }
}

/// Whether an answer has the row of a probe, with this `@@in_transaction`.
fn has_row(answer: &[u8], sign: &str, in_transaction: u8) -> bool {
    let length = char::from(u8::try_from(sign.len()).unwrap());
    let row = format!("{length}{sign}\u{1}{in_transaction}");
    answer.windows(row.len()).any(|w| w == row.as_bytes())
}

/// Returns the code of an answer that begins with an error.
pub fn error_code(answer: &[u8]) -> Option<u16> {
    (answer.get(4) == Some(&0xFF)).then(|| u16::from_le_bytes([answer[5], answer[6]]))
}

/// Returns the id in the answer to STMT_PREPARE.
pub fn statement(answer: &[u8]) -> [u8; 4] {
    assert_eq!(answer[4], 0, "{}", String::from_utf8_lossy(answer));
    answer[5..9].try_into().unwrap()
}
