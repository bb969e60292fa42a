"""Runs the benchmark: starts all targets, measures them, writes the table, stops everything. Started by script/bench."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import gateway
import leg
import measure
import report
import sleepers
from proc import BenchError, Client, raise_descriptor_limit, say
from targets import (PLAIN_OPTIONS, Tidegate, load, options_of, start_bare, start_direct, start_haproxy,
                     start_router, start_tidegate_target, versions)

ROOT = Path(__file__).resolve().parent.parent
SHARED_PARTS = ("qps", "conn")
GATEWAY_PARTS = ("idle", "wake", "create", "login")
# Not part of a full run: each answers one question of design (docs/decisions/0027-engine-tls.md, 0034-register-cache.md).
BY_NAME = ("leg", "sleepers")


@dataclass
class Plan:
    """Numbers of rounds, sessions and logins. The full run takes at most 12 minutes on two cores."""

    quick: bool = False
    tables: int = 4
    rows: int = 105_000
    rounds: int = 3
    warm_seconds: int = 4
    qps_seconds: int = 8
    connect_seconds: int = 4
    pause_seconds: float = 0.3
    settle_seconds: float = 2
    idle_sessions: int = 1000
    wakes: int = 50
    creates: int = 20
    verdicts: int = 2000
    verdict_threads: int = 48
    sleepers: int = 10_000
    sleeper_starts: int = 5
    sleeper_wakes: int = 30
    list_pages: int = 100


QUICK = Plan(quick=True, rows=10_000, rounds=1, warm_seconds=1, qps_seconds=2, connect_seconds=1, settle_seconds=1,
             idle_sessions=100, wakes=5, creates=3, verdicts=60, verdict_threads=20, sleepers=10_000, sleeper_starts=1, sleeper_wakes=3, list_pages=5)


def arguments():
    parser = argparse.ArgumentParser(prog="script/bench", description="Compares direct TLS, HAProxy, MySQL Router, a bare relay and Tidegate.")
    parser.add_argument("parts", nargs="*", metavar="PART",
                        help=f"{', '.join(SHARED_PARTS + GATEWAY_PARTS)}, leg, sleepers or profile; the first six when none is "
                             "named")
    parser.add_argument("--quick", action="store_true", help="a few seconds of each: does it work, not how fast it is")
    parser.add_argument("--without", action="append", default=[], choices=("haproxy", "router", "bare", "tidegate"),
                        help="leave a target out")
    parser.add_argument("--out", type=Path, help="where the results go; a full run writes into bench/results by itself")
    parser.add_argument("--tidegate", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--bare", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--oracle", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--client", type=Path, required=True, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    known = SHARED_PARTS + GATEWAY_PARTS
    for part in asked.parts:
        if part not in (*known, *BY_NAME, "profile"):
            parser.error(f"unknown part: {part}")
    asked.parts = asked.parts or list(known)
    return asked


def start_shared(asked, plan, work, stack, tidegate):
    """Starts all targets with the same rows, and the options that their engines share."""
    ours = start_tidegate_target(tidegate) if tidegate else None
    options = options_of(ours.engine_pid) if ours else PLAIN_OPTIONS
    direct = start_direct(work, stack, options)
    targets = [direct]
    if "haproxy" not in asked.without:
        targets.append(start_haproxy(work, stack, direct))
    if "router" not in asked.without:
        if (asked.oracle / "mysqlrouter").exists():
            targets.append(start_router(work, stack, direct, asked.oracle))
        else:
            say("note: MySQL Router could not be had and is left out")
    if "bare" not in asked.without:
        targets.append(start_bare(work, stack, direct, asked.bare))
    folder = work / "sysbench"
    folder.mkdir()
    for name, source in (("client-cert.pem", "client.pem"), ("client-key.pem", "client.key")):
        shutil.copy(work / "direct" / "tls" / source, folder / name)
    cas = [direct.ca] + ([ours.ca] if ours else [])
    (folder / "cacert.pem").write_text("".join(ca.read_text() for ca in cas))
    if ours:
        targets.append(ours)
    loaded = {}
    for target in targets:
        if target is not direct and target is not ours:
            # These are in front of the engine that is loaded already: the same command with another port.
            loaded[target.label] = [a.replace(f"--mysql-port={direct.port}", f"--mysql-port={target.port}")
                                 for a in loaded["direct"]]
        else:
            say(f"-- loading {plan.tables} x {plan.rows} rows: {target.label}")
            loaded[target.label] = load(target, plan.tables, plan.rows, folder)
    return targets, loaded, folder, options


def carry_out(asked, plan, stack):
    work = Path(tempfile.mkdtemp(prefix="tidegate-bench-"))
    stack.callback(shutil.rmtree, work, ignore_errors=True)
    # Each engine has its own uid and must be able to enter this folder.
    work.chmod(0o711)
    tidegate = None
    client = Client(asked.client)
    if asked.parts == ["sleepers"]:
        # Starts two servers, with nothing beside them.
        return {"sleepers": sleepers.measure(client, asked.tidegate, plan, work, stack)}, []
    if "tidegate" not in asked.without:
        say("-- starting tidegate")
        tidegate = Tidegate(asked.tidegate, work, stack)
    results, options = {}, []
    if {*SHARED_PARTS, "profile"} & {*asked.parts}:
        targets, loaded, folder, options = start_shared(asked, plan, work, stack, tidegate)
        if "qps" in asked.parts:
            say("-- point select over TLS")
            results["qps"] = measure.qps(targets, loaded, plan, folder)
        if "conn" in asked.parts:
            say("-- new connections")
            results["conn"] = measure.connect(client, targets, plan)
        if "profile" in asked.parts:
            import profiling
            profiling.profile(targets, loaded, folder, work)
        if tidegate:
            tidegate.sleep("bench")
    for part in GATEWAY_PARTS + BY_NAME:
        if part in asked.parts and tidegate:
            say(f"-- {part}")
            if part == "leg":
                results[part] = leg.compare(tidegate, plan, work)
                continue
            if part == "sleepers":
                results[part] = sleepers.measure(client, asked.tidegate, plan, work, stack)
                continue
            results[part] = getattr(gateway, part)(client, tidegate, plan)
    return results, options


def main():
    asked = arguments()
    plan = QUICK if asked.quick else Plan()
    raise_descriptor_limit()
    # Takes the same exit as everything else, so that nothing is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    program = None if "tidegate" in asked.without else asked.tidegate
    about = report.about(ROOT, plan, versions(program, asked.oracle), [])
    began = time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            results, options = carry_out(asked, plan, stack)
    except BenchError as error:
        say(f"error: {error}")
        return 1
    if not results:
        return 0
    about |= {"seconds": round(time.monotonic() - began), "options": report.shareable(options)}
    print(report.text(results, about))
    whole = {*asked.parts} >= {*SHARED_PARTS, *GATEWAY_PARTS} and not asked.quick and not asked.without
    out = asked.out or (ROOT / "bench" / "results" if whole else None)
    if out:
        say(f"written: {report.write(results, about, out)}.md and .json")
    else:
        say("not kept: only a full run writes into bench/results (or use --out DIR)")
    return 0


if __name__ == "__main__":
    # Python's cache would be written into the repository.
    sys.dont_write_bytecode = True
    os.environ["LC_ALL"] = "C.UTF-8"
    sys.exit(main())
