"""Writes the table for people and the JSON for programs. Describes the machine by its parts, never by name or path."""

import json
import os
import platform
import re
import time
from pathlib import Path

from figures import distance_rows, rows
from proc import run

# The meaning of the figures, printed beside the tables.
NOTES = """Compare ratios: all targets ran in one run on one machine with the same engine options and the same client, in
turns, and each figure is the median of its rounds. Client, proxy and engine share the cores. CPU is user and
system time of the process from `/proc`, divided by queries or connections. *Direct* and *HAProxy* are the same engine
with the TLS of MariaDB itself (OpenSSL, a P-256 certificate of the same chain); HAProxy passes TLS through unopened. *Router*
is MySQL Router with one static route: it terminates TLS and connects to the same engine over the loopback in plaintext.
*Bare* terminates TLS with rustls in front of the same engine's Unix socket and copies bytes, nothing else (`bench/bare`).
sysbench uses libmariadb with OpenSSL; the lean client in `bench/client` (rustls, full handshakes, X25519) measures new
connections, wakes and refusals."""


def machine():
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    try:
        system = re.search(r'PRETTY_NAME="(.*)"', Path("/etc/os-release").read_text())[1]
    except (OSError, TypeError):
        system = "unknown"
    return {"cpu": cpu[1] if cpu else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "memory_gb": round(memory), "system": system, "kernel": platform.release().split("-")[0],
            "load_before": round(os.getloadavg()[0], 2)}


def commit(root):
    short = run(["git", "-C", str(root), "rev-parse", "--short", "HEAD"]).strip()
    # Changes of tests, pages and results do not affect the measurement.
    dirty = run(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no", "--", "crates", "Cargo.toml",
                 "Cargo.lock", "bench/client", "bench/bare"]).strip()
    return short, bool(dirty)


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(out + ["| " + " | ".join(str(c) for c in line) + " |" for line in lines])


def targets_table(results):
    return table(["target of the first issue", "measured", "target", "met"],
                 [[r["what"], r["text"], r["target"], "pass" if r["met"] else "**miss**"] for r in rows(results)])


def distance_table(results):
    return table(["Tidegate beside the bare relay", "rate, of the bare relay's", "CPU more each, us"],
                 [[r["what"], f"{r['rate']:.2f}", f"{r['cpu']:.1f}"] for r in distance_rows(results)])


def cell(figures, key, places=1):
    return f"{figures[key]:.{places}f}" if key in figures else "-"


def shares(by, key):
    base = by.get("direct", {}).get(key)
    return {label: f"{figures[key] / base:.2f}" if base else "-" for label, figures in by.items()}


def qps_table(found):
    lines = []
    for threads, by in found.items():
        of_direct = shares(by, "qps")
        for label, f in by.items():
            lines.append([threads, label, f"{f['qps']:.0f}", f"{f['low']:.0f}-{f['high']:.0f}", of_direct[label],
                          cell(f, "p95_ms", 2), cell(f, "proxy_cpu_us"), cell(f, "engine_cpu_us")])
    return table(["threads", "target", "queries/s", "rounds", "of direct", "p95 ms", "proxy CPU us/query",
                  "engine CPU us/query"], lines)


def connect_table(found):
    lines = []
    for threads, by in found.items():
        if threads == "tls":
            continue
        of_direct = shares(by, "per_second")
        for label, f in by.items():
            lines.append([threads, label, f"{f['per_second']:.0f}", f"{f['low']:.0f}-{f['high']:.0f}", of_direct[label],
                          cell(f, "median_ms", 2), cell(f, "p95_ms", 2), cell(f, "proxy_cpu_us", 0),
                          cell(f, "engine_cpu_us", 0)])
    agreed = "; ".join(f"{label}: {tls}" for label, tls in found["tls"].items())
    return table(["threads", "target", "new connections/s", "rounds", "of direct", "median ms", "p95 ms",
                  "proxy CPU us", "engine CPU us"], lines) + f"\n\nAgreed: {agreed}."


def gateway_tables(results):
    out = []
    if "idle" in results:
        found = results["idle"]
        each = ", ".join(f"{name.upper()} {kb:.1f} KB" for name, kb in found["kb_each"].items())
        out.append(f"## Memory of idle sessions\n\n{found['sessions']} TLS sessions over {found['clusters']} clusters, "
                   f"each having fetched 16 KB once: {each} each (growth of the gateway's process).\n\n" +
                   table(["gateway process", "RSS KB", "PSS KB"],
                         [[when, found[key]["rss"], found[key]["pss"]] for when, key in
                          (("before", "before_kb"), ("with all sessions", "during_kb"), ("after they left", "after_kb"))]))
    lines = [[what, f["count"], *(f"{f[k]:.0f}" for k in ("p50", "p95", "p99", "max"))] for what, f in
             (("wake: TCP connect to first row, cluster asleep", results.get("wake")),
              ("of it from the password sent to the login's OK", results.get("wake", {}).get("verdict")),
              ("of it the engine's start, by the server's log", results.get("wake", {}).get("engine")),
              ("create: request to first row", results.get("create"))) if f]
    if lines:
        out.append("## Waking and creating\n\n" + table(["ms", "runs", "p50", "p95", "p99", "max"], lines))
    if "leg" in results:
        lines = []
        for threads, found in results["leg"].items():
            for name in ("plain", "tls"):
                f = found[name]
                lines.append([threads, name, f"{f['qps']:.0f}", cell(f, "p95_ms", 2), cell(f, "proxy_cpu_us"),
                              cell(f, "engine_cpu_us")])
            lines.append([threads, "ratio", f"{found['ratio']:.3f}", f"{found['low']:.3f}-{found['high']:.3f}", "", ""])
        out.append("## TLS between gateway and engine\n\nPoint selects of two accounts of one cluster, in neighbouring runs; the "
                   "ratio is the median of the pairs, beside it the lowest and the highest.\n\n" +
                   table(["threads", "connection to the engine", "queries/s", "p95 ms", "gateway CPU us/query",
                          "engine CPU us/query"], lines))
    if "sleepers" in results:
        out.append(sleepers_text(results["sleepers"]))
    if "login" in results:
        lines = []
        for state, found in results["login"].items():
            lines += [[state, kind, k["count"], *(f"{k[p]:.3f}" for p in ("median", "p95", "p99", "by_chance")),
                       " ".join(k["codes"])] for kind, k in found["kinds"].items()]
            lines.append([state, "farthest apart", "", f"{found['median_apart']:.3f}", f"{found['p95_apart']:.3f}", "",
                          "", ""])
        out.append("## How long a wrong login takes\n\nFrom sending the credential to reading the answer, in ms. *By chance* is how far "
                   "the medians of two halves of the same kind lie apart.\n\n" +
                   table(["cluster", "login", "logins", "median", "p95", "p99", "by chance", "codes"], lines))
    return out


