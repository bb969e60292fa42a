#!/usr/bin/env python3
"""How pools of idle connections treat a cluster that may sleep. Prints a table: wakes, minutes awake, errors.

    bench/pools/run.py [--minutes 60] [--sleep-after 300] [--every 30] [--binary target/release/tidegate]

Each case has its own cluster and a pool of three connections. `idle` uses no connection, `ping` sends COM_PING every
`--every` seconds and `query` SELECT 1. At the end each sends one query, as an application does after the idle time.
Needs the clients of script/setup (SQLAlchemy, mysql2).
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLIENTS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate/clients"
PYTHON = [str(CLIENTS / "python/bin/python"), str(HERE / "sqlalchemy_pool.py")]
NODE = ["node", str(HERE / "mysql2_pool.js")]

CASES = [
    ("SQLAlchemy, idle", PYTHON, ["idle", "plain"], False),
    ("SQLAlchemy, idle, `pool_pre_ping`", PYTHON, ["idle", "checked"], False),
    ("SQLAlchemy, pings", PYTHON, ["ping", "plain"], False),
    ("SQLAlchemy, pings, `ping_holds`", PYTHON, ["ping", "plain"], True),
    ("SQLAlchemy, test query", PYTHON, ["query", "plain"], False),
    ("mysql2, idle", NODE, ["idle"], False),
    ("mysql2, pings", NODE, ["ping"], False),
    ("mysql2, pings, `ping_holds`", NODE, ["ping"], True),
    ("mysql2, test query", NODE, ["query"], False),
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A new server in a temporary folder."""

    def __init__(self, binary, folder, sleep_after):
        self.base = [binary, "--data", folder]
        self.port = free_port()
        Path(folder, "tidegate.toml").write_text(f'[cluster]\nsleep_after = "{sleep_after}s"\n')
        listen = f"127.0.0.1:{self.port}"
        flags = ["serve", "--listen", listen, "--console", f"127.0.0.1:{free_port()}"]
        with open(Path(folder, "out"), "w") as out:
            self.process = subprocess.Popen(self.base + flags, stdout=out, stderr=out)

    def ask(self, *args):
        done = subprocess.run([*self.base, *args, "--json"], capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def wait_ready(self):
        for _ in range(600):
            with contextlib.suppress(subprocess.CalledProcessError):
                return self.ask("cluster", "list")
            time.sleep(0.2)
        raise SystemExit("the server is not ready")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def watch(server, cases, seconds):
    """Counts wakes and the time awake of each cluster, by its state in each second."""
    seen = {name: {"wakes": 0, "awake": 0.0, "before": "asleep"} for name in cases}
    end = time.monotonic() + seconds
    last = time.monotonic()
    while time.monotonic() < end:
        now = time.monotonic()
        for cluster in server.ask("cluster", "list"):
            one = seen[cluster["name"]]
            up = cluster["state"] != "asleep"
            one["awake"] += (now - last) if up else 0
            one["wakes"] += up and one["before"] == "asleep"
            one["before"] = cluster["state"]
        last = now
        time.sleep(1)
    return seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--sleep-after", type=int, default=300, help="seconds")
    parser.add_argument("--every", type=float, default=30, help="seconds between two pings or queries")
    parser.add_argument("--binary", default=str(HERE.parents[1] / "target/release/tidegate"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)
        server = Server(args.binary, folder, args.sleep_after)
        try:
            server.wait_ready()
            pools = {}
            for number, (label, command, rest, holds) in enumerate(CASES):
                name = f"pool-{number}"
                made = server.ask("cluster", "create", name)
                if holds:
                    server.ask("cluster", "set", name, "--ping-holds", "on")
                env = dict(os.environ, TG_USER=made["user"], TG_PASSWORD=made["password"], TG_PORT=str(server.port),
                           TG_CA=made["ca"], TG_EVERY=str(args.every), NODE_PATH=str(CLIENTS / "node/node_modules"))
                line = [*command, str(args.minutes * 60), *rest]
                pools[name] = (label, subprocess.Popen(line, env=env, stdout=subprocess.PIPE, text=True))
            seen = watch(server, pools, args.minutes * 60)
            print("| pool | wakes | minutes awake | errors that the application saw |\n| --- | --- | --- | --- |")
            for name, (label, pool) in pools.items():
                out, _ = pool.communicate(timeout=120)
                errors = json.loads(out or "{}")
                text = ", ".join(f"{count} x {code}" for code, count in errors.items()) or "none"
                print(f"| {label} | {seen[name]['wakes']} | {seen[name]['awake'] / 60:.1f} | {text} |")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
