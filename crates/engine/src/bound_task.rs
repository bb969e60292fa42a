//! A task that lives no longer than the value that needs it.

use tokio::task::JoinHandle;

/// A task that ends when this value is dropped.
pub struct BoundTask(JoinHandle<()>);

impl BoundTask {
    pub fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for BoundTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
