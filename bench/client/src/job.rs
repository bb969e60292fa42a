//! What the client is told to do: one line of JSON on standard input, so that no password stands in
//! an argument list.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Deserialize)]
pub struct Job {
    pub endpoint: Endpoint,
    pub logins: Vec<Login>,
    #[serde(flatten)]
    pub work: Work,
}

#[derive(Deserialize)]
pub struct Endpoint {
    pub addr: SocketAddr,
    /// What the certificate must carry.
    pub server_name: String,
    pub ca: PathBuf,
    #[serde(default)]
    pub post_quantum: bool,
}

// No Debug: it would print the password.
#[derive(Deserialize)]
pub struct Login {
    pub user: String,
    pub password: String,
    pub database: String,
    /// What kind of login it is, for the verdict measurement.
    #[serde(default)]
    pub label: String,
}

#[derive(Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// New connections, one after the other, on each thread, with the first login.
    Connect {
        threads: usize,
        seconds: f64,
        query: String,
    },
    /// One connection: from TCP connect to the first row.
    FirstRow { query: String },
    /// Sessions spread over the logins, each having asked once, held until standard input ends.
    Idle { sessions: usize, query: String },
    /// Every login this often, taking turns, each expected to be refused.
    Verdict { each: usize, threads: usize },
    /// Statements for the first login.
    Execute { statements: Vec<String> },
    /// Sessions spread over the logins that ask at a steady pace, as an application does. A failure
    /// is counted, and the session opened again; it never ends the measurement.
    Paced {
        sessions: usize,
        seconds: f64,
        pause_ms: u64,
        queries_per_login: u64,
        query: String,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Answer {
    Connect {
        connections: u64,
        seconds: f64,
        micros_median: u64,
        micros_p95: u64,
        tls: String,
    },
    FirstRow {
        micros: u64,
        connect_micros: u64,
        verdict_micros: u64,
        rows: u64,
        tls: String,
        server_version: String,
    },
    Idle {
        sessions: usize,
        seconds: f64,
    },
    Verdict {
        kinds: BTreeMap<String, Kind>,
    },
    Execute {
        rows: Vec<u64>,
    },
    Paced {
        queries: Timing,
        logins: Timing,
        failures: BTreeMap<String, u64>,
    },
}

/// Quantiles of what succeeded, in microseconds.
#[derive(Serialize)]
pub struct Timing {
    pub count: usize,
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

/// All verdicts of one kind of login.
#[derive(Serialize, Default)]
pub struct Kind {
    pub codes: BTreeMap<u16, u64>,
    pub micros: Vec<u64>,
}
