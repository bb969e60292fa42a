//! A ledger and a journal in memory.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tidegate_engine::{Ledger, LedgerError};
use tidegate_model::{AccountBook, BoxFuture, ClusterId, Event, Journal, RunEpoch};

#[derive(Default)]
pub struct Memory {
    pub rows: Mutex<HashMap<ClusterId, Row>>,
    pub events: Mutex<Vec<Event>>,
    /// Number of further ends of runs that can't be recorded, as if the disk were full.
    pub ends_refused: AtomicUsize,
}

#[derive(Default, Clone)]
pub struct Row {
    pub run: u64,
    pub awake: bool,
    pub book: Option<Arc<AccountBook>>,
}

impl Memory {
    pub fn row(&self, id: ClusterId) -> Row {
        self.rows
            .lock()
            .unwrap()
            .get(&id)
            .cloned()
            .unwrap_or_default()
    }

    pub fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.lock().unwrap().iter().filter(|e| is(e)).count()
    }

    pub fn starts(&self) -> usize {
        self.count(|e| matches!(e, Event::EngineStarted { .. }))
    }
}

impl Ledger for Memory {
    fn begin_run(&self, id: ClusterId) -> BoxFuture<'_, Result<RunEpoch, LedgerError>> {
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(id).or_default();
        row.run += 1;
        row.awake = true;
        let run = RunEpoch(row.run);
        Box::pin(async move { Ok(run) })
    }

    fn end_run(
        &self,
        id: ClusterId,
        run: RunEpoch,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        if self
            .ends_refused
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
                left.checked_sub(1)
            })
            .is_ok()
        {
            return Box::pin(async { Err(LedgerError::new("database or disk is full")) });
        }
        let mut rows = self.rows.lock().unwrap();
        let row = rows.entry(id).or_default();
        assert_eq!(row.run, run.0, "only the newest run can end");
        row.awake = false;
        row.book = Some(book);
        Box::pin(async move { Ok(()) })
    }

    fn save_accounts(
        &self,
        id: ClusterId,
        book: Arc<AccountBook>,
    ) -> BoxFuture<'_, Result<(), LedgerError>> {
        self.rows.lock().unwrap().entry(id).or_default().book = Some(book);
        Box::pin(async move { Ok(()) })
    }
}

impl Journal for Memory {
    fn record(&self, event: &Event) {
        self.events.lock().unwrap().push(event.clone());
    }
}
