//! A session of the tests' own client: verified login, text queries, rows. It uses the protocol
//! with EOF packets, or without them on request.

use crate::Cluster;
use crate::probe::{Probe, Verdict};
use crate::tls;
use crate::wire::{self, Refused, Response, lenenc};
use std::io;

pub struct Session {
    pub probe: Probe,
    pub capabilities: u32,
}

/// A row's cells as bytes; `None` is NULL.
pub type Row = Vec<Option<Vec<u8>>>;

/// Result of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Ok {
        affected: u64,
        status: u16,
    },
    Rows {
        columns: usize,
        rows: Vec<Row>,
        status: u16,
    },
    Refused(Refused),
    /// The server requests this file.
    WantsFile(String),
}

pub const MORE_RESULTS: u16 = 0x0008;

impl Outcome {
    /// Returns the rows as text, NULL as "NULL".
    pub fn text(&self) -> Vec<Vec<String>> {
        let Self::Rows { rows, .. } = self else {
            panic!("rows were expected, not {self:?}")
        };
        let cell = |c: &Option<Vec<u8>>| {
            c.as_ref()
                .map_or("NULL".into(), |b| String::from_utf8_lossy(b).into_owned())
        };
        rows.iter()
            .map(|row| row.iter().map(cell).collect())
            .collect()
    }

    pub fn refused(self) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            other => panic!("an error was expected, not {other:?}"),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Ok { status, .. } | Self::Rows { status, .. } => *status,
            Self::Refused(_) | Self::WantsFile(_) => 0,
        }
    }
}

impl Session {
    /// Logs in as the cluster's root, in its database.
    pub fn open(cluster: &Cluster) -> Self {
        Self::as_root(cluster).unwrap_or_else(|r| panic!("{r:?}"))
    }

    /// As [`Self::open`], for a login that may be refused.
    pub fn as_root(cluster: &Cluster) -> Result<Self, Refused> {
        Self::login(cluster, &cluster.user, &cluster.password, wire::ORDINARY)
    }

    /// Logs in as any account, with these capabilities.
    pub fn login(
        cluster: &Cluster,
        user: &str,
        password: &str,
        capabilities: u32,
    ) -> Result<Self, Refused> {
        let mut probe = Probe::connect(cluster.addr());
        probe.write(1, &wire::ssl_request(capabilities));
        probe
            .upgrade(tls::verified(&cluster.ca, tls::BOTH), "127.0.0.1")
            .expect("the TLS handshake");
        let database = Some(cluster.database.clone().into_bytes());
        let response = Response {
            capabilities,
            database,
            ..Response::new(user)
        };
        match probe.login(&response, password) {
            Verdict::In => Ok(Self {
                probe,
                capabilities,
            }),
            Verdict::Refused(refused) => Err(refused),
            Verdict::Closed => panic!("closed during the login"),
        }
    }

    /// Logs in over TLS that a test has set up, as the cluster's root without a database.
    pub fn over(mut probe: Probe, cluster: &Cluster) -> Self {
        let verdict = probe.login(&Response::new(&cluster.user), &cluster.password);
        assert_eq!(verdict, Verdict::In);
        Self {
            probe,
            capabilities: wire::ORDINARY,
        }
    }

    fn eof_packets(&self) -> bool {
        self.capabilities & wire::DEPRECATE_EOF == 0
    }

