//! The helper that becomes an engine: a process with one thread that builds the walls around itself
//! and then executes the server. It does not return, start a thread or read from the network.

use crate::local::cgroup;
use crate::local::start::handover;
use crate::local::walls::{files, seccomp};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

/// First argument of the helper. `main` must check it before any thread exists.
pub const COMMAND: &str = "engine-exec";

/// First descriptor of handed-over sockets (sd_listen_fds(3)).
const LISTEN_FD: RawFd = 3;
/// Names of the handed-over sockets, in order. MariaDB takes one named `extra` for its extra port:
/// connections there get a thread each and have a separate limit, so a thread pool full of a
/// tenant's queries does not delay them.
const LISTEN_NAMES: &str = "sessions:extra";
/// Descriptor of the cluster's lock in the engine. Nothing reads it; it only has to stay open.
const LOCK_FD: RawFd = 5;

/// Threads one engine may have, where its uid is its own: one per connection at the very most of
/// any limit.
const THREADS_MAX: u64 = 4096;
/// Descriptors one engine may have.
const FILES_MAX: u64 = 32_768;

/// Share of all memory, in thousandths, that the kernel adds to an engine's own when it looks for a
/// process to end (proc_pid_oom_score_adj(5)).
const OOM_SCORE: i32 = 500;

const NO_CAPABILITIES: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// Orders for the helper, given as its arguments.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// The process that must still be our parent when the death signal is set.
    pub parent: u32,
    /// The uid and gid to become.
    pub uid: Option<u32>,
    pub write: Vec<PathBuf>,
    pub read: Vec<PathBuf>,
    pub landlock_abi_max: Option<u8>,
    pub address_space_max: u64,
    /// Files of control groups to enter before anything else, so that no process of the engine is
    /// ever outside.
    pub enter: Vec<PathBuf>,
    /// Private memory the engine may ask for. 0: no limit.
    pub data_max: u64,
    /// Processes and threads of the engine's own user. 0: the room's bound.
    pub tasks_max: u32,
    /// Size of one file the engine may write. 0: no limit.
    pub file_max: u64,
    /// Standard input is SQL for `--bootstrap`, and no sockets are handed over.
    pub bootstrap: bool,
    pub program: PathBuf,
    pub program_args: Vec<OsString>,
}

impl Orders {
    pub fn to_args(&self) -> Vec<OsString> {
        let mut out = vec![
            argument("parent=", self.parent.to_string().as_ref()),
            argument("memory=", self.address_space_max.to_string().as_ref()),
        ];
        if self.data_max > 0 {
            out.push(argument("data=", self.data_max.to_string().as_ref()));
        }
        if self.tasks_max > 0 {
            out.push(argument("tasks=", self.tasks_max.to_string().as_ref()));
        }
        if self.file_max > 0 {
            out.push(argument("file=", self.file_max.to_string().as_ref()));
        }
        out.extend(self.enter.iter().map(|p| argument("enter=", p.as_os_str())));
        out.extend(
            self.uid
                .map(|uid| argument("uid=", uid.to_string().as_ref())),
        );
        out.extend(
            self.landlock_abi_max
                .map(|abi| argument("abi=", abi.to_string().as_ref())),
        );
        out.extend(self.write.iter().map(|p| argument("write=", p.as_os_str())));
        out.extend(self.read.iter().map(|p| argument("read=", p.as_os_str())));
        if self.bootstrap {
            out.push("bootstrap=1".into());
        }
        out.push(argument("program=", self.program.as_os_str()));
        out.push("--".into());
        out.extend(self.program_args.iter().cloned());
        out
    }

    fn from_args(mut args: impl Iterator<Item = OsString>) -> Result<Self, String> {
        use std::os::unix::ffi::OsStrExt;
        let mut out = Self::default();
        for arg in args.by_ref() {
            if arg == "--" {
                break;
            }
            let bytes = arg.as_bytes();
            let split = bytes
                .iter()
                .position(|b| *b == b'=')
                .ok_or("an argument without =")?;
            // `split` is the place of a `=`, so neither is short.
            let key = bytes.get(..split).unwrap_or_default();
            let value = bytes.get(split + 1..).unwrap_or_default();
            match key {
                b"parent" => out.parent = number(value)?,
                b"memory" => out.address_space_max = number(value)?,
                b"data" => out.data_max = number(value)?,
                b"file" => out.file_max = number(value)?,
                b"tasks" => out.tasks_max = number(value)?,
                b"enter" => out.enter.push(path_of(value)),
                b"uid" => out.uid = Some(number(value)?),
                b"abi" => out.landlock_abi_max = Some(number(value)?),
                b"write" => out.write.push(path_of(value)),
                b"read" => out.read.push(path_of(value)),
                b"bootstrap" => out.bootstrap = true,
                b"program" => out.program = path_of(value),
                _ => return Err(format!("unknown argument {arg:?}")),
            }
        }
        out.program_args = args.collect();
        Ok(out)
    }
}

