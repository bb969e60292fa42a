//! The job of the client: one line of JSON on standard input, so that no password is in an argument
//! list.

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
    /// Name that the certificate must contain.
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
    /// Kind of login, for the measurement of refusals.
    #[serde(default)]
    pub label: String,
}

#[derive(Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// Opens new connections with the first login, one after the other on each thread.
    Connect {
        threads: usize,
        seconds: f64,
        query: String,
    },
    /// Measures one connection, from TCP connect to the first row.
    FirstRow { query: String },
    /// Opens sessions spread over the logins, runs one query in each, and keeps them open until
    /// standard input ends.
    Idle { sessions: usize, query: String },
    /// Tries every login this often, taking turns. All must be refused.
    Verdict { each: usize, threads: usize },
    /// Runs statements with the first login.
    Execute { statements: Vec<String> },
    /// Runs queries at a steady pace, as an application does, in sessions spread over the logins. A
    /// failure is counted and the session opened again; it never ends the measurement.
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

/// Quantiles of the successful operations, in microseconds.
#[derive(Serialize)]
pub struct Timing {
    pub count: usize,
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

/// All answers to one kind of login.
#[derive(Serialize, Default)]
pub struct Kind {
    pub codes: BTreeMap<u16, u64>,
    pub micros: Vec<u64>,
}
