"""Measures what all targets have: queries per second, processor time per query, new connections per second."""

import re
import time

from proc import BenchError, cpu_seconds, run, say
from figures import median

# Threads of a person at a keyboard, of an application and of a busy pool.
QPS_THREADS = (1, 8, 32)
CONNECT_THREADS = (1, 8)


def rotated(items, by):
    """Orders targets so that none always runs first, or always after the same one."""
    by %= len(items)
    return items[by:] + items[:by]


class Cpu:
    """Measures the processor time of the processes behind a target while a block runs."""

    def __init__(self, target):
        self.pids = {"proxy": target.proxy_pid, "engine": target.engine_pid}

    def __enter__(self):
        self.before = {who: cpu_seconds(pid) for who, pid in self.pids.items() if pid}
        return self

    def __exit__(self, *_):
        self.spent = {who: cpu_seconds(self.pids[who]) - was for who, was in self.before.items()}

    def micros_each(self, count):
        return {f"{who}_cpu_us": spent / count * 1e6 for who, spent in self.spent.items()}


def read_sysbench(text):
    def number(pattern):
        found = re.search(pattern, text)
        if not found:
            raise ValueError(f"sysbench printed no {pattern}:\n{text[-600:]}")
        return float(found[1])
    return {"queries": number(r"queries:\s+(\d+)"), "qps": number(r"queries:\s+\d+\s+\(([\d.]+) per sec"),
            "avg_ms": number(r"avg:\s+([\d.]+)"), "p95_ms": number(r"95th percentile:\s+([\d.]+)")}


def one_qps(target, argv, threads, seconds, folder):
    argv = [a for a in argv if not a.startswith("--threads=")]
    argv += [f"--threads={threads}", f"--time={seconds}", "--percentile=95", "run"]
    with Cpu(target) as cpu:
        text = run(argv, timeout=seconds + 60, cwd=folder)
    figures = read_sysbench(text)
    return figures | cpu.micros_each(figures["queries"])


def middle(rounds):
    """Returns the median of each figure, and the lowest and highest round."""
    keys = rounds[0].keys()
    out = {key: median([r[key] for r in rounds]) for key in keys}
    main = "qps" if "qps" in keys else "per_second"
    out["low"], out["high"] = min(r[main] for r in rounds), max(r[main] for r in rounds)
    return out


def medians(taken, targets, all_threads):
    return {str(n): {t.label: middle(taken[n, t.label]) for t in targets if (n, t.label) in taken} for n in all_threads}


def taken_or_none(target, measure):
    """Records a failure of another proxy as a result. A failure of our programs ends the run."""
    try:
        return measure()
    except BenchError as error:
        if target.label != "router":
            raise
        say(f"  {target.label} failed, this round is left out: {error}")
        return None


def qps(targets, loaded, plan, folder):
    """Interleaves the rounds of all targets, so that a change of the machine's speed affects all of them."""
    taken = {}
    for target in targets:
        one_qps(target, loaded[target.label], 8, plan.warm_seconds, folder)
    for turn in range(plan.rounds):
        for threads in QPS_THREADS:
            for target in rotated(targets, turn):
                got = taken_or_none(target, lambda: one_qps(target, loaded[target.label], threads, plan.qps_seconds, folder))
                if not got:
                    continue
                say(f"  point select, round {turn + 1}, {threads:2} threads, {target.label:8} "
                    f"{got['qps']:8.0f} queries/s, p95 {got['p95_ms']:.2f} ms")
                taken.setdefault((threads, target.label), []).append(got)
    return medians(taken, targets, QPS_THREADS)


def one_connect(client, target, threads, seconds):
    work = {"work": "connect", "threads": threads, "seconds": seconds, "query": "SELECT 1"}
    with Cpu(target) as cpu:
        got = client.ask(target, work, timeout=seconds + 60)
    return {"per_second": got["connections"] / got["seconds"], "median_ms": got["micros_median"] / 1e3,
            "p95_ms": got["micros_p95"] / 1e3} | cpu.micros_each(got["connections"]), got["tls"]


def connect(client, targets, plan):
    taken, agreed = {}, {}
    for turn in range(plan.rounds):
        for threads in CONNECT_THREADS:
            for target in rotated(targets, turn):
                got = taken_or_none(target, lambda: one_connect(client, target, threads, plan.connect_seconds))
                if not got:
                    continue
                got, agreed[target.label] = got
                say(f"  new connections, round {turn + 1}, {threads} threads, {target.label:8} "
                    f"{got['per_second']:7.0f} per s")
                taken.setdefault((threads, target.label), []).append(got)
                # The cost of closing connections belongs to the target that opened them.
                time.sleep(plan.pause_seconds)
    return medians(taken, targets, CONNECT_THREADS) | {"tls": agreed}