/// An argument such as `uid=1000`: the key with its `=`, then the value.
fn argument(key: &str, value: &OsStr) -> OsString {
    let mut out = OsString::from(key);
    out.push(value);
    out
}

fn path_of(value: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    PathBuf::from(OsString::from_vec(value.to_vec()))
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Result<T, String> {
    std::str::from_utf8(value)
        .ok()
        .and_then(|v| v.parse().ok())
        .ok_or_else(|| "not a number".to_owned())
}

/// Becomes an engine, or says on standard error (the engine's log) why not.
pub fn engine_exec_main() -> ! {
    let args = std::env::args_os().skip_while(|a| a != COMMAND).skip(1);
    let reason = match Orders::from_args(args).and_then(|orders| become_engine(&orders)) {
        Ok(never) => match never {},
        Err(reason) => reason,
    };
    eprintln!("[ERROR] {COMMAND}: {reason}");
    std::process::exit(126)
}

/// Text of a step that failed, for the engine's log.
fn failed(what: &str, error: impl Into<std::io::Error>) -> String {
    format!("{what}: {}", error.into())
}

fn become_engine(orders: &Orders) -> Result<std::convert::Infallible, String> {
    // Before this process can start another, and while it still has the rights to.
    for entrance in &orders.enter {
        cgroup::files::write_value(entrance, "0")
            .map_err(|e| format!("entering its control group: {e}"))?;
    }
    if !orders.bootstrap {
        raise_oom_score().map_err(|e| failed("oom_score_adj", e))?;
    }
    place_descriptors(orders.bootstrap).map_err(|e| failed("descriptors", e))?;
    limit(orders).map_err(|e| failed("limits", e))?;
    if let Some(uid) = orders.uid {
        drop_uid(uid).map_err(|e| format!("becoming uid {uid}: {e}"))?;
    }
    // Changing the uid clears the death signal, so it comes after; and the parent may have died
    // before it was set.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| failed("death signal", e))?;
    let parent = rustix::process::getppid().map(|p| p.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(orders.parent) {
        return Err("the server that asked for this engine is gone".to_owned());
    }
    // A service manager may have given the server the right to low ports; what it runs has no use
    // for any.
    rustix::thread::clear_ambient_capability_set()
        .map_err(|e| failed("ambient capabilities", e))?;
    rustix::thread::set_no_new_privs(true).map_err(|e| failed("no_new_privs", e))?;
    if rustix::process::geteuid().is_root() {
        // Root without users for its engines, as in a rootless container, would else give them its
        // rights in that namespace. After no_new_privs, so that the engine's exec returns none of
        // them. Others lose theirs by the exec, and a service manager may forbid them this call.
        rustix::thread::set_capabilities(None, NO_CAPABILITIES)
            .map_err(|e| failed("capabilities", e))?;
    }
    let allowed = files::AllowedPaths {
        program: &orders.program,
        write: &orders.write,
        read: &orders.read,
        abi_max: orders.landlock_abi_max,
    };
    files::confine(&allowed).map_err(|e| format!("Landlock: {e}"))?;
    seccomp::apply().map_err(|e| format!("seccomp: {e}"))?;
    let mut command = Command::new(&orders.program);
    // Without NOTIFY_SOCKET, for example: MariaDB would report its own state to our service
    // manager.
    command.args(&orders.program_args).env_clear();
    // Time zone names of the system's own zone, nothing else of our environment.
    command.env("LC_ALL", "C");
    if !orders.bootstrap {
        command
            .env("LISTEN_FDS", handover::SOCKETS.to_string())
            .env("LISTEN_FDNAMES", LISTEN_NAMES);
        // The engine takes the sockets only if this names its own process (sd_listen_fds(3)).
        command.env("LISTEN_PID", std::process::id().to_string());
    }
    Err(format!("{}: {}", orders.program.display(), command.exec()))
}

/// Moves sockets and lock to where the engine expects them, and closes whatever else was inherited.
fn place_descriptors(bootstrap: bool) -> std::io::Result<()> {
    let inherited: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    // A descriptor that the server left open by mistake must not reach a tenant's engine.
    for fd in inherited {
        // The directory's own descriptor is in the list and closed already: EBADF is expected.
        let _ = nix::unistd::close(fd);
    }
    if !bootstrap {
        for (socket, to) in handover::unpack_sockets(std::io::stdin())?
            .into_iter()
            .zip(LISTEN_FD..)
        {
            if socket.as_raw_fd() != to {
                return Err(std::io::Error::other("a socket's descriptor was not free"));
            }
            // Stays open over the exec.
            let _ = socket.into_raw_fd();
        }
        // Standard input was the socket pair from the server.
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    }
    let lock = fcntl_dupfd_cloexec(std::io::stdout(), LOCK_FD)?;
    fcntl_setfd(&lock, FdFlags::empty())?;
    let _ = lock.into_raw_fd();
    // Standard output was the lock, which now has its own descriptor.
    rustix::stdio::dup2_stdout(std::io::stderr())?;
    Ok(())
}

/// When the machine's memory is short, the kernel ends an engine before the gateway, which inherits
/// its own value from whoever started it. An engine that ends is recovered; the gateway's end would
/// cut everybody.
fn raise_oom_score() -> std::io::Result<()> {
    let path = "/proc/self/oom_score_adj";
    let inherited: i32 = std::fs::read_to_string(path)?
        .trim()
        .parse()
        .unwrap_or_default();
    // Raising needs no right; a value that is higher already is kept.
    if inherited < OOM_SCORE {
        std::fs::write(path, OOM_SCORE.to_string())
    } else {
        Ok(())
    }
}

/// Lowers a limit of this process. One that is lower already stays.
fn lower_limit(resource: Resource, max: u64) -> rustix::io::Result<()> {
    let hard = rustix::process::getrlimit(resource)
        .maximum
        .map_or(max, |hard| hard.min(max));
    let limit = Rlimit {
        current: Some(hard),
        maximum: Some(hard),
    };
    rustix::process::setrlimit(resource, limit)
}

fn limit(orders: &Orders) -> rustix::io::Result<()> {
    // A core would hold the tenant's rows and our account's hash.
    lower_limit(Resource::Core, 0)?;
    lower_limit(Resource::Nofile, FILES_MAX)?;
    if orders.address_space_max > 0 {
        lower_limit(Resource::As, orders.address_space_max)?;
    }
    if orders.data_max > 0 {
        lower_limit(Resource::Data, orders.data_max)?;
    }
    if orders.file_max > 0 {
        // A write beyond it fails with EFBIG: the spawner made the helper ignore SIGXFSZ.
        lower_limit(Resource::Fsize, orders.file_max)?;
    }
    // The kernel counts all processes of a user, so this limit needs a user for each engine.
    if orders.uid.is_some() {
        let own = u64::from(orders.tasks_max);
        lower_limit(Resource::Nproc, if own > 0 { own } else { THREADS_MAX })?;
    }
    Ok(())
}

fn drop_uid(uid: u32) -> nix::Result<()> {
    use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
    let gid = Gid::from_raw(uid);
    let uid = Uid::from_raw(uid);
    // Groups first: an ordinary user can't change them any more.
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_survive_the_way_through_arguments() {
        let orders = Orders {
            parent: 7,
            uid: Some(600_001),
            write: vec!["/a b/data".into(), "/c=d".into()],
            read: vec!["/r".into()],
            landlock_abi_max: Some(2),
            address_space_max: 9,
            enter: vec![
                "/sys/fs/cgroup/a b/cgroup.procs".into(),
                "/x/cgroup.procs".into(),
            ],
            data_max: 10,
            tasks_max: 11,
            file_max: 12,
            bootstrap: true,
            program: "/usr/sbin/mariadbd".into(),
            program_args: vec!["--x=1".into(), "--".into()],
        };
        let back = Orders::from_args(orders.to_args().into_iter()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{orders:?}"));
        assert!(Orders::from_args(["nonsense".into()].into_iter()).is_err());
    }
}
