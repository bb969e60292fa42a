//! The filter of system calls around an engine. The kernel does not let a process remove it.

mod bpf;
mod calls;
#[cfg(test)]
mod tests;

use bpf::{Builder, refuse};
use nix::libc;
use seccompiler::BpfProgram;

/// AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64 (linux/audit.h).
#[cfg(target_arch = "x86_64")]
const OUR_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OUR_ARCH: u32 = 0xC000_00B7;

/// Returns the filter for the process `own_pid`, which keeps its number when it executes the
/// engine.
fn program(own_pid: u32) -> BpfProgram {
    let mut out = Builder::default();
    out.require_arch(OUR_ARCH);
    // Before the unknown numbers, which include these: a call by a foreign number gets EPERM.
    out.answer_from(calls::FOREIGN_NUMBERS, refuse(libc::EPERM));
    out.answer_from(calls::UNKNOWN_NUMBERS, refuse(libc::ENOSYS));
    for call in calls::UNKNOWN_HERE {
        out.answer(number(*call), refuse(libc::ENOSYS));
    }
    for call in calls::REFUSED.iter().chain(calls::REFUSED_HERE) {
        out.answer(number(*call), refuse(libc::EPERM));
    }
    for call in calls::WITHOUT_EFFECT
        .iter()
        .chain(calls::WITHOUT_EFFECT_HERE)
    {
        out.answer(number(*call), refuse(0));
    }
    for (call, conditions) in calls::conditional(own_pid) {
        out.allow_if(number(call), &conditions);
    }
    out.finish()
}

fn number(call: libc::c_long) -> u32 {
    // Call numbers are small and positive on both architectures; a number that is not would match
    // nothing.
    u32::try_from(call).unwrap_or(u32::MAX)
}

/// Puts this process and what it becomes under the filter. Needs no_new_privs.
pub fn apply() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&program(std::process::id()))
}
