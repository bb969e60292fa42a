//! Queue of the store's writer. Changes that begin a run have a separate channel: a login waits for
//! each, and must not wait behind the changes of another cluster.

use super::change::{ChangeClass, WriterJob};
use crate::limits::WRITES_WAITING_MAX;
use tokio::sync::mpsc;

type AnyJob = Box<dyn WriterJob>;

/// Sending half of the queue.
#[derive(Debug)]
pub struct Queue {
    begins: mpsc::Sender<AnyJob>,
    others: mpsc::Sender<AnyJob>,
}

/// Receiving half of the queue.
pub struct Inbox {
    begins: mpsc::Receiver<AnyJob>,
    others: mpsc::Receiver<AnyJob>,
}

/// Makes a queue with [`WRITES_WAITING_MAX`] places in each of its channels.
pub fn queue() -> (Queue, Inbox) {
    let (begins, begins_in) = mpsc::channel(WRITES_WAITING_MAX);
    let (others, others_in) = mpsc::channel(WRITES_WAITING_MAX);
    let inbox = Inbox {
        begins: begins_in,
        others: others_in,
    };
    (Queue { begins, others }, inbox)
}

impl Queue {
    /// Sends a change, and waits while its channel is full. Returns false if the queue is closed.
    pub async fn send(&self, job: AnyJob) -> bool {
        let channel = match job.class() {
            ChangeClass::Begin => &self.begins,
            ChangeClass::Ledger | ChangeClass::Vital | ChangeClass::Plain => &self.others,
        };
        channel.send(job).await.is_ok()
    }
}

impl Inbox {
    /// Waits for the next change. `None` once the queue is closed and empty.
    pub async fn recv(&mut self) -> Option<AnyJob> {
        tokio::select! {
            biased;
            // First, because a login waits for each.
            Some(job) = self.begins.recv() => Some(job),
            Some(job) = self.others.recv() => Some(job),
            else => None,
        }
    }

    /// Takes a change that is already there, unless the writer has too many. `taken` is the number
    /// that it has.
    pub fn try_recv(&mut self, taken: usize) -> Option<AnyJob> {
        if taken < 2 * WRITES_WAITING_MAX
            && let Ok(job) = self.begins.try_recv()
        {
            return Some(job);
        }
        if taken >= WRITES_WAITING_MAX {
            return None;
        }
        self.others.try_recv().ok()
    }

    /// Accepts no more changes. Those that were sent are still received.
    pub fn close(&mut self) {
        self.begins.close();
        self.others.close();
    }
}
