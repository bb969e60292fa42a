//! Tests of the filter of system calls.

use super::bpf::{AND, ARCH, JUMP_EQ, JUMP_GE, LOAD, NR, RETURN, high_word, low_word, refuse};
use super::calls::{self, FOREIGN_NUMBERS, UNKNOWN_NUMBERS};
use super::{OUR_ARCH, number, program};
use nix::libc;

const PID: u32 = 4711;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = refuse(libc::EPERM);

/// Returns what the kernel loads from this offset of `struct seccomp_data`.
fn load_word(offset: u32, arch: u32, nr: u32, arguments: [u64; 6]) -> u32 {
    for (at, argument) in (0u32..).zip(arguments) {
        if offset == low_word(at) {
            return argument as u32;
        }
        if offset == high_word(at) {
            return (argument >> 32) as u32;
        }
    }
    match offset {
        NR => nr,
        ARCH => arch,
        other => panic!("load of {other}"),
    }
}

/// Model of the kernel's interpreter for the instructions used, so that jumps are checked without a
/// kernel.
fn run(arch: u32, nr: u32, arguments: [u64; 6]) -> u32 {
    let program = program(PID);
    assert!(program.len() <= 4096, "BPF_MAXINSNS");
    let mut at = 0usize;
    let mut acc = 0u32;
    loop {
        let ins = &program[at];
        at += 1;
        match ins.code {
            LOAD => acc = load_word(ins.k, arch, nr, arguments),
            AND => acc &= ins.k,
            JUMP_EQ | JUMP_GE => {
                let hit = if ins.code == JUMP_EQ {
                    acc == ins.k
                } else {
                    acc >= ins.k
                };
                at += usize::from(if hit { ins.jt } else { ins.jf });
            }
            RETURN => return ins.k,
            other => panic!("code {other}"),
        }
    }
}

fn call(call: libc::c_long, arguments: &[u64]) -> u32 {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    run(OUR_ARCH, number(call), all)
}

#[test]
fn foreign_and_unknown_numbers_do_not_pass() {
    assert_eq!(
        run(0x4000_0003, 102, [1; 6]),
        libc::SECCOMP_RET_KILL_PROCESS,
        "i386"
    );
    assert_eq!(
        run(OUR_ARCH, number(libc::SYS_read) | FOREIGN_NUMBERS, [0; 6]),
        EPERM
    );
    assert_eq!(run(OUR_ARCH, UNKNOWN_NUMBERS, [0; 6]), refuse(libc::ENOSYS));
    assert_eq!(
        run(OUR_ARCH, UNKNOWN_NUMBERS + 100, [0; 6]),
        refuse(libc::ENOSYS)
    );
    assert_eq!(call(libc::SYS_clone3, &[]), refuse(libc::ENOSYS));
    for plain in [
        libc::SYS_read,
        libc::SYS_openat,
        libc::SYS_accept4,
        libc::SYS_futex,
        libc::SYS_execve,
    ] {
        assert_eq!(call(plain, &[2, 2, 2]), ALLOW, "{plain}");
    }
}

#[test]
fn every_listed_call_is_answered_as_listed() {
    for refused in calls::REFUSED.iter().chain(calls::REFUSED_HERE) {
        assert_eq!(call(*refused, &[1]), EPERM, "{refused}");
    }
    for silent in calls::WITHOUT_EFFECT
        .iter()
        .chain(calls::WITHOUT_EFFECT_HERE)
    {
        assert_eq!(call(*silent, &[1]), refuse(0), "{silent}");
    }
    // A call of two lists would be answered by the first alone.
    let lists = [
        calls::REFUSED,
        calls::REFUSED_HERE,
        calls::WITHOUT_EFFECT,
        calls::WITHOUT_EFFECT_HERE,
    ];
    let mut all: Vec<_> = lists.concat();
    all.extend(calls::UNKNOWN_HERE);
    all.extend(calls::conditional(PID).iter().map(|(call, _)| *call));
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    assert!(
        all.iter()
            .all(|call| (0..i64::from(UNKNOWN_NUMBERS)).contains(call))
    );
}

#[test]
fn only_unix_stream_sockets_are_made_and_nothing_is_sent_to_an_address() {
    let flags = u64::from((libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK).unsigned_abs());
    for make in [libc::SYS_socket, libc::SYS_socketpair] {
        assert_eq!(call(make, &[1, 1]), ALLOW);
        assert_eq!(call(make, &[1, 1 | flags]), ALLOW);
        for kind in [0, 2, 3, 4, 5, 10, 2 | flags, 0x10 | 1] {
            assert_eq!(call(make, &[1, kind]), EPERM, "type {kind}");
        }
        for family in [0, 2, 10, 16, 17, 40] {
            assert_eq!(call(make, &[family, 1]), EPERM, "family {family}");
        }
    }
    assert_eq!(
        call(libc::SYS_sendto, &[9, 0x7f00_0000_1000, 1, 0, 0, 0]),
        ALLOW
    );
    for address in [1, 0x1_0000_0000, 0x7f00_0000_1000] {
        assert_eq!(
            call(libc::SYS_sendto, &[9, 0, 1, 0, address, 110]),
            EPERM,
            "{address:x}"
        );
    }
}

