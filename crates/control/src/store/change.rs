//! Changes of the store, as the writer takes them.

use super::error::{StoreError, StoreResult};
use sqlx::SqliteConnection;
use tidegate_model::BoxFuture;
use tokio::sync::oneshot;

/// Order of a change, and its treatment on a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeClass {
    /// Begin of a run: goes first, and waits for space on a full disk.
    Begin,
    /// End of a run, or a reading of accounts: may use the reserve, and waits for space on a full
    /// disk.
    Ledger,
    /// Operator's change that frees space or must not be lost: may use the reserve once.
    Vital,
    /// Any other: fails at once on a full disk.
    Plain,
}

/// A change of the store, made completely or not at all.
pub trait StoreChange: Send + Sync + 'static {
    type Out: Send + 'static;

    fn class(&self) -> ChangeClass {
        ChangeClass::Plain
    }

    /// Bytes of accounts that it may write, as a measure of its duration.
    fn bytes(&self) -> usize {
        0
    }

    /// Makes the change. It may be called again after a failure, and must then do the same.
    fn apply(
        &self,
        db: &mut SqliteConnection,
    ) -> impl Future<Output = StoreResult<Self::Out>> + Send;
}

/// A [`StoreChange`] of any type, with its caller.
pub trait WriterJob: Send {
    fn class(&self) -> ChangeClass;
    fn bytes(&self) -> usize;
    fn apply<'a>(&'a mut self, db: &'a mut SqliteConnection) -> BoxFuture<'a, StoreResult<()>>;
    /// Sends the result to the caller.
    fn finish(self: Box<Self>, result: StoreResult<()>);
}

/// A job with the type of its change.
pub struct TypedJob<C: StoreChange> {
    pub change: C,
    pub out: Option<C::Out>,
    pub reply: oneshot::Sender<StoreResult<C::Out>>,
}

impl<C: StoreChange> WriterJob for TypedJob<C> {
    fn class(&self) -> ChangeClass {
        self.change.class()
    }

    fn bytes(&self) -> usize {
        self.change.bytes()
    }

    fn apply<'a>(&'a mut self, db: &'a mut SqliteConnection) -> BoxFuture<'a, StoreResult<()>> {
        Box::pin(async move {
            self.out = Some(self.change.apply(db).await?);
            Ok(())
        })
    }

    fn finish(self: Box<Self>, result: StoreResult<()>) {
        let Self { out, reply, .. } = *self;
        // The caller may be gone; the change is made anyway.
        let _ = reply.send(result.and_then(|()| out.ok_or(StoreError::Closed)));
    }
}
