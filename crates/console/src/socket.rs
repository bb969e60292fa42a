//! Path of the control socket, and functions that bind and connect it even if the path is too long
//! for a socket address. Only its owner can open it, from the moment it exists.

use crate::limits;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

const NAME: &str = "control.sock";

/// Returns the path of the control socket of a data directory.
pub fn path(data: &Path) -> PathBuf {
    data.join(NAME)
}

/// Returns an address that is short enough, and the directory that must stay open while it is used.
fn address(data: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let path = path(data);
    if path.as_os_str().as_bytes().len() <= limits::SOCKET_PATH_MAX {
        return Ok((path, None));
    }
    let dir = File::open(data)?;
    let short = Path::new("/proc/self/fd")
        .join(dir.as_raw_fd().to_string())
        .join(NAME);
    Ok((short, Some(dir)))
}

/// Binds the control socket with mode 0600. The caller holds the lock of the data directory, so an
/// existing socket is from a server that is gone.
pub(crate) fn bind(data: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path(data)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let (address, _dir) = address(data)?;
    let socket = UnixSocket::new_stream()?;
    // Before `bind`: the file gets the mode of the socket (less the umask), so there is no moment
    // at which others can open it.
    File::from(socket.as_fd().try_clone_to_owned()?)
        .set_permissions(Permissions::from_mode(0o600))?;
    socket.bind(address)?;
    socket.listen(limits::BACKLOG)
}

pub(crate) async fn connect(data: &Path) -> io::Result<UnixStream> {
    let (address, _dir) = address(data)?;
    UnixStream::connect(address).await
}
