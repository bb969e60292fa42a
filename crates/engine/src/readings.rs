//! Readings of the accounts that logins wait for: at most one runs and one is queued, however many ask. Never reads by
//! itself; the supervisor does when told that one is due.

use std::sync::Arc;
use std::time::Instant;
use tidegate_model::AccountBook;
use tokio::sync::oneshot;

pub type Answer = Result<Arc<AccountBook>, String>;
pub type Reply = oneshot::Sender<Answer>;

#[derive(Default)]
pub struct Readings {
    /// When the running one began, and who is content with it.
    running: Option<(Instant, Vec<Reply>)>,
    /// Who waits for the next. Callers are logins and operators, each bounded where they come in.
    queued: Vec<Reply>,
}

impl Readings {
    pub fn ask(&mut self, not_before: Instant, reply: Reply) {
        match &mut self.running {
            Some((began, waiters)) if *began > not_before => waiters.push(reply),
            _ => self.queued.push(reply),
        }
    }

    /// The moment a reading begins, if one is due: the caller must run it and call [`Self::done`].
    pub fn begin(&mut self) -> Option<Instant> {
        self.queued.retain(|reply| !reply.is_closed());
        if self.running.is_some() || self.queued.is_empty() {
            return None;
        }
        let began = Instant::now();
        self.running = Some((began, std::mem::take(&mut self.queued)));
        Some(began)
    }

    pub fn done(&mut self, answer: &Answer) {
        for reply in self.running.take().map(|(_, waiters)| waiters).unwrap_or_default() {
            let _ = reply.send(answer.clone());
        }
    }

    /// The engine is not running: everybody who waits for a next reading gets this.
    pub fn answer_all(&mut self, answer: &Answer) {
        for reply in self.queued.drain(..) {
            let _ = reply.send(answer.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book() -> Arc<AccountBook> {
        Arc::new(AccountBook { accounts: vec![], run: tidegate_model::RunEpoch(1), read_began: None })
    }

    #[test]
    fn many_who_ask_cause_one_running_and_one_queued_reading() {
        let mut readings = Readings::default();
        let before = Instant::now();
        let mut early: Vec<_> = (0..5)
            .map(|_| oneshot::channel())
            .map(|(tx, rx)| {
                readings.ask(before, tx);
                rx
            })
            .collect();
        let began = readings.begin().expect("one is due");
        assert!(readings.begin().is_none(), "one runs already");
        // Asked after it began: its result would be too old for them.
        let mut late: Vec<_> = (0..5)
            .map(|_| oneshot::channel())
            .map(|(tx, rx)| {
                readings.ask(Instant::now().max(began), tx);
                rx
            })
            .collect();
        readings.done(&Ok(book()));
        assert!(early.iter_mut().all(|rx| rx.try_recv().unwrap().is_ok()));
        assert!(late.iter_mut().all(|rx| rx.try_recv().is_err()));
        readings.begin().expect("the queued one");
        readings.done(&Ok(book()));
        assert!(late.iter_mut().all(|rx| rx.try_recv().unwrap().is_ok()));
        assert!(readings.begin().is_none());
    }

    #[test]
    fn who_left_causes_no_reading() {
        let mut readings = Readings::default();
        let (tx, rx) = oneshot::channel();
        readings.ask(Instant::now(), tx);
        drop(rx);
        assert!(readings.begin().is_none());
    }
}
