//! Helpers of this room's tests: real and faulty servers, and assertions about a report.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test binary uses its part"
)]

pub mod certificates;
pub mod crooked;
pub mod haproxy;
pub mod mariadb;
pub mod mysql9;
#[path = "../../../../tests/src/free_port.rs"]
pub mod ports;
pub mod process;
pub mod scan;

use std::path::Path;
use std::time::Duration;
use tidegate_check::{Account, CheckReport, FindingVerdict, Roots, Settings, check};

/// Most test servers keep a silent connection open. This is long enough to see that, and short
/// enough for a test.
pub const SILENCE: Duration = Duration::from_secs(1);

/// Returns settings for a server on this machine, with a host name.
pub fn settings(port: u16) -> Settings {
    let mut settings = Settings::new(format!("127.0.0.1:{port}").parse().unwrap());
    settings.name = "localhost".to_owned();
    settings.silence_max = SILENCE;
    // Nothing listens on port 1, and this machine's port 443 is not part of the test.
    settings.web_port = 1;
    settings
}

pub fn trusting(port: u16, ca: &Path) -> Settings {
    Settings {
        roots: Some(Roots::read(ca).unwrap()),
        ..settings(port)
    }
}

pub fn as_user(settings: Settings, user: &str, password: &str) -> Settings {
    let account = Account {
        user: user.to_owned(),
        password: password.to_owned().into(),
    };
    Settings {
        account: Some(account),
        ..settings
    }
}

pub fn judge(settings: &Settings) -> Judged {
    Judged(check(settings))
}

/// Checks several servers at the same time, since most of the time is waiting.
pub fn each<T: Send, const N: usize>(cases: [T; N], test: impl Fn(T) + Sync) {
    let test = &test;
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || test(case));
        }
    });
}

/// Writes past the test's captured output, so that a skipped test is visible.
pub fn not_run(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "\nnot run: {why}");
}

/// Findings that a correct test server passes.
const CORRECT: &[&str] = &[
    "addresses",
    "greeting",
    "tls-offered",
    "version",
    "quiet",
    "plaintext",
    "plaintext-text",
    "tls-bit",
    "injection",
    "tls13",
    "tls12",
    "old-tls",
    "ssl",
    "weak-suites",
    "legacy-suites",
    "split-hello",
    "early-data",
    "resumption",
    "client-certificate",
    "chain",
    "trust",
    "name",
    "wrong-name",
    "no-sni",
    "validity",
    "key",
];

pub struct Judged(pub CheckReport);

impl Judged {
    pub fn finding(&self, id: &str) -> (FindingVerdict, &str) {
        let found = self.0.findings.iter().find(|f| f.kind.entry().id == id);
        let found = found.unwrap_or_else(|| panic!("no finding {id}"));
        (found.verdict, &found.evidence)
    }

    /// Asserts a finding's verdict and words of its evidence.
    #[track_caller]
    pub fn is(&self, id: &str, verdict: FindingVerdict, words: &str) -> &Self {
        let (seen, evidence) = self.finding(id);
        assert_eq!(seen, verdict, "{id}: {evidence}\n{}", self.text());
        assert!(
            evidence.contains(words),
            "{id}: {evidence:?} lacks {words:?}"
        );
        self
    }

    #[track_caller]
    pub fn passes(&self, ids: &[&str]) -> &Self {
        for id in ids {
            self.is(id, FindingVerdict::Pass, "");
        }
        self
    }

    /// Asserts that all findings pass that a correct test server passes, except these.
    #[track_caller]
    pub fn passes_except(&self, faults: &[&str]) {
        for id in CORRECT.iter().filter(|id| !faults.contains(id)) {
            self.passes(&[*id]);
        }
    }

    #[track_caller]
    pub fn fails(&self, id: &str, words: &str) -> &Self {
        self.is(id, FindingVerdict::Fail, words)
    }

    #[track_caller]
    pub fn warns(&self, id: &str, words: &str) -> &Self {
        self.is(id, FindingVerdict::Warn, words)
    }

    #[track_caller]
    pub fn skips(&self, id: &str, words: &str) -> &Self {
        self.is(id, FindingVerdict::Skip, words)
    }

    pub fn text(&self) -> String {
        tidegate_check::text(
            &self.0,
            tidegate_check::TextStyle {
                colours: false,
                width: 200,
                rows: None,
            },
        )
    }
}