#[test]
fn threads_are_made_and_processes_are_not() {
    // As glibc's pthread_create passes them to clone.
    let thread = 0x3d_0f00;
    assert_eq!(call(libc::SYS_clone, &[thread]), ALLOW);
    for fork in [17, 0x0120_0011, 0x4111, 0] {
        assert_eq!(call(libc::SYS_clone, &[fork]), EPERM, "{fork:x}");
    }
    for new in [
        0x2_0000,
        0x200_0000,
        0x400_0000,
        0x800_0000,
        0x1000_0000,
        0x2000_0000,
        0x4000_0000,
    ] {
        assert_eq!(call(libc::SYS_clone, &[new | 17]), EPERM, "{new:x}");
        assert_eq!(
            call(libc::SYS_clone, &[new | thread]),
            EPERM,
            "{new:x} with a thread"
        );
    }
}

#[test]
fn signals_and_scheduling_reach_nobody_but_the_process_itself() {
    let own = u64::from(PID);
    let others = [
        1,
        own + 1,
        own - 1,
        u64::from(u32::MAX),
        (-i64::from(PID)).cast_unsigned(),
    ];
    for signal in [libc::SYS_kill, libc::SYS_tgkill] {
        assert_eq!(call(signal, &[own, 15]), ALLOW);
        // The kernel reads the low word alone.
        assert_eq!(call(signal, &[own | 7 << 32, 15]), ALLOW);
        for other in others.into_iter().chain([0]) {
            assert_eq!(call(signal, &[other, 15]), EPERM, "{signal}: {other:x}");
        }
    }
    for schedule in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setattr,
    ] {
        for itself in [0, own] {
            assert_eq!(call(schedule, &[itself]), ALLOW, "{schedule}");
        }
        for other in others {
            assert_eq!(call(schedule, &[other]), EPERM, "{schedule}: {other:x}");
        }
    }
    for (which, right) in [(libc::SYS_setpriority, 0), (libc::SYS_ioprio_set, 1)] {
        assert_eq!(call(which, &[right, 0]), ALLOW);
        assert_eq!(call(which, &[right, own]), ALLOW);
        for other in others {
            assert_eq!(call(which, &[right, other]), EPERM, "{which}: {other:x}");
        }
        for group in [0u64, 1, 2, 3].into_iter().filter(|which| *which != right) {
            assert_eq!(call(which, &[group, 0]), EPERM, "{which}: groups and users");
        }
    }
}

#[test]
fn requests_that_signal_or_outlive_are_refused() {
    for command in [8, 10, 15, 1024, 1026] {
        assert_eq!(
            call(libc::SYS_fcntl, &[3, command, 1]),
            EPERM,
            "fcntl {command}"
        );
    }
    // Locks, flags and duplicates, as the engine uses them.
    for command in [0, 1, 2, 3, 4, 5, 6, 7, 37, 38, 1030] {
        assert_eq!(
            call(libc::SYS_fcntl, &[3, command, 1]),
            ALLOW,
            "fcntl {command}"
        );
    }
    // FIOSETOWN, SIOCSPGRP, TIOCSTI, TIOCLINUX, FS_IOC_FSSETXATTR, FS_IOC_SETFLAGS,
    // BTRFS_IOC_SUBVOL_CREATE.
    for request in [
        0x8901,
        0x8902,
        0x5412,
        0x541C,
        0x401C_5820,
        0x4008_6602,
        0x5000_940E,
    ] {
        assert_eq!(
            call(libc::SYS_ioctl, &[3, request, 1]),
            EPERM,
            "ioctl {request:x}"
        );
    }
    for request in [0x5401, 0x541B, 0x5421] {
        assert_eq!(
            call(libc::SYS_ioctl, &[3, request, 1]),
            ALLOW,
            "ioctl {request:x}"
        );
    }
    for option in [1, 36, 62] {
        assert_eq!(call(libc::SYS_prctl, &[option, 0]), EPERM, "prctl {option}");
    }
    for option in [15, 23, 41] {
        assert_eq!(call(libc::SYS_prctl, &[option, 0]), ALLOW, "prctl {option}");
    }
}
