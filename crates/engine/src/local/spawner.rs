//! The one thread that starts engines. The kernel's death signal fires when the *thread* that
//! spawned a process ends, so that thread lives exactly as long as the engines may. Never blocks on
//! anything but its queue and the spawn.

use crate::limits::SPAWN_QUEUE_MAX;
use crate::local::exec::{COMMAND, Orders};
use crate::settings::Helper;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use tokio::sync::oneshot;

/// Cheap to clone; when the last clone is dropped, the thread ends and every engine with it.
#[derive(Debug, Clone)]
pub struct Spawner {
    jobs: SyncSender<Job>,
    helper: Arc<Helper>,
}

#[derive(Debug)]
struct Job {
    command: Command,
    reply: oneshot::Sender<io::Result<Fresh>>,
}

/// A child on its way to who asked for it. Lost on that way, it must not stay behind unowned.
#[derive(Debug)]
struct Fresh(Option<Child>);

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Standard descriptors of the helper: what [`crate::local::handover`] packed or SQL, the cluster's lock,
/// the log.
#[derive(Debug)]
pub struct Luggage {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

impl Spawner {
    pub fn new(helper: Option<Helper>) -> io::Result<Self> {
        let helper = match helper {
            Some(helper) => helper,
            None => Helper {
                program: std::env::current_exe()?,
                args: vec![COMMAND.into()],
            },
        };
        let (jobs, queue) = sync_channel::<Job>(SPAWN_QUEUE_MAX);
        std::thread::Builder::new()
            .name("engine-spawner".to_owned())
            .spawn(move || {
                for mut job in queue {
                    let _ = job
                        .reply
                        .send(job.command.spawn().map(|child| Fresh(Some(child))));
                }
            })?;
        Ok(Self {
            jobs,
            helper: Arc::new(helper),
        })
    }

    /// Starts the helper with these orders.
    pub async fn spawn(&self, orders: &Orders, luggage: Luggage) -> io::Result<Child> {
        let mut command = Command::new(&self.helper.program);
        command
            .args(&self.helper.args)
            .args(orders.to_args())
            .env_clear();
        command
            .stdin(Stdio::from(luggage.stdin))
            .stdout(Stdio::from(luggage.stdout))
            .stderr(Stdio::from(luggage.stderr));
        command.current_dir("/");
        let (reply, child) = oneshot::channel();
        self.jobs
            .try_send(Job { command, reply })
            .map_err(|_| io::Error::other("too many engines start at once"))?;
        let gone = || io::Error::other("the spawner thread is gone");
        child.await.map_err(|_| gone())??.0.take().ok_or_else(gone)
    }
}
