"""Measures what only Tidegate has: memory of idle sessions, waking, creating, and the time of a refusal."""

import time

from figures import median, percentile, spread
from proc import BenchError, memory_kb, say

# Bytes that an idle session has fetched once. Larger than any small buffer, so that a buffer kept for them would show.
FETCH = "SELECT REPEAT('x', 16000)"
IDLE_CLUSTERS = 10


def idle(client, tidegate, plan):
    names = [f"idle-{n}" for n in range(IDLE_CLUSTERS)]
    clusters = [tidegate.create(name) for name in names]
    logins = [c.login() for c in clusters]
    one_each = {"work": "idle", "sessions": len(logins), "query": FETCH}
    with client.hold(clusters[0], one_each, logins):
        pass
    time.sleep(plan.settle_seconds)
    before = memory_kb(tidegate.pid)
    with client.hold(clusters[0], one_each | {"sessions": plan.idle_sessions}, logins) as opened:
        time.sleep(plan.settle_seconds)
        during = memory_kb(tidegate.pid)
    time.sleep(plan.settle_seconds)
    after = memory_kb(tidegate.pid)
    for name in names:
        tidegate.sleep(name)
        tidegate.delete(name)
    each = {key: (during[key] - before[key]) / plan.idle_sessions for key in before}
    say(f"  {plan.idle_sessions} idle sessions: {each['pss']:.1f} KB each")
    return {"sessions": plan.idle_sessions, "clusters": IDLE_CLUSTERS, "kb_each": each, "before_kb": before,
            "during_kb": during, "after_kb": after, "opened_in_seconds": opened["seconds"]}


def wake(client, tidegate, plan):
    """Measures from the TCP connect of a verifying client to its first row, while the engine is not running."""
    target = tidegate.create("wake")
    whole, verdict = [], []
    seen = len(tidegate.engine_starts())
    for _ in range(plan.wakes):
        tidegate.sleep("wake")
        # The next start must not wait for the writes that the stop left behind.
        time.sleep(plan.pause_seconds)
        if tidegate.state("wake") != "asleep":
            raise BenchError("the cluster that was put to sleep did not stay asleep")
        got = client.ask(target, {"work": "first_row", "query": "SELECT 1"})
        whole.append(got["micros"] / 1e3)
        verdict.append(got["verdict_micros"] / 1e3)
    # The engine's share of that time, from the server's log.
    engine = tidegate.engine_starts()[seen:]
    tidegate.sleep("wake")
    tidegate.delete("wake")
    figures = spread(whole)
    say(f"  {plan.wakes} wakes: p50 {figures['p50']:.0f} ms, p99 {figures['p99']:.0f} ms")
    return figures | {"verdict": spread(verdict), "engine": spread(engine) if engine else None, "each": whole, "tls": got["tls"]}


def create(client, tidegate, plan):
    """Measures from the request (a separate command) to the first row of a verifying client."""
    whole, command = [], []
    for n in range(plan.creates):
        began = time.monotonic()
        target = tidegate.create(f"made-{n}")
        command.append((time.monotonic() - began) * 1e3)
        got = client.ask(target, {"work": "first_row", "query": "SELECT 1"})
        whole.append(command[-1] + got["micros"] / 1e3)
    for n in range(plan.creates):
        tidegate.sleep(f"made-{n}")
        tidegate.delete(f"made-{n}")
    figures = spread(whole)
    say(f"  {plan.creates} creates: p50 {figures['p50']:.0f} ms")
    return figures | {"command_p50": median(command), "each": whole}


def wrong_logins(target):
    """Returns three wrong logins that have the same lengths."""
    prefix, _, user = target.user.partition(".")
    other = "".join({"a": "b"}.get(c, "a") if n == 1 else c for n, c in enumerate(prefix))
    wrong = "x" * len(target.password)
    return [target.login(label="unknown prefix") | {"user": f"{other}.{user}", "password": wrong},
            target.login(label="unknown user") | {"user": f"{prefix}.{user[::-1]}", "password": wrong},
            target.login(label="wrong password") | {"password": wrong}]


def verdicts(client, target, plan):
    work = {"work": "verdict", "each": plan.verdicts, "threads": plan.verdict_threads}
    answer = client.ask(target, work, wrong_logins(target), timeout=600)
    kinds = {}
    for label, kind in answer["kinds"].items():
        ms = [m / 1e3 for m in kind["micros"]]
        # Two halves of one kind differ by chance; two kinds may differ by as much.
        halves = abs(median(ms[::2]) - median(ms[1::2]))
        kinds[label] = {"median": median(ms), "p95": percentile(ms, 95), "p99": percentile(ms, 99), "max": max(ms),
                        "count": len(ms), "codes": kind["codes"], "by_chance": halves}
    middles = [k["median"] for k in kinds.values()]
    ends = [k["p95"] for k in kinds.values()]
    return {"kinds": kinds, "median_apart": max(middles) - min(middles), "p95_apart": max(ends) - min(ends),
            "codes": sorted({code for k in kinds.values() for code in k["codes"]})}


def login(client, tidegate, plan):
    target = tidegate.create("login")
    client.ask(target, {"work": "first_row", "query": "SELECT 1"})
    out = {}
    for state in ("asleep", "awake"):
        (tidegate.sleep if state == "asleep" else tidegate.wake)("login")
        out[state] = verdicts(client, target, plan)
        out[state]["state_after"] = tidegate.state("login")
        say(f"  refusals, {state}: medians {out[state]['median_apart']:.3f} ms apart")
    tidegate.sleep("login")
    tidegate.delete("login")
    return out
