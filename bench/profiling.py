"""Profiles the gateway: system calls per query with perf's counters, and the functions with the most samples."""

import subprocess
import time

from measure import read_sysbench
from proc import BenchError, run, say

PROFILE_SECONDS = 6
THREADS = (1, 8, 32)
# Not a multiple of the timer's rate, and low enough not to affect the measurement.
SAMPLES_PER_SECOND = 997
# System calls that a proxy may make per query. perf needs longer to set up a watch of all calls than the load lasts.
CALLS = ("read write readv writev recvfrom sendto recvmsg sendmsg epoll_wait epoll_pwait epoll_ctl futex sched_yield "
         "clock_gettime getrandom madvise mmap munmap brk").split()
# The load continues for this long after the watcher's end, so that the watcher sees only load.
TAIL_SECONDS = 4
FUNCTIONS_SHOWN = 45


def perf():
    """Finds perf: Debian has one per kernel version, and any of them works here."""
    try:
        run(["perf", "stat", "-e", "syscalls:sys_enter_read", "true"])
    except BenchError as error:
        raise BenchError(f"perf can't count system calls here (root, and a kernel that allows it): {error}") from error


def under_load(argv, threads, folder, watch):
    """Runs one watcher in the middle of a load. Returns the load's figures and the watcher's output."""
    argv = [a for a in argv if not a.startswith("--threads=")]
    argv += [f"--threads={threads}", f"--time={PROFILE_SECONDS + TAIL_SECONDS}", "run"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=folder) as load:
        time.sleep(1)
        done = subprocess.run(watch, capture_output=True, text=True, timeout=PROFILE_SECONDS + 60, check=False)
        out, _ = load.communicate(timeout=PROFILE_SECONDS + 60)
    return read_sysbench(out), done.stdout, done.stderr


def count_calls(target, argv, threads, folder):
    events = [f"syscalls:sys_enter_{call}" for call in CALLS] + ["context-switches", "cpu-migrations"]
    watch = ["perf", "stat", "-x,", *(word for event in events for word in ("-e", event)), "-p", str(target.proxy_pid),
             "--", "sleep", str(PROFILE_SECONDS)]
    load, _, counted = under_load(argv, threads, folder, watch)
    queries = load["qps"] * PROFILE_SECONDS
    print(f"\n{target.label}, {threads} threads, {load['qps']:.0f} queries/s while counted; per query:")
    counts = []
    for line in counted.splitlines():
        fields = line.split(",")
        if len(fields) > 2 and fields[0].isdigit() and int(fields[0]) / queries >= 0.005:
            counts.append((int(fields[0]) / queries, fields[2].replace("syscalls:sys_enter_", "")))
    for each, name in sorted(counts, reverse=True):
        print(f"  {each:6.3f} {name}")


def sample(target, argv, threads, folder, work):
    data = work / f"perf-{target.label}-{threads}.data"
    watch = ["perf", "record", "-q", "-F", str(SAMPLES_PER_SECOND), "-g", "-o", str(data), "-p", str(target.proxy_pid),
             "--", "sleep", str(PROFILE_SECONDS)]
    load, _, _ = under_load(argv, threads, folder, watch)
    print(f"\n{target.label}, {threads} threads, {load['qps']:.0f} queries/s while sampled; share of samples, callees left out:")
    for sort, least, lines in (("dso", "0.5", 8), ("dso,symbol", "0.4", FUNCTIONS_SHOWN)):
        show(run(["perf", "report", "-i", str(data), "--no-children", "-g", "none", "--percent-limit", least, "--stdio",
                  "--sort", sort]), lines)
    print("within the program alone:")
    show(run(["perf", "report", "-i", str(data), "--no-children", "-g", "none", "--percentage", "relative", "--dso",
              "tidegate", "--percent-limit", "0.8", "--stdio", "--sort", "symbol"]), FUNCTIONS_SHOWN)


def show(report, most):
    lines = [line.rstrip(" -") for line in report.splitlines() if line.strip() and not line.startswith("#")]
    print("\n".join(lines[:most]) + "\n")


def profile(targets, loaded, folder, work):
    perf()
    say("-- profile")
    for target in targets:
        if not target.proxy_pid:
            continue
        for threads in THREADS:
            count_calls(target, loaded[target.label], threads, folder)
        if target.label == "tidegate":
            sample(target, loaded[target.label], 8, folder, work)
