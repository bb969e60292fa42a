"""Measures what TLS between gateway and engine costs: one cluster, one engine, two accounts, one with REQUIRE SSL."""

import shutil
from dataclasses import replace

from figures import median
from measure import one_qps, rotated
from proc import BenchError, run, say
from targets import load, make_certificates, start_tidegate_target

THREADS = (8, 32)
PASSWORD = "leg-bench"
CIPHER = "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'SSL_CIPHER'"


def sql(target, text):
    """Runs SQL with the client that the machine has, over verified TLS."""
    argv = ["mariadb", "--no-defaults", "-N", "-h", target.host, "-P", str(target.port), "-u", target.user,
            f"-p{target.password}", f"--ssl-ca={target.ca}", "--ssl-verify-server-cert", "-D", target.database]
    return run([*argv, "-e", text]).strip()


def make_accounts(root):
    """Returns two targets that differ in the account's requirement only."""
    prefix = root.user.partition(".")[0]
    out = {}
    for name, requires in (("plain", "NONE"), ("tls", "SSL")):
        sql(root, f"CREATE USER leg_{name} IDENTIFIED BY '{PASSWORD}' REQUIRE {requires};"
                  f"GRANT ALL ON {root.database}.* TO leg_{name}")
        out[name] = replace(root, label=name, user=f"{prefix}.leg_{name}", password=PASSWORD)
    seen = {name: sql(target, CIPHER) for name, target in out.items()}
    if seen["plain"] or not seen["tls"]:
        raise BenchError(f"the accounts do not have the connections that are compared: {seen}")
    return out


def compare(tidegate, plan, work):
    root = start_tidegate_target(tidegate)
    accounts = make_accounts(root)
    folder = work / "leg"
    folder.mkdir()
    # sysbench requires a client certificate, which the gateway does not ask for.
    tls = work / "leg-tls"
    make_certificates(tls)
    for name, source in (("client-cert.pem", "client.pem"), ("client-key.pem", "client.key")):
        shutil.copy(tls / source, folder / name)
    (folder / "cacert.pem").write_text(root.ca.read_text())
    argv = {"plain": load(accounts["plain"], plan.tables, plan.rows, folder)}
    was = f"--mysql-user={accounts['plain'].user}"
    argv["tls"] = [a.replace(was, f"--mysql-user={accounts['tls'].user}") for a in argv["plain"]]
    for name, target in accounts.items():
        one_qps(target, argv[name], 8, plan.warm_seconds, folder)
    out = {}
    for threads in THREADS:
        taken = {"plain": [], "tls": []}
        # Pairs of neighbouring runs, in turns: what slows the machine down slows both.
        for turn in range(plan.rounds * 2):
            for name in rotated(["plain", "tls"], turn):
                taken[name].append(one_qps(accounts[name], argv[name], threads, plan.qps_seconds, folder))
            pair = {name: rounds[-1] for name, rounds in taken.items()}
            say(f"  {threads:2} threads, pair {turn + 1}: plain {pair['plain']['qps']:.0f}, TLS {pair['tls']['qps']:.0f} queries/s, "
                f"ratio {pair['tls']['qps'] / pair['plain']['qps']:.3f}")
        ratios = [tls["qps"] / plain["qps"] for plain, tls in zip(taken["plain"], taken["tls"], strict=True)]
        out[threads] = {"ratio": median(ratios), "low": min(ratios), "high": max(ratios)} | {
            name: {key: median([r[key] for r in rounds]) for key in ("qps", "p95_ms", "proxy_cpu_us", "engine_cpu_us")}
            for name, rounds in taken.items()}
    tidegate.sleep("bench")
    return out