def sleepers_text(found):
    start, memory, wake, disk = (found[key] for key in ("start_ms", "memory_kb", "wake_ms", "disk_kb"))
    count, few = found["clusters"], found["few"]
    lines = [["resident memory once ready, MB"] + [f"{memory[n]['rss'] / 1024:.1f}" for n in ("few", "many")] + ["150"],
             ["resident memory after pages and wakes, MB", "", f"{memory['many_after']['rss'] / 1024:.1f}", "150"],
             ["start to ready, p50 ms"] + [f"{start[n]['p50']:.0f}" for n in ("few", "many")] + ["1000"],
             *([f"page of {rows} clusters by the API, p50 / p99 ms", "", f"{ms['p50']:.1f} / {ms['p99']:.1f}", "50"]
               for rows, ms in found["page_ms"].items()),
             ["wake, p50 ms"] + [f"{wake[n]['p50']:.1f}" for n in ("few", "many")] + [f"{wake['few']['p50'] + 5:.1f}"],
             ["wake, p95 ms"] + [f"{wake[n]['p95']:.1f}" for n in ("few", "many")] + [""]]
    return (f"## Sleeping clusters\n\n{count} clusters sleep, {found['real']} of them real; the others are rows of the store and "
            f"empty folders, because a real one takes {disk['new'] / 1024:.1f} MB of disk, and {disk['used'] / 1024:.1f} MB once "
            f"it has run (sparse copies of a template, {'with' if found['reflinks'] else 'without'} reflinks). Starts and wakes of the two "
            "servers in turns, wakes of real clusters.\n\n" +
            table(["figure", f"{few} clusters", f"{count} clusters", "at most"], lines))


def text(results, about):
    m, v = about["machine"], about["versions"]
    dirty = " with uncommitted changes" if about["uncommitted"] else ""
    head = (f"# Measured {about['date']}, commit {about['commit']}{dirty}\n\n"
            f"{m['cores']} cores ({m['cpu']}), {m['memory_gb']} GB, {m['system']}, Linux {m['kernel']}, load "
            f"{m['load_before']} when it began; took {about['seconds']} s"
            f"{', a quick run: it shows that everything works, not how fast it is' if about['quick'] else ''}.\n"
            f"{v['tidegate']}, MariaDB {v['mariadb']}, {v['haproxy']}, {v['router']}, {v['sysbench']}, {v['rustc']}.")
    parts = [head] if set(results) == {"sleepers"} else [head, NOTES]
    if rows(results):
        parts.append("## Targets\n\n" + targets_table(results))
    if distance_rows(results):
        parts.append("## Difference to the bare relay\n\n" + distance_table(results))
    if "qps" in results:
        parts.append(f"## Point select over TLS\n\nsysbench, {about['rows']} rows, median of {about['rounds']} round(s).\n\n" +
                     qps_table(results["qps"]))
    if "conn" in results:
        parts.append("## New connections\n\nTCP, TLS, login, one query, goodbye.\n\n" + connect_table(results["conn"]))
    parts += gateway_tables(results)
    if about.get("options"):
        parts.append("## Engine options\n\nTaken from the engine that Tidegate started and given to the direct one:\n\n```\n" +
                     "\n".join(about["options"]) + "\n```")
    return "\n\n".join(parts) + "\n"


def write(results, about, folder):
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{about['date']}-{about['commit']}" + ("-sleepers" if set(results) == {"sleepers"} else "")
    (folder / f"{name}.md").write_text(text(results, about))
    (folder / f"{name}.json").write_text(json.dumps({"about": about, "targets": rows(results), "results": results},
                                                    indent=1) + "\n")
    return name


def about(root, plan, versions, options):
    short, dirty = commit(root)
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": short, "uncommitted": dirty,
            "machine": machine(), "versions": versions, "quick": plan.quick, "rounds": plan.rounds,
            "rows": f"{plan.tables} x {plan.rows}", "options": shareable(options)}


def shareable(options):
    """Removes options that contain paths of this machine."""
    return sorted(o for o in options if not re.search(r"=/", o))