    /// Runs a statement with one result.
    pub fn query(&mut self, sql: &str) -> Outcome {
        self.try_query(sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    pub fn try_query(&mut self, sql: &str) -> io::Result<Outcome> {
        self.send(sql);
        self.outcome()
    }

    /// Runs a statement that must succeed without rows.
    pub fn run(&mut self, sql: &str) -> u64 {
        match self.query(sql) {
            Outcome::Ok { affected, .. } => affected,
            other => panic!("{sql}: {other:?}"),
        }
    }

    /// Returns the only value of the only row.
    pub fn value(&mut self, sql: &str) -> String {
        let rows = self.query(sql).text();
        assert_eq!(
            (rows.len(), rows.first().map(Vec::len)),
            (1, Some(1)),
            "{sql}: {rows:?}"
        );
        rows[0][0].clone()
    }

    /// Returns all results of a text with several statements.
    pub fn all(&mut self, sql: &str) -> Vec<Outcome> {
        self.send(sql);
        let mut out = Vec::new();
        loop {
            let outcome = self.outcome().unwrap_or_else(|e| panic!("{sql}: {e}"));
            let more = outcome.status() & MORE_RESULTS != 0;
            out.push(outcome);
            if !more {
                return out;
            }
        }
    }

    pub fn send(&mut self, sql: &str) {
        let mut command = vec![3];
        command.extend_from_slice(sql.as_bytes());
        self.probe.command(&command);
    }

    fn packet(&mut self) -> io::Result<Vec<u8>> {
        self.probe
            .payload()?
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Reads one result.
    pub fn outcome(&mut self) -> io::Result<Outcome> {
        let first = self.packet()?;
        match first[0] {
            0x00 => Ok(ok(&first)),
            0xff => Ok(Outcome::Refused(
                Refused::parse(&first).expect("an error packet"),
            )),
            0xfb => Ok(Outcome::WantsFile(
                String::from_utf8_lossy(&first[1..]).into_owned(),
            )),
            _ => {
                let columns =
                    usize::try_from(lenenc(&first, &mut 0).expect("a count")).expect("few");
                self.skip_columns(columns)?;
                self.rows(columns, text_row)
            }
        }
    }

    /// Reads column definitions, with the EOF packet after them if there is one.
    pub fn skip_columns(&mut self, columns: usize) -> io::Result<()> {
        for _ in 0..columns {
            self.packet()?;
        }
        if self.eof_packets() {
            let eof = self.packet()?;
            assert!(
                eof[0] == 0xfe && eof.len() == 5,
                "EOF after the columns: {eof:?}"
            );
        }
        Ok(())
    }

    /// Reads all rows; `cut` splits each of them.
    pub fn rows(&mut self, columns: usize, cut: fn(&[u8], usize) -> Row) -> io::Result<Outcome> {
        let mut rows = Vec::new();
        loop {
            let packet = self.packet()?;
            match packet[0] {
                0xff => {
                    return Ok(Outcome::Refused(
                        Refused::parse(&packet).expect("an error packet"),
                    ));
                }
                // A row may begin with 0xfe too (a length of 8 bytes), but is longer than an EOF
                // packet.
                0xfe if self.eof_packets() && packet.len() == 5 => {
                    let status = u16::from_le_bytes([packet[3], packet[4]]);
                    return Ok(Outcome::Rows {
                        columns,
                        rows,
                        status,
                    });
                }
                // An OK packet with this head ends the rows. A row with it has at least 16 MB.
                0xfe if !self.eof_packets() && packet.len() < 0xff_ffff => {
                    let Outcome::Ok { status, .. } = ok(&packet) else {
                        unreachable!()
                    };
                    return Ok(Outcome::Rows {
                        columns,
                        rows,
                        status,
                    });
                }
                _ => rows.push(cut(&packet, columns)),
            }
        }
    }

    pub fn ping(&mut self) -> bool {
        self.probe.command(&[14]);
        matches!(self.packet().as_deref(), Ok([0x00, ..]))
    }

    pub fn quit(mut self) {
        self.probe.command(&[1]);
        self.probe.until_closed();
    }
}

fn ok(packet: &[u8]) -> Outcome {
    let mut at = 1;
    let affected = lenenc(packet, &mut at).expect("a count");
    lenenc(packet, &mut at);
    Outcome::Ok {
        affected,
        status: u16::from_le_bytes([packet[at], packet[at + 1]]),
    }
}

fn text_row(packet: &[u8], columns: usize) -> Row {
    let mut at = 0;
    (0..columns)
        .map(|_| {
            let length = usize::try_from(lenenc(packet, &mut at)?).expect("fits");
            at += length;
            Some(packet[at - length..at].to_vec())
        })
        .collect()
}

/// Returns a session of an account with all rights of the engine. A tenant can get there: an
/// account that may create users can in the end write the table of accounts.
pub fn almighty(cluster: &Cluster) -> Session {
    let mut root = Session::open(cluster);
    root.run("CREATE USER evil@'%' IDENTIFIED BY 'pw'");
    root.run("GRANT ALL ON `%`.* TO evil@'%' WITH GRANT OPTION");
    root.run("GRANT RELOAD ON *.* TO evil@'%'");
    let login = cluster.login("evil");
    let mut evil = Session::login(cluster, &login, "pw", wire::ORDINARY).unwrap();
    evil.query(
        "UPDATE mysql.global_priv SET priv = JSON_SET(priv, '$.access', 549755813887) WHERE \
         user = 'evil'",
    );
    evil.query("FLUSH PRIVILEGES");
    let mut evil = Session::login(cluster, &login, "pw", wire::ORDINARY).unwrap();
    let grants = evil.query("SHOW GRANTS").text();
    let all = grants[0][0].contains("ALL PRIVILEGES")
        || (grants[0][0].contains("SUPER") && grants[0][0].contains("FILE"));
    assert!(
        all,
        "this test needs SUPER and FILE in hand to prove anything: {grants:?}"
    );
    evil
}
