//! Builder of the filter's program in classic BPF. It contains instructions and offsets, but no
//! system call by name.

use nix::libc;
use seccompiler::sock_filter;

// Offsets in struct seccomp_data (linux/seccomp.h). The low word of an argument comes first on
// little-endian machines, which both supported ones are.
pub const NR: u32 = 0;
pub const ARCH: u32 = 4;

/// Offset of the low word of an argument, counted from 0.
pub const fn low_word(argument: u32) -> u32 {
    16 + 8 * argument
}

/// Offset of the high word of an argument.
pub const fn high_word(argument: u32) -> u32 {
    low_word(argument) + 4
}

// linux/bpf_common.h
pub const LOAD: u16 = 0x20; // LD | W | ABS
pub const AND: u16 = 0x54; // ALU | AND | K
pub const JUMP_EQ: u16 = 0x15; // JMP | JEQ | K
pub const JUMP_GE: u16 = 0x35; // JMP | JGE | K
pub const RETURN: u16 = 0x06; // RET | K

/// Condition on one argument. The kernel reads integers of type int from the low word alone, so
/// that is compared.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The low word is one of these.
    OneOf(u32, Vec<u32>),
    /// The low word is none of these.
    NoneOf(u32, Vec<u32>),
    /// The low word, reduced to the bits of a mask, has this value: argument, mask, value.
    Bits(u32, u32, u32),
    /// A pointer that points nowhere.
    Null(u32),
}

pub const fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Program under construction. Between two rules the accumulator contains the number of the call.
#[derive(Debug, Default)]
pub struct Builder {
    out: Vec<sock_filter>,
}

impl Builder {
    /// Kills the process on a call of another architecture's table, whose numbers mean other calls.
    pub fn require_arch(&mut self, arch: u32) {
        self.out.extend([
            statement(LOAD, ARCH),
            jump(JUMP_EQ, arch, 1, 0),
            statement(RETURN, libc::SECCOMP_RET_KILL_PROCESS),
            statement(LOAD, NR),
        ]);
    }

    /// Answers every call with this or a higher number.
    pub fn answer_from(&mut self, nr: u32, action: u32) {
        self.out
            .extend([jump(JUMP_GE, nr, 0, 1), statement(RETURN, action)]);
    }

    /// Answers a call whatever its arguments.
    pub fn answer(&mut self, nr: u32, action: u32) {
        self.out
            .extend([jump(JUMP_EQ, nr, 0, 1), statement(RETURN, action)]);
    }

    /// Allows a call if all conditions are true, else answers with EPERM.
    pub fn allow_if(&mut self, nr: u32, conditions: &[Condition]) {
        let mut body = Vec::new();
        for condition in conditions {
            check(&mut body, condition);
        }
        body.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
        // A rule is a few dozen instructions at most; one too long to be jumped over refuses
        // everything after it.
        self.out
            .push(jump(JUMP_EQ, nr, 0, u8::try_from(body.len()).unwrap_or(0)));
        self.out.extend(body);
    }

    /// The program, which allows what no rule has answered.
    pub fn finish(mut self) -> Vec<sock_filter> {
        self.out.push(statement(RETURN, libc::SECCOMP_RET_ALLOW));
        self.out
    }
}

/// Instructions that fall through if the condition is true, and return EPERM if it is not.
fn check(body: &mut Vec<sock_filter>, condition: &Condition) {
    let refused = statement(RETURN, refuse(libc::EPERM));
    match condition {
        Condition::OneOf(argument, values) => {
            body.push(statement(LOAD, low_word(*argument)));
            for (left, value) in (1..=values.len()).rev().zip(values) {
                // To the first instruction after the refusal, over the comparisons that are left.
                body.push(jump(JUMP_EQ, *value, u8::try_from(left).unwrap_or(0), 0));
            }
            body.push(refused);
        }
        Condition::NoneOf(argument, values) => {
            body.push(statement(LOAD, low_word(*argument)));
            for value in values {
                body.extend([jump(JUMP_EQ, *value, 0, 1), refused.clone()]);
            }
        }
        Condition::Bits(argument, mask, value) => {
            body.push(statement(LOAD, low_word(*argument)));
            body.extend([statement(AND, *mask), jump(JUMP_EQ, *value, 1, 0), refused]);
        }
        Condition::Null(argument) => {
            for word in [low_word(*argument), high_word(*argument)] {
                body.extend([
                    statement(LOAD, word),
                    jump(JUMP_EQ, 0, 1, 0),
                    refused.clone(),
                ]);
            }
        }
    }
}
