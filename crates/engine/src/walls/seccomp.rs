//! The filter of system calls an engine may not make. A list of what is refused, not of what is allowed: the engine's
//! own needs differ from build to build, and what it must never do is short. Never removed once set.

use nix::libc;
use seccompiler::{BpfProgram, sock_filter};

// Offsets in struct seccomp_data (linux/seccomp.h). The low word of an argument comes first on little-endian
// machines, which both supported ones are.
const NR: u32 = 0;
const ARCH: u32 = 4;
const ARG0_LOW: u32 = 16;

// linux/bpf_common.h
const LOAD: u16 = 0x20; // LD | W | ABS
const JUMP_EQ: u16 = 0x15; // JMP | JEQ | K
const JUMP_GE: u16 = 0x35; // JMP | JGE | K
const RETURN: u16 = 0x06; // RET | K

/// AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 (linux/audit.h).
#[cfg(target_arch = "x86_64")]
const OUR_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OUR_ARCH: u32 = 0xC000_00B7;

/// The x32 numbers of x86-64 lie here: the same calls under other numbers, none of which the engine uses.
const FOREIGN_NUMBERS: u32 = 0x4000_0000;

/// Refused with EPERM whatever their arguments.
///
/// Sockets: the engine gets its one socket by inheritance, so it has to connect to nobody, bind nothing; io_uring can
/// make sockets past this filter. `truncate` by path is not covered by Landlock before ABI 3. The rest are the doors
/// to other processes and to the kernel that a database never needs.
const REFUSED: &[libc::c_long] = &[
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_truncate,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_by_handle_at,
];

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// The program: foreign architectures die, foreign numbers and [`REFUSED`] get EPERM, sockets are AF_UNIX or EPERM.
pub fn program() -> BpfProgram {
    let eperm = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
    let mut out = vec![
        statement(LOAD, ARCH),
        jump(JUMP_EQ, OUR_ARCH, 1, 0),
        statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
        statement(LOAD, NR),
        jump(JUMP_GE, FOREIGN_NUMBERS, 0, 1),
        statement(RETURN, eperm),
    ];
    for call in REFUSED {
        out.push(jump(JUMP_EQ, number(*call), 0, 1));
        out.push(statement(RETURN, eperm));
    }
    out.extend([
        jump(JUMP_EQ, number(libc::SYS_socket), 2, 0),
        jump(JUMP_EQ, number(libc::SYS_socketpair), 1, 0),
        statement(RETURN, libc::SECCOMP_RET_ALLOW),
        statement(LOAD, ARG0_LOW),
        jump(JUMP_EQ, libc::AF_UNIX.unsigned_abs(), 0, 1),
        statement(RETURN, libc::SECCOMP_RET_ALLOW),
        statement(RETURN, eperm),
    ]);
    out
}

fn number(call: libc::c_long) -> u32 {
    // Call numbers are small and positive on both architectures; a number that is not would match nothing.
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// From here on this process and what it becomes live under the filter. Needs no_new_privs.
pub fn apply() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&program())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of the kernel's interpreter for the four instructions used, so that jumps are checked without a kernel.
    fn run(arch: u32, nr: u32, arg0: u32) -> u32 {
        let program = program();
        let (mut at, mut acc) = (0usize, 0u32);
        loop {
            let ins = &program[at];
            at += 1;
            match ins.code {
                LOAD => {
                    acc = match ins.k {
                        ARCH => arch,
                        NR => nr,
                        ARG0_LOW => arg0,
                        other => panic!("load of {other}"),
                    }
                }
                JUMP_EQ | JUMP_GE => {
                    let hit = if ins.code == JUMP_EQ { acc == ins.k } else { acc >= ins.k };
                    at += usize::from(if hit { ins.jt } else { ins.jf });
                }
                RETURN => return ins.k,
                other => panic!("code {other}"),
            }
        }
    }

    #[test]
    fn only_unix_sockets_pass_and_foreign_numbers_do_not() {
        let eperm = libc::SECCOMP_RET_ERRNO | 1;
        let nr = |call| number(call);
        assert_eq!(run(OUR_ARCH, nr(libc::SYS_socket), 1), libc::SECCOMP_RET_ALLOW);
        assert_eq!(run(OUR_ARCH, nr(libc::SYS_socket), 2), eperm);
        assert_eq!(run(OUR_ARCH, nr(libc::SYS_socket), 10), eperm);
        assert_eq!(run(OUR_ARCH, nr(libc::SYS_socketpair), 1), libc::SECCOMP_RET_ALLOW);
        assert_eq!(run(OUR_ARCH, nr(libc::SYS_socket) | FOREIGN_NUMBERS, 1), eperm);
        assert_eq!(run(OUR_ARCH, nr(libc::SYS_read), 2), libc::SECCOMP_RET_ALLOW);
        assert_eq!(run(0x4000_0003, 102, 1), libc::SECCOMP_RET_KILL_PROCESS, "i386");
        for call in REFUSED {
            assert_eq!(run(OUR_ARCH, nr(*call), 1), eperm, "{call}");
        }
    }
}
