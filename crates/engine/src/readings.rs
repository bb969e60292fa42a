//! Readings of accounts that logins wait for: at most one runs, and all waiters that came meanwhile
//! share the next. A reading covers the users that its waiters named. This module reads nothing
//! itself; the supervisor starts a reading that is due.

use crate::error::ReadingError;
use crate::limits::USERS_PER_READING;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use tidegate_model::AccountBook;
use tokio::sync::oneshot;

pub type ReadingAnswer = Result<Arc<AccountBook>, ReadingError>;
pub type ReadingReply = oneshot::Sender<ReadingAnswer>;

#[derive(Default)]
pub struct Readings {
    running: Option<Running>,
    /// Waiters for the next reading: logins and operators, each bounded where it comes in.
    queued: Vec<Waiter>,
}

struct Running {
    began: Instant,
    users: BTreeSet<String>,
    waiters: Vec<ReadingReply>,
}

struct Waiter {
    users: Vec<String>,
    reply: ReadingReply,
}

impl Readings {
    /// Asks for the accounts of these users as of a moment after `not_before`.
    pub fn ask(&mut self, not_before: Instant, users: Vec<String>, reply: ReadingReply) {
        // A reading that began before `not_before` may show the accounts as they were before a
        // change.
        match &mut self.running {
            Some(running)
                if running.began > not_before
                    && users.iter().all(|user| running.users.contains(user)) =>
            {
                running.waiters.push(reply);
            }
            _ => self.queued.push(Waiter { users, reply }),
        }
    }

    /// Returns the users of the reading that begins now, if one is due. The caller must run it and
    /// call [`Self::done`].
    pub fn begin(&mut self) -> Option<Vec<String>> {
        // A login that has given up must not cause a reading.
        self.queued.retain(|waiter| !waiter.reply.is_closed());
        if self.running.is_some() || self.queued.is_empty() {
            return None;
        }
        let mut users = BTreeSet::new();
        let mut waiters = Vec::new();
        for waiter in std::mem::take(&mut self.queued) {
            let fresh = waiter
                .users
                .iter()
                .filter(|user| !users.contains(*user))
                .count();
            // The first is taken whatever it names, so that the queue always moves.
            if waiters.is_empty() || users.len() + fresh <= USERS_PER_READING {
                users.extend(waiter.users);
                waiters.push(waiter.reply);
            } else {
                self.queued.push(waiter);
            }
        }
        // Taken before the statement is sent, so that the reading is never older than it claims.
        let began = Instant::now();
        let named = users.iter().cloned().collect();
        self.running = Some(Running {
            began,
            users,
            waiters,
        });
        Some(named)
    }

    /// Whether nobody waits.
    pub fn is_quiet(&self) -> bool {
        self.running.is_none() && self.queued.is_empty()
    }

    pub fn done(&mut self, answer: &ReadingAnswer) {
        for reply in self
            .running
            .take()
            .map(|running| running.waiters)
            .unwrap_or_default()
        {
            let _ = reply.send(answer.clone());
        }
    }

    /// Answers all waiters for the next reading, since the engine is not running.
    pub fn answer_all(&mut self, answer: &ReadingAnswer) {
        for waiter in self.queued.drain(..) {
            let _ = waiter.reply.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_model::{Accounts, ReadingOrder, RunEpoch};

    type Waiting = oneshot::Receiver<ReadingAnswer>;

    fn book() -> Arc<AccountBook> {
        Arc::new(AccountBook {
            accounts: Accounts::default(),
            run: RunEpoch(1),
            order: ReadingOrder::default(),
        })
    }

    fn ask(readings: &mut Readings, not_before: Instant, users: &[&str]) -> Waiting {
        let (reply, answer) = oneshot::channel();
        readings.ask(
            not_before,
            users.iter().map(|u| (*u).to_owned()).collect(),
            reply,
        );
        answer
    }

    #[test]
    fn many_who_ask_cause_one_running_and_one_queued_reading() {
        let mut readings = Readings::default();
        let before = Instant::now();
        let mut early: Vec<_> = (0..5)
            .map(|_| ask(&mut readings, before, &["app"]))
            .collect();
        assert_eq!(readings.begin().expect("one is due"), ["app"]);
        assert!(readings.begin().is_none(), "one runs already");
        // Asked after it began: its result would be too old for them.
        let now = Instant::now();
        let mut late: Vec<_> = (0..5).map(|_| ask(&mut readings, now, &["app"])).collect();
        readings.done(&Ok(book()));
        assert!(early.iter_mut().all(|rx| rx.try_recv().unwrap().is_ok()));
        assert!(late.iter_mut().all(|rx| rx.try_recv().is_err()));
        readings.begin().expect("the queued one");
        readings.done(&Ok(book()));
        assert!(late.iter_mut().all(|rx| rx.try_recv().unwrap().is_ok()));
        assert!(readings.begin().is_none());
    }

    #[test]
    fn a_running_reading_serves_those_whose_users_it_names() {
        let mut readings = Readings::default();
        let before = Instant::now();
        let mut first = ask(&mut readings, before, &["app", "x.app"]);
        readings.begin().unwrap();
        let mut same = ask(&mut readings, before, &["app"]);
        let mut other = ask(&mut readings, before, &["root"]);
        readings.done(&Ok(book()));
        assert!(first.try_recv().is_ok() && same.try_recv().is_ok() && other.try_recv().is_err());
        assert_eq!(readings.begin().unwrap(), ["root"]);
    }

    #[test]
    fn one_reading_names_a_bounded_number_of_users_and_the_others_come_later() {
        let mut readings = Readings::default();
        let before = Instant::now();
        let names: Vec<String> = (0..USERS_PER_READING * 2 + 3)
            .map(|n| format!("u{n:05}"))
            .collect();
        let _waiting: Vec<_> = names
            .iter()
            .map(|name| ask(&mut readings, before, &[name]))
            .collect();
        let mut read = Vec::new();
        while let Some(users) = readings.begin() {
            assert!(users.len() <= USERS_PER_READING);
            read.extend(users);
            readings.done(&Ok(book()));
        }
        assert_eq!(read, names, "each once, in the order in which they came");
    }

    #[test]
    fn who_left_causes_no_reading() {
        let mut readings = Readings::default();
        drop(ask(&mut readings, Instant::now(), &["app"]));
        assert!(readings.begin().is_none());
    }
}
