//! The system calls that an engine may not make, and the arguments that it may not pass. A list of
//! refusals, not of permissions: what an engine needs differs from build to build, what it must
//! never do is short. The BPF program is built in `bpf`.

use super::bpf::Condition;
use nix::libc;

/// The x32 numbers of x86-64 begin here: the same calls under other numbers, none of which the
/// engine uses.
pub const FOREIGN_NUMBERS: u32 = 0x4000_0000;

/// Numbers from here on are calls that Linux 6.18 does not have. A later kernel may have a new way
/// to mount, to signal or to make sockets there; a program written for older kernels falls back on
/// ENOSYS.
pub const UNKNOWN_NUMBERS: u32 = 470;

// Calls that the libc crate does not name on both architectures. Since 424 the numbers are the same
// on all.
const SYS_FCHMODAT2: libc::c_long = 452;
const SYS_STATMOUNT: libc::c_long = 457;
const SYS_LISTMOUNT: libc::c_long = 458;
const SYS_LSM_SET_SELF_ATTR: libc::c_long = 460;
const SYS_SETXATTRAT: libc::c_long = 463;
const SYS_REMOVEXATTRAT: libc::c_long = 466;
const SYS_OPEN_TREE_ATTR: libc::c_long = 467;
const SYS_FILE_SETATTR: libc::c_long = 469;

/// Refused with EPERM whatever their arguments.
pub const REFUSED: &[libc::c_long] = &[
    // Sockets: the engine inherits the ones it needs. sendmsg takes its address, and descriptors to
    // pass, from memory that a filter can't read. io_uring makes sockets and sends past any filter.
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Files by path, where Landlock does not reach: `truncate` before ABI 3, watches and attributes
    // in every ABI.
    libc::SYS_truncate,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SYS_SETXATTRAT,
    SYS_REMOVEXATTRAT,
    // Changes project numbers, by which disk quotas are counted.
    SYS_FILE_SETATTR,
    // Other processes: their memory, descriptors, pages, signals. `tkill` and the queues of signals
    // name threads that a filter can't tell apart; the engine's own `pthread_kill` is `tgkill`.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_get_robust_list,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    // Memory, semaphores and queues that processes of one user share by a number or a name.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_semtimedop,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive,
    libc::SYS_mq_notify,
    libc::SYS_mq_getsetattr,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    SYS_STATMOUNT,
    SYS_LISTMOUNT,
    SYS_OPEN_TREE_ATTR,
    // The kernel itself and the machine: also parts of it where bugs give more than the call
    // promises.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_personality,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    SYS_LSM_SET_SELF_ATTR,
    // Flush what all programs have written, not only this one.
    libc::SYS_sync,
    libc::SYS_syncfs,
];

/// Calls of x86-64 alone. aarch64 has none of these names.
#[cfg(target_arch = "x86_64")]
pub const REFUSED_HERE: &[libc::c_long] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_inotify_init,
    libc::SYS_modify_ldt,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_uselib,
    libc::SYS__sysctl,
    libc::SYS_ustat,
    libc::SYS_sysfs,
];
#[cfg(target_arch = "aarch64")]
pub const REFUSED_HERE: &[libc::c_long] = &[];

/// Calls that report success and do nothing. Landlock does not restrict them, and where engines
/// share one user each could close or open the files of all. The engine makes them only to give a
/// table's new file the mode, owner and time of the old one (REPAIR and OPTIMIZE of MyISAM and
/// Aria), which it has already; an error would fail the statement.
pub const WITHOUT_EFFECT: &[libc::c_long] = &[
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
];
#[cfg(target_arch = "x86_64")]
pub const WITHOUT_EFFECT_HERE: &[libc::c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(target_arch = "aarch64")]
pub const WITHOUT_EFFECT_HERE: &[libc::c_long] = &[];

/// Answered with ENOSYS: its flags lie in memory that a filter can't read, and libc falls back to
/// `clone`.
pub const UNKNOWN_HERE: &[libc::c_long] = &[libc::SYS_clone3];

