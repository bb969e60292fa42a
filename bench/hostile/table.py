"""The table of the hostile run, and whether each promise was kept."""

from report import table

P99_TIMES_MAX = 3
SERVER_MB_MAX = 200


def idle_attacks(results):
    """Returns the attacks of which not one was carried out: with such a one, a run has not shown what it says."""
    done = results["attack"]["attacks"]["done"]
    return sorted(name for name in results["asked"] if not done.get(name))


def verdicts(results):
    """Each promise with what was measured; `met` decides the exit code."""
    quiet, attack = results["dummy"]["good"], results["attack"]["good"]
    failed = sum(attack["failures"].values())
    ratio = attack["queries"]["p99"] / max(1, quiet["queries"]["p99"])
    memory = results["attack"]["server_mb"]["resident"]
    idle = idle_attacks(results)
    return [
        {"what": "failed queries and logins of good clients", "text": str(failed), "target": "0", "met": failed == 0},
        {"what": "p99 of good queries, of that beside the dummy port", "text": f"{ratio:.2f}",
         "target": f"at most {P99_TIMES_MAX}", "met": ratio <= P99_TIMES_MAX},
        {"what": "resident memory of the server at its largest", "text": f"{memory:.0f} MB",
         "target": f"under {SERVER_MB_MAX} MB", "met": memory < SERVER_MB_MAX},
        {"what": "attacks that never got through their first step", "text": ", ".join(idle) or "none", "target": "none",
         "met": not idle},
        {"what": "the server lives", "text": "yes" if results["alive"] else "no", "target": "yes", "met": results["alive"]},
    ]


def line(when, what, t):
    return [when, what, t["count"], *(f"{t[key] / 1e3:.2f}" for key in ("p50", "p95", "p99", "max"))]


def text(results, found, about):
    m = about["machine"]
    dirty = " with uncommitted changes" if about["uncommitted"] else ""
    parts = [
        f"# Hostile run, {about['date']}, commit {about['commit']}{dirty}\n\n"
        f"{m['cores']} cores ({m['cpu']}), {m['memory_gb']} GB, {m['system']}, Linux {m['kernel']}; {about['tidegate']}.\n"
        f"50 good clients on 10 clusters ask a point select about every 60 ms, while attackers, limited to "
        f"{results['limited']}, flood, guess, fill and stall for {about['minutes']:g} minutes. The measuring program has "
        f"priority over all of them. *Beside the dummy port* the same "
        "attackers meet a port that accepts and says nothing. Clients, attackers, engines and server share the cores.",
        "## Promises\n\n" + table(["promise", "measured", "target", "kept"],
                                  [[v["what"], v["text"], v["target"], "yes" if v["met"] else "**no**"] for v in found]),
        "## Good clients, in ms\n\n" + table(
            ["beside", "what", "count", "p50", "p95", "p99", "max"],
            [line(when, what, results[key]["good"][what]) for key, when in (("dummy", "the dummy port"), ("attack", "the attack"))
             for what in ("queries", "logins")]),
    ]
    failures = results["attack"]["good"]["failures"]
    if failures:
        parts.append("Failures of good clients:\n\n" + table(["what", "times"], sorted(failures.items(), key=lambda f: -f[1])))
    attacks = results["attack"]["attacks"]
    rows = [[name, done, "; ".join(f"{what} ({n})" for what, n in list(attacks["errors"].get(name, {}).items())[:3])]
            for name, done in sorted(attacks["done"].items())]
    rows += [[name, 0, "; ".join(f"{what} ({n})" for what, n in list(errors.items())[:3])]
             for name, errors in sorted(attacks["errors"].items()) if name not in attacks["done"]]
    parts.append("## Attacks\n\n" + table(["attack", "times", "what the attackers met most"], rows))
    server = results["attack"]["server_mb"]
    parts.append(f"The server's memory at its largest: {server['anonymous']:.0f} MB anonymous, {server['resident']:.0f} MB "
                 f"resident; {results['log_lines']} lines in its log; a hostile engine was frozen {results['attack']['frozen']} "
                 "times.")
    return "\n\n".join(parts) + "\n"
