//! Standard output, with a note of what could not be written to it: a secret that is printed only
//! once must not be lost silently.

use rustix::fs::{OFlags, fcntl_getfl, fstat, major, minor};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that was printed is lost.
static LOST: AtomicBool = AtomicBool::new(false);

/// Standard output that notes its errors.
#[derive(Debug, Clone, Copy)]
pub struct NotedOutput;

impl NotedOutput {
    fn note<T>(result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && !matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
            )
        {
            LOST.store(true, Ordering::Release);
        }
        result
    }
}

impl Write for NotedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::note(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::note(io::stdout().flush())
    }
}

/// Whether something that was printed is lost because standard output is full or nobody reads it.
pub fn is_lost() -> bool {
    LOST.load(Ordering::Acquire)
}

/// Whether the process was started with a closed standard output. The runtime then opens /dev/null
/// for reading and writing; `>/dev/null` of a shell opens it for writing only.
pub fn is_closed() -> bool {
    let stdout = io::stdout();
    let is_both_ways =
        fcntl_getfl(&stdout).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR);
    is_both_ways && fstat(&stdout).is_ok_and(|stat| is_null(stat.st_rdev))
}

/// Whether a device is /dev/null.
fn is_null(device: u64) -> bool {
    (major(device), minor(device)) == (1, 3)
}