/// Every namespace that `clone` can make (linux/sched.h).
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET)
    .unsigned_abs();
const THREAD: u32 = libc::CLONE_THREAD.unsigned_abs();

const SOCKET_FLAGS: u32 = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK).unsigned_abs();

// linux/fcntl.h, linux/ioprio.h, linux/prctl.h, asm-generic/ioctls.h
const F_SETOWN: u32 = 8;
const F_SETSIG: u32 = 10;
const F_SETOWN_EX: u32 = 15;
const F_SETLEASE: u32 = 1024;
const F_NOTIFY: u32 = 1026;
const IOPRIO_WHO_PROCESS: u32 = 1;
const PR_SET_PDEATHSIG: u32 = 1;
const PR_SET_CHILD_SUBREAPER: u32 = 36;
const PR_SCHED_CORE: u32 = 62;
const TCGETS: u32 = 0x5401;
const TIOCGWINSZ: u32 = 0x5413;
const FIONREAD: u32 = 0x541B;
const FIONBIO: u32 = 0x5421;
const FIONCLEX: u32 = 0x5450;
const FIOCLEX: u32 = 0x5451;
const TCGETS2: u32 = 0x802C_542A;

/// Calls that are allowed on conditions, else refused with EPERM. `own_pid`: the process that runs
/// under the filter. The numbers of its threads are not known when the filter is made, so what
/// names a thread is allowed for the caller's own (0) and for the first.
pub fn conditional(own_pid: u32) -> Vec<(libc::c_long, Vec<Condition>)> {
    use Condition::{Bits, NoneOf, Null, OneOf};
    let itself = vec![0, own_pid];
    let stream = vec![OneOf(0, vec![libc::AF_UNIX.unsigned_abs()]), stream_type(1)];
    vec![
        (libc::SYS_socket, stream.clone()),
        (libc::SYS_socketpair, stream),
        // No address: a socket that is connected already.
        (libc::SYS_sendto, vec![Null(4)]),
        // Threads only. The engine starts no process, so it leaves none behind.
        (
            libc::SYS_clone,
            vec![Bits(0, NEW_NAMESPACES | THREAD, THREAD)],
        ),
        // 0 and negative numbers are groups. The engine's own SHUTDOWN is a signal to itself.
        (libc::SYS_kill, vec![OneOf(0, vec![own_pid])]),
        (libc::SYS_tgkill, vec![OneOf(0, vec![own_pid])]),
        (libc::SYS_prlimit64, vec![OneOf(0, itself.clone())]),
        (libc::SYS_sched_setaffinity, vec![OneOf(0, itself.clone())]),
        (libc::SYS_sched_setparam, vec![OneOf(0, itself.clone())]),
        (libc::SYS_sched_setscheduler, vec![OneOf(0, itself.clone())]),
        (libc::SYS_sched_setattr, vec![OneOf(0, itself.clone())]),
        (
            libc::SYS_setpriority,
            vec![OneOf(0, vec![libc::PRIO_PROCESS]), OneOf(1, itself.clone())],
        ),
        (
            libc::SYS_ioprio_set,
            vec![OneOf(0, vec![IOPRIO_WHO_PROCESS]), OneOf(1, itself.clone())],
        ),
        // Signals that the kernel sends on a file's behalf.
        (
            libc::SYS_fcntl,
            vec![NoneOf(
                1,
                vec![F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY],
            )],
        ),
        // The other requests include signals to owners (FIOSETOWN), typing into terminals
        // (TIOCSTI), and flags and project numbers of files, by which disk quotas are counted.
        (
            libc::SYS_ioctl,
            vec![OneOf(
                1,
                vec![
                    TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX,
                ],
            )],
        ),
        // An engine dies with its server, and shares no core's schedule with another process.
        (
            libc::SYS_prctl,
            vec![NoneOf(
                0,
                vec![PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SCHED_CORE],
            )],
        ),
    ]
}

fn stream_type(argument: u32) -> Condition {
    Condition::Bits(argument, !SOCKET_FLAGS, libc::SOCK_STREAM.unsigned_abs())
}
