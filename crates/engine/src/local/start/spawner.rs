//! The one thread that starts engines. The kernel's death signal fires when the *thread* that
//! spawned a process ends, so that thread lives exactly as long as the engines may. It blocks only
//! on its queue and the spawn.

use crate::limits::SPAWN_QUEUE_MAX;
use crate::local::settings::Helper;
use crate::local::start::exec::{COMMAND, Orders};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Shell that makes the helper ignore SIGXFSZ, which only unsafe code can do otherwise, and which
/// survives each exec: an engine that writes beyond its file size limit gets an error (EFBIG)
/// instead of being killed. Takes 1 ms.
const SHELL: &str = "/bin/sh";
const IGNORE_XFSZ: &str = "trap '' XFSZ; exec \"$0\" \"$@\"";

/// Cheap to clone; when the last clone is dropped, the thread ends and every engine with it.
#[derive(Debug, Clone)]
pub struct Spawner {
    jobs: mpsc::Sender<Job>,
    helper: Arc<Helper>,
    shell: bool,
}

#[derive(Debug)]
struct Job {
    command: Command,
    reply: oneshot::Sender<io::Result<UnclaimedChild>>,
}

/// A spawned process that its requester has not received yet. It is killed if the requester is
/// gone.
#[derive(Debug)]
struct UnclaimedChild(Option<Child>);

impl Drop for UnclaimedChild {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Standard descriptors of the helper: the sockets that [`crate::local::start::handover`] packed,
/// or SQL, the cluster's lock, and the log.
#[derive(Debug)]
pub struct HelperStdio {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

impl Spawner {
    pub fn new(helper: Option<Helper>) -> io::Result<Self> {
        let helper = match helper {
            Some(helper) => helper,
            None => Helper {
                program: running_program()?,
                args: vec![COMMAND.into()],
            },
        };
        let (jobs, mut queue) = mpsc::channel::<Job>(SPAWN_QUEUE_MAX);
        std::thread::Builder::new()
            .name("engine-spawner".to_owned())
            .spawn(move || {
                while let Some(mut job) = queue.blocking_recv() {
                    // A start that was given up needs no process.
                    if !job.reply.is_closed() {
                        let _ = job
                            .reply
                            .send(job.command.spawn().map(|child| UnclaimedChild(Some(child))));
                    }
                }
            })?;
        Ok(Self {
            jobs,
            helper: Arc::new(helper),
            shell: Path::new(SHELL).exists(),
        })
    }

    /// Starts the helper with these orders. Waits for its turn in a full queue: starts that slow
    /// disks have delayed may come together, and that must not fail any of them.
    pub async fn spawn(&self, orders: &Orders, stdio: HelperStdio) -> io::Result<Child> {
        let mut command = if self.shell {
            let mut shell = Command::new(SHELL);
            shell.args(["-c", IGNORE_XFSZ]).arg(&self.helper.program);
            shell
        } else {
            // An engine at the limit is killed then, and recovers.
            Command::new(&self.helper.program)
        };
        command
            .args(&self.helper.args)
            .args(orders.to_args())
            .env_clear();
        command
            .stdin(Stdio::from(stdio.stdin))
            .stdout(Stdio::from(stdio.stdout))
            .stderr(Stdio::from(stdio.stderr));
        command.current_dir("/");
        let (reply, child) = oneshot::channel();
        self.jobs
            .send(Job { command, reply })
            .await
            .map_err(|_| thread_gone())?;
        child
            .await
            .map_err(|_| thread_gone())??
            .0
            .take()
            .ok_or_else(thread_gone)
    }
}

/// Returns a path that the kernel resolves to the program that runs, also after its file was
/// replaced or deleted (an upgrade). `/proc/self/exe` would name the shell that starts the helper,
/// so the path contains this process's number, as its own /proc counts it.
fn running_program() -> io::Result<PathBuf> {
    let own = std::fs::read_link("/proc/self")?;
    Ok(Path::new("/proc").join(own).join("exe"))
}

fn thread_gone() -> io::Error {
    io::Error::other("the spawner thread is gone")
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use futures_util::future::join_all;
    use std::fs::File;

    fn null_device() -> OwnedFd {
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .open("/dev/null")
            .unwrap()
            .into()
    }

    fn stdio() -> HelperStdio {
        HelperStdio {
            stdin: null_device(),
            stdout: null_device(),
            stderr: null_device(),
        }
    }

    #[tokio::test]
    async fn a_queue_full_of_starts_that_were_given_up_costs_the_next_one_no_process() {
        let temp = tempfile::tempdir().unwrap();
        let started = temp.path().join("started");
        let script = format!("echo one >>'{}'", started.display());
        let helper = Helper {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.clone().into()],
        };
        let spawner = Spawner::new(Some(helper)).unwrap();
        for _ in 0..SPAWN_QUEUE_MAX * 20 {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", &script]);
            let (reply, gone) = oneshot::channel();
            drop(gone);
            spawner.jobs.send(Job { command, reply }).await.unwrap();
        }
        let mut child = spawner.spawn(&Orders::default(), stdio()).await.unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(std::fs::read_to_string(started).unwrap(), "one\n");
    }

    #[tokio::test]
    async fn a_full_queue_makes_a_start_wait_and_fails_none() {
        let helper = Helper {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), "exit 7".into()],
        };
        let spawner = Spawner::new(Some(helper)).unwrap();
        let orders = Orders::default();
        let given_up: Vec<_> = (0..SPAWN_QUEUE_MAX / 2)
            .map(|_| Box::pin(spawner.spawn(&orders, stdio())))
            .collect();
        let queued = given_up.into_iter().filter_map(|mut start| {
            // Its requester is gone. On a busy machine, the first ones may be done already.
            (&mut start).now_or_never().is_none().then_some(())
        });
        assert!(queued.count() > SPAWN_QUEUE_MAX / 4);
        let starts =
            join_all((0..SPAWN_QUEUE_MAX * 3).map(|_| spawner.spawn(&orders, stdio()))).await;
        for child in starts {
            assert_eq!(child.unwrap().wait().unwrap().code(), Some(7));
        }
    }
}
