//! The wake that a command on a cluster's users or databases begins with.

use crate::context::ask;
use crate::screen::Step;
use anyhow::Result;
use tidegate_console::Client;
use tidegate_model::ClusterState;

/// Wakes a cluster that is not awake, and says so: it may take a while.
pub fn wake(client: &Client, cluster: &str) -> Result<()> {
    if ask(client.cluster(cluster))?.state == ClusterState::Awake {
        return Ok(());
    }
    let step = Step::begin(&format!("waking {cluster}"));
    ask(client.wake(cluster))?;
    step.done("");
    Ok(())
}
