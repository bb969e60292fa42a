//! History of the certificate over restarts: certificates served, certificates rejected, alarms. It
//! is bounded, and a history that can't be written never stops a certificate from being served.

use crate::event::TlsEvent;
use crate::leaf::{read_leaf, read_rsa_leaf};
use crate::limits::{HISTORY_MAX, HISTORY_TEXT_MAX};
use crate::lock::locked;
use crate::source::Served;
use crate::state::{self, SECRET_MODE};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

/// Event of the history. `at` is in Unix seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub at: i64,
    #[serde(flatten)]
    pub what: HistoryEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum HistoryEvent {
    /// New handshakes get this certificate from now on.
    Served {
        key: String,
        names: Vec<String>,
        serial: String,
        issuer: String,
        not_after: i64,
    },
    /// A new certificate was rejected.
    Rejected { reason: String },
    /// A problem needs an operator.
    Alarm { kind: String, reason: String },
}

pub struct History {
    path: PathBuf,
    /// Returns the entries, latest first.
    entries: Mutex<VecDeque<HistoryEntry>>,
}

impl History {
    /// Reads the history. A file that can't be read counts as empty: nothing depends on it.
    pub fn open(path: PathBuf) -> Self {
        let read = state::read_if_there(&path).ok().flatten();
        let entries = read
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self {
            path,
            entries: Mutex::new(entries),
        }
    }

    /// Entries, latest first.
    pub fn entries(&self) -> Vec<HistoryEntry> {
        self.lock().iter().cloned().collect()
    }

    /// Records an event, if it is about the certificate.
    pub fn note(&self, at: i64, event: &TlsEvent) {
        let what = match event {
            TlsEvent::Rejected { reason } => HistoryEvent::Rejected {
                reason: short(reason),
            },
            TlsEvent::Alarm { kind, what } => HistoryEvent::Alarm {
                kind: kind.as_str().to_owned(),
                reason: short(what),
            },
            _ => return,
        };
        self.add(HistoryEntry { at, what });
    }

    /// Records the leaves that are served from now on. A leaf that is already the latest of its
    /// kind of key is not recorded again.
    pub fn note_served(&self, at: i64, served: &Served) {
        let leaf = read_leaf(&served.chain).ok();
        let rsa = read_rsa_leaf(&served.chain).ok().flatten();
        for leaf in leaf.into_iter().chain(rsa) {
            let is_known = self.lock().iter().find_map(|entry| match &entry.what {
                HistoryEvent::Served { key, serial, .. } if *key == leaf.key => {
                    Some(*serial == leaf.serial)
                }
                _ => None,
            });
            if is_known == Some(true) {
                continue;
            }
            let what = HistoryEvent::Served {
                key: leaf.key.to_owned(),
                names: leaf.names,
                serial: leaf.serial,
                issuer: short(&leaf.issuer),
                not_after: leaf.not_after,
            };
            self.add(HistoryEntry { at, what });
        }
    }

    fn add(&self, entry: HistoryEntry) {
        let mut entries = self.lock();
        entries.push_front(entry);
        // The two kinds have a bound each, so that alarms can't push out a certificate.
        let mut served = 0;
        let mut others = 0;
        entries.retain(|entry| {
            let count = if matches!(entry.what, HistoryEvent::Served { .. }) {
                &mut served
            } else {
                &mut others
            };
            *count += 1;
            *count <= HISTORY_MAX
        });
        if let Ok(text) = serde_json::to_vec(&*entries) {
            // If this fails, the next entry writes the file again.
            let _ = state::write_whole(&self.path, &text, SECRET_MODE);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<HistoryEntry>> {
        locked(&self.entries)
    }
}

fn short(text: &str) -> String {
    text.chars().take(HISTORY_TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmKind;
    use std::os::unix::fs::PermissionsExt;

    fn alarm(what: &str) -> TlsEvent {
        TlsEvent::Alarm {
            kind: AlarmKind::Failed,
            what: what.to_owned(),
        }
    }

    #[test]
    fn it_survives_a_restart_is_private_and_alarms_push_no_certificate_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.json");
        let history = History::open(path.clone());
        let what = HistoryEvent::Served {
            key: "ecdsa".into(),
            names: vec!["db.test".into()],
            serial: "01".into(),
            issuer: "CN=a".into(),
            not_after: 9,
        };
        let first = HistoryEntry { at: 1, what };
        history.add(first.clone());
        for at in 0..2 * i64::try_from(HISTORY_MAX).unwrap() {
            history.note(at, &alarm(&"x".repeat(2 * HISTORY_TEXT_MAX)));
        }
        history.note(
            7,
            &TlsEvent::Swapped {
                names: vec![],
                not_after_unix: 0,
            },
        );
        let kept = History::open(path.clone()).entries();
        assert_eq!(kept, history.entries());
        assert_eq!((kept.len(), kept.last()), (HISTORY_MAX + 1, Some(&first)));
        let HistoryEvent::Alarm { reason, .. } = &kept[0].what else {
            panic!()
        };
        assert_eq!(reason.len(), HISTORY_TEXT_MAX);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_file_that_can_t_be_read_or_written_loses_the_past_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.json");
        std::fs::write(&path, "rubbish").unwrap();
        assert_eq!(History::open(path).entries(), vec![]);
        let nowhere = History::open(folder.path().join("no/such/folder/history.json"));
        nowhere.note(1, &alarm("full"));
        assert_eq!(nowhere.entries().len(), 1);
    }
}
