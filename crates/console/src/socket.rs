//! The control socket: where it lies, and how it is bound and reached even where its path is too
//! long for a socket's address. Never open to anybody but its owner, not even for a moment.

use crate::limits;
use std::fs::{File, Permissions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

const NAME: &str = "control.sock";

/// Where the control socket of a data directory lies.
pub fn path(data: &Path) -> PathBuf {
    data.join(NAME)
}

/// An address for it that fits, and what must stay open meanwhile.
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

/// Binds it, 0600. Whoever calls this holds the data directory's lock, so a socket that lies there
/// is a dead server's.
pub(crate) fn bind(data: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path(data)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let (address, _dir) = address(data)?;
    let socket = UnixSocket::new_stream()?;
    // Before it has a name: the file gets the socket's own mode (less the umask), so there is no
    // moment at which it is open to others.
    File::from(socket.as_fd().try_clone_to_owned()?)
        .set_permissions(Permissions::from_mode(0o600))?;
    socket.bind(address)?;
    socket.listen(limits::BACKLOG)
}

pub(crate) async fn connect(data: &Path) -> io::Result<UnixStream> {
    let (address, _dir) = address(data)?;
    UnixStream::connect(address).await
}
