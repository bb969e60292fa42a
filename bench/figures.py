"""Arithmetic of the results: medians, percentiles, and whether a target was met. Never measures."""

import math
import statistics

# Refusals whose times differ by less than this take the same time: half a hundredth of the 200 ms of every refusal.
VERDICT_APART_MS = 1.0


def median(values):
    return statistics.median(values)


def percentile(values, per_cent):
    """Returns the value that this share of all values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * per_cent / 100) - 1)]


def spread(values):
    return {"count": len(values), "p50": median(values), "p95": percentile(values, 95),
            "p99": percentile(values, 99), "max": max(values)}


def row(what, got, wanted, unit="", most=False):
    """Returns one line of the table. With `most`, less is better."""
    met = got <= wanted if most else got >= wanted
    sign = "at most" if most else "at least"
    places = 0 if isinstance(wanted, int) and isinstance(got, int) or wanted >= 100 else 2 if wanted < 10 else 1
    return {"what": what, "got": got, "wanted": wanted, "met": met,
            "text": f"{got:.{places}f}{unit}", "target": f"{sign} {wanted:.{places}f}{unit}"}


def qps_rows(results):
    out = []
    for threads, share in (("8", 0.56), ("32", 0.75)):
        by = results["qps"][threads]
        if {"direct", "haproxy", "tidegate"} <= by.keys():
            ours, direct, haproxy = by["tidegate"], by["direct"], by["haproxy"]
            out += [row(f"throughput, {threads} threads, of direct TLS", ours["qps"] / direct["qps"], share),
                    row(f"throughput, {threads} threads, of HAProxy", ours["qps"] / haproxy["qps"], 1.0),
                    row(f"gateway CPU per query, {threads} threads, of HAProxy's",
                        ours["proxy_cpu_us"] / haproxy["proxy_cpu_us"], 1.0, most=True)]
        if {"router", "tidegate"} <= by.keys():
            out.append(row(f"throughput, {threads} threads, of MySQL Router", by["tidegate"]["qps"] / by["router"]["qps"],
                           1.3))
    by = results["qps"]["1"]
    if {"haproxy", "tidegate"} <= by.keys():
        # One thread sends the next query as soon as it has its answer: its mean latency is one divided by its throughput.
        out.append(row("latency of one session, of HAProxy's", by["haproxy"]["qps"] / by["tidegate"]["qps"], 1.0,
                       most=True))
    return out


def connect_rows(results):
    return [row(f"new connections, {n} thread{'s' if n != '1' else ''}, of direct TLS",
                results["conn"][n]["tidegate"]["per_second"] / results["conn"][n]["direct"]["per_second"], 1.4)
            for n in ("1", "8") if {"direct", "tidegate"} <= results["conn"][n].keys()]


def distance_rows(results):
    """Returns the difference from the bare relay. There is no target for it."""
    out = []
    for part, key, of in (("qps", "qps", "point selects"), ("conn", "per_second", "new connections")):
        for threads, by in results.get(part, {}).items():
            if threads != "tls" and {"bare", "tidegate"} <= by.keys():
                out.append({"what": f"{of}, {threads} thread{'s' if threads != '1' else ''}",
                            "rate": by["tidegate"][key] / by["bare"][key],
                            "cpu": by["tidegate"]["proxy_cpu_us"] - by["bare"]["proxy_cpu_us"]})
    return out


def login_rows(results):
    out = []
    for state, got in results["login"].items():
        out.append(row(f"verdicts apart, {state} (medians of 3 kinds)", got["median_apart"], VERDICT_APART_MS, " ms",
                       most=True))
        out.append(row(f"different error codes, {state}", len(got["codes"]), 1, most=True))
    woken = 0 if results["login"]["asleep"]["state_after"] == "asleep" else 1
    out.append(row("engines woken by wrong logins", woken, 0, most=True))
    return out


def rows(results):
    """Returns every target of the first issue for which this run has figures."""
    out = []
    if "qps" in results:
        out += qps_rows(results)
    if "conn" in results:
        out += connect_rows(results)
    if "idle" in results:
        out.append(row("memory per idle TLS session", results["idle"]["kb_each"]["pss"], 16, " KB", most=True))
    if "wake" in results:
        out.append(row("wake, p50", results["wake"]["p50"], 120, " ms", most=True))
        out.append(row("wake, p99", results["wake"]["p99"], 300, " ms", most=True))
    if "create" in results:
        out.append(row("create to first row, p50", results["create"]["p50"], 250, " ms", most=True))
    if "login" in results:
        out += login_rows(results)
    return out
