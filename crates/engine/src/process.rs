//! A running engine as a process: told apart by its pidfd, never by its number. Never reads or writes its data.

use crate::exec::Orders;
use crate::limits::TERM_PATIENCE;
use crate::spawner::{Luggage, Spawner};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub text: String,
    /// By a signal from outside, or by its own abort.
    pub signal: Option<i32>,
    pub success: bool,
}

/// Dropped, the process is killed.
#[derive(Debug)]
pub struct Process {
    pidfd: Arc<OwnedFd>,
    end: watch::Receiver<Option<End>>,
}

impl Process {
    pub async fn spawn(spawner: &Spawner, orders: &Orders, luggage: Luggage) -> io::Result<Self> {
        let child = spawner.spawn(orders, luggage).await?;
        Self::watch(child)
    }

    /// Until somebody waits for the child its number can't be given to another, so this names the right one.
    fn watch(mut child: Child) -> io::Result<Self> {
        let pid = child.id();
        let opened = i32::try_from(pid)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("no process id"))
            .and_then(|p| Ok(Arc::new(pidfd_open(p, PidfdFlags::NONBLOCK)?)))
            .and_then(|fd| Ok((pollable(Arc::clone(&fd))?, fd)));
        let (ready, pidfd) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(e);
            }
        };
        let (tell, end) = watch::channel(None);
        tokio::spawn(async move {
            let _ = ready.readable().await;
            let status = child.wait();
            tell.send_replace(Some(describe(status)));
        });
        Ok(Self { pidfd, end })
    }

    /// Ends when the process has, with how.
    pub async fn ended(&self) -> End {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await.map(|end| end.clone()) {
            Ok(Some(end)) => end,
            _ => End { text: "its watcher is gone".to_owned(), signal: None, success: false },
        }
    }

    pub fn kill(&self) {
        // ESRCH: it has ended already.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// SIGTERM, patience, SIGKILL.
    pub async fn stop(&self) -> End {
        let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        if let Ok(end) = tokio::time::timeout(TERM_PATIENCE, self.ended()).await {
            return end;
        }
        self.kill();
        self.ended().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(deprecated, reason = "what replaces it is unsafe for types whose descriptor may change; an OwnedFd's can't")]
fn pollable(fd: Arc<OwnedFd>) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    AsyncFd::with_interest(fd, Interest::READABLE)
}

fn describe(status: io::Result<ExitStatus>) -> End {
    match status {
        Ok(status) => End {
            text: match status.signal() {
                Some(9) => "killed (signal 9)".to_owned(),
                Some(signal) => format!("ended by signal {signal}"),
                None => format!("exit code {}", status.code().unwrap_or(-1)),
            },
            signal: status.signal(),
            success: status.success(),
        },
        Err(e) => End { text: format!("its end can't be read: {e}"), signal: None, success: false },
    }
}
