//! The listening socket of a cluster, owned by this room and kept over the engine's runs, so that
//! nothing is refused in between. Only the engine accepts connections.

use crate::error::EngineError;
use crate::limits::BACKLOG;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Longest path that a Unix socket's address can contain, without the closing NUL (unix(7)).
const PATH_MAX: usize = 107;

/// A folder of sockets that have short paths however deep it is.
#[derive(Debug, Clone)]
pub struct SocketFolder {
    path: PathBuf,
    /// Open for as long as short names through it may be in use.
    handle: Arc<File>,
    bound: Arc<Mutex<BoundNames>>,
}

/// Names that are bound in a folder, each with the number of its latest socket. A socket that was
/// bound again under its name must not remove the file of the next one.
#[derive(Debug, Default)]
struct BoundNames {
    latest: HashMap<String, u64>,
    last: u64,
}

/// A bound and listening socket.
#[derive(Debug)]
pub struct Listener {
    pub fd: OwnedFd,
    pub file: SocketFile,
}

/// The file of a bound socket, removed when this is dropped, unless another one has its name now.
#[derive(Debug)]
pub struct SocketFile {
    /// Path to connect to: valid in this process.
    pub path: PathBuf,
    name: String,
    number: u64,
    folder: SocketFolder,
}

impl SocketFolder {
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let handle = File::open(path).map_err(EngineError::file("opening", path))?;
        Ok(Self {
            path: path.to_owned(),
            handle: Arc::new(handle),
            bound: Arc::default(),
        })
    }

    fn bound(&self) -> MutexGuard<'_, BoundNames> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn short(&self, name: &str) -> PathBuf {
        let full = self.path.join(name);
        if full.as_os_str().len() <= PATH_MAX {
            return full;
        }
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd())).join(name)
    }

    /// Binds a new socket, and removes a socket file left by an earlier run of the server first:
    /// only one server uses this folder.
    pub fn listen(&self, name: &str) -> Result<Listener, EngineError> {
        let file = self.path.join(name);
        let path = self.short(name);
        let mut bound = self.bound();
        let fd = bind_socket(&file, &path).map_err(EngineError::file("listening on", &file))?;
        bound.last += 1;
        let number = bound.last;
        bound.latest.insert(name.to_owned(), number);
        Ok(Listener {
            fd,
            file: SocketFile {
                path,
                name: name.to_owned(),
                number,
                folder: self.clone(),
            },
        })
    }
}

/// Binds a listening socket at `file`, named by the shorter `path`.
fn bind_socket(file: &Path, path: &Path) -> io::Result<OwnedFd> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let fd = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&fd, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&fd, BACKLOG)?;
    Ok(fd)
}

/// Sockets of one cluster: that of its sessions is bound once and kept over all runs, so that a
/// client that connects between two runs waits for the next; each run gets an extra one for
/// administration.
#[derive(Debug)]
pub struct ClusterSockets {
    folder: SocketFolder,
    name: String,
    sessions: Mutex<Option<Arc<Listener>>>,
}

impl ClusterSockets {
    /// `name` is unique in the folder.
    pub fn new(folder: SocketFolder, name: &str) -> Self {
        Self {
            folder,
            name: name.to_owned(),
            sessions: Mutex::default(),
        }
    }

    /// Returns the path at which sessions connect, bound or not.
    pub fn path(&self) -> PathBuf {
        self.folder.short(&self.sessions_name())
    }

    fn sessions_name(&self) -> String {
        format!("engine-{}.sock", self.name)
    }

    /// Returns the socket of sessions, bound if it is not yet.
    pub fn sessions(&self) -> Result<Arc<Listener>, EngineError> {
        // Bound once and kept: a client that connects between two runs waits for the next one.
        let mut bound = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(listener) = &*bound {
            return Ok(Arc::clone(listener));
        }
        let listener = Arc::new(self.folder.listen(&self.sessions_name())?);
        *bound = Some(Arc::clone(&listener));
        Ok(listener)
    }

    /// Binds the extra socket of one run.
    pub fn extra(&self) -> Result<Listener, EngineError> {
        self.folder.listen(&format!("extra-{}.sock", self.name))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let mut bound = self.folder.bound();
        if bound.latest.get(&self.name) == Some(&self.number) {
            bound.latest.remove(&self.name);
            let _ = std::fs::remove_file(self.folder.path.join(&self.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_too_long_for_a_socket_works_and_a_stale_file_is_no_obstacle() {
        let temp = tempfile::tempdir().unwrap();
        let deep = temp.path().join("x".repeat(90)).join("y".repeat(90));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(deep.join("7.sock"), b"stale").unwrap();
        let folder = SocketFolder::open(&deep).unwrap();
        let listener = folder.listen("7.sock").unwrap();
        std::os::unix::net::UnixStream::connect(&listener.file.path).unwrap();
        drop(listener);
        assert!(!deep.join("7.sock").exists());
    }

    #[test]
    fn a_run_that_is_dropped_late_leaves_the_socket_of_the_next_one() {
        let temp = tempfile::tempdir().unwrap();
        let folder = SocketFolder::open(temp.path()).unwrap();
        let sockets = ClusterSockets::new(folder, "7");
        let former = sockets.extra().unwrap();
        let next = sockets.extra().unwrap();
        drop(former);
        std::os::unix::net::UnixStream::connect(&next.file.path).unwrap();
        drop(next);
        assert!(!temp.path().join("extra-7.sock").exists());
    }
}
