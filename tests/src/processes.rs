//! Finds engine processes of one data directory. Reads /proc, and kills processes by their number,
//! never by name.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;

/// Returns all living processes named `mariadbd` that use this folder: by command line, by working
/// directory or by an open file. Zombies are not included.
pub fn engines_of(folder: &Path) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| is_engine(*pid) && touches(*pid, folder))
        .collect()
}

fn is_engine(pid: u32) -> bool {
    // The helper has our own name until it becomes the engine by exec; then this is its name.
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|c| c.trim() == "mariadbd")
        && fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

fn touches(pid: u32, folder: &Path) -> bool {
    let proc = format!("/proc/{pid}");
    let needle = folder.to_string_lossy().into_owned();
    let line = fs::read(format!("{proc}/cmdline")).unwrap_or_default();
    if String::from_utf8_lossy(&line).contains(&needle) {
        return true;
    }
    if fs::read_link(format!("{proc}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder)) {
        return true;
    }
    fs::read_dir(format!("{proc}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target.starts_with(folder)))
}

pub fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

pub fn kill(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("not zero");
    // A process that has just ended by itself needs no kill.
    let _ = kill_process(pid, signal);
}

pub fn kill9(pid: u32) {
    kill(pid, Signal::KILL);
}

/// Returns resident memory in kilobytes, as the kernel counts it.
pub fn resident_kb(pid: u32) -> u64 {
    status_kb(pid, "VmRSS:")
}

/// Returns the highest resident memory in kilobytes since the last [`reset_peak`].
pub fn peak_kb(pid: u32) -> u64 {
    status_kb(pid, "VmHWM:")
}

/// Resets the peak to the current resident memory (proc_pid_clear_refs(5)).
pub fn reset_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("the process is ours");
}

fn status_kb(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix(field))
        .expect("the field");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}
