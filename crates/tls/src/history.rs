//! History of the certificate over restarts: certificates served, certificates rejected, alarms. It
//! is bounded, and a history that can't be written never stops a certificate from being served.

use crate::error::TlsError;
use crate::event::TlsEvent;
use crate::leaf::{read_leaf, read_rsa_leaf};
use crate::limits::{HISTORY_MAX, HISTORY_TEXT_MAX, PUT_TRIES};
use crate::lock::locked;
use crate::source::Served;
use crate::state_folder::StateFolder;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use tidegate_model::{PutIf, TlsStateError};

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

/// Name of the value.
const NAME: &str = "history.json";

pub struct History {
    values: StateFolder,
    kept: Mutex<Kept>,
}

/// The history as it was last read or written.
struct Kept {
    /// Entries, latest first.
    entries: VecDeque<HistoryEntry>,
    /// Entries that are not stored yet; `entries` has them too.
    unwritten: VecDeque<HistoryEntry>,
    /// Condition of the next write.
    condition: PutIf,
}

impl Kept {
    /// Reads the history again, which another writer has changed.
    fn read_again(&mut self, values: &StateFolder) {
        let unwritten = std::mem::take(&mut self.unwritten);
        *self = read(values);
        for entry in unwritten.iter().rev() {
            push(&mut self.entries, entry.clone());
        }
        self.unwritten = unwritten;
    }
}

/// Reads the history. One that can't be read is empty, and is replaced: nothing depends on it.
fn read(values: &StateFolder) -> Kept {
    let Ok(value) = values.get(NAME) else {
        return Kept {
            entries: VecDeque::new(),
            unwritten: VecDeque::new(),
            condition: PutIf::Always,
        };
    };
    let entries = value
        .as_ref()
        .map(|value| serde_json::from_slice(&value.bytes));
    Kept {
        entries: entries.and_then(Result::ok).unwrap_or_default(),
        unwritten: VecDeque::new(),
        condition: PutIf::Unchanged(value.map(|value| value.version)),
    }
}

impl History {
    /// Reads the history of these keys.
    pub fn open(values: StateFolder) -> Self {
        let kept = Mutex::new(read(&values));
        Self { values, kept }
    }

    /// Entries, latest first.
    pub fn entries(&self) -> Vec<HistoryEntry> {
        self.lock().entries.iter().cloned().collect()
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
            let is_known = self
                .lock()
                .entries
                .iter()
                .find_map(|entry| match &entry.what {
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
        let mut kept = self.lock();
        push(&mut kept.entries, entry.clone());
        push(&mut kept.unwritten, entry);
        for _ in 0..PUT_TRIES {
            let Ok(text) = serde_json::to_vec(&kept.entries) else {
                return;
            };
            match self.values.put(NAME, Some(&text), kept.condition) {
                // The whole history is written, so it must contain what another writer has added.
                Err(TlsError::State(TlsStateError::Changed(_))) => kept.read_again(&self.values),
                Ok(version) => {
                    kept.unwritten.clear();
                    kept.condition = PutIf::Unchanged(version);
                    return;
                }
                // The next entry writes this one too.
                Err(_) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        locked(&self.kept)
    }
}

/// Adds an entry, and removes the oldest above the bounds.
fn push(entries: &mut VecDeque<HistoryEntry>, entry: HistoryEntry) {
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
}

fn short(text: &str) -> String {
    text.chars().take(HISTORY_TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::AlarmKind;
    use crate::limits::FILE_BYTES_MAX;
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
        let values = StateFolder::of_files(folder.path());
        let history = History::open(values.clone());
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
        let kept = History::open(values).entries();
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
    fn two_writers_lose_no_entry_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in ["one", "two"] {
                let history = History::open(StateFolder::of_files(folder.path()));
                scope.spawn(move || {
                    for at in 0..20 {
                        history.note(at, &alarm(writer));
                    }
                });
            }
        });
        let kept = History::open(StateFolder::of_files(folder.path())).entries();
        for writer in ["one", "two"] {
            let reasons = kept.iter().filter(|entry| {
                matches!(&entry.what, HistoryEvent::Alarm { reason, .. } if reason == writer)
            });
            let times: Vec<i64> = reasons.map(|entry| entry.at).collect();
            assert_eq!(times, (0..20).rev().collect::<Vec<_>>(), "{writer}");
        }
    }

    #[test]
    fn a_file_that_can_t_be_read_or_written_loses_the_past_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tls")).unwrap();
        let path = folder.path().join("tls/history.json");
        std::fs::write(&path, "rubbish").unwrap();
        let values = StateFolder::of_files(folder.path()).folder("tls");
        assert_eq!(History::open(values.clone()).entries(), vec![]);
        let endless = vec![b' '; usize::try_from(FILE_BYTES_MAX).unwrap() + 1];
        for unusable in ["rubbish".as_bytes(), &endless] {
            std::fs::write(&path, unusable).unwrap();
            History::open(values.clone()).note(1, &alarm("after it"));
            assert_eq!(History::open(values.clone()).entries().len(), 1);
        }
        // A file in the place of the folder.
        std::fs::write(folder.path().join("file"), "").unwrap();
        let nowhere = History::open(StateFolder::of_files(&folder.path().join("file")));
        nowhere.note(1, &alarm("full"));
        assert_eq!(nowhere.entries().len(), 1);
    }
}
