#!/usr/bin/env python3
"""How pools of idle connections treat a cluster that may sleep. Prints a table: wakes, minutes awake, errors.

    bench/pools/run.py [--minutes 60] [--sleep-after 300] [--every 30] [--binary target/release/tidegate]

Each case has its own cluster and a pool of three connections; all run at the same time. `idle` uses no connection, a
ping sends COM_PING on one of them every `--every` seconds, a test query SELECT 1. HikariCP pings all its connections by
itself. At the end each case sends one query, as an application does after the idle time; its wake is not counted.
Needs the clients of script/setup, and Go.
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
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLIENTS = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate/clients"
HIKARI_JARS = CLIENTS / "java/spring-boot"

# Pool, what it does, its arguments, and whether a ping keeps the cluster awake.
CASES = [
    ("HikariCP", "default (`keepaliveTime` 2 min)", ["idle"], False),
    ("HikariCP", "default, `ping_holds`", ["idle"], True),
    ("HikariCP", "`keepaliveTime` 30 s", ["idle", "keepaliveTime=30000"], False),
    ("HikariCP", "`keepaliveTime` 0", ["idle", "keepaliveTime=0"], False),
    ("HikariCP", "`minimumIdle` 0, `idleTimeout` 1 min", ["idle", "minimumIdle=0", "idleTimeout=60000"], False),
    ("HikariCP", "test query", ["query"], False),
    ("Go", "idle", ["idle", "0s"], False),
    ("Go", "idle, `SetConnMaxIdleTime` 1 min", ["idle", "1m"], False),
    ("Go", "pings", ["ping", "0s"], False),
    ("Go", "pings, `ping_holds`", ["ping", "0s"], True),
    ("Go", "test query", ["query", "0s"], False),
    ("SQLAlchemy", "idle", ["idle", "{}"], False),
    ("SQLAlchemy", "idle, `pool_pre_ping`", ["idle", '{"pool_pre_ping": true}'], False),
    ("SQLAlchemy", "idle, `pool_recycle` 4 min", ["idle", '{"pool_recycle": 240}'], False),
    ("SQLAlchemy", "pings", ["ping", "{}"], False),
    ("SQLAlchemy", "pings, `ping_holds`", ["ping", "{}"], True),
    ("SQLAlchemy", "test query", ["query", "{}"], False),
    ("mysql2", "idle", ["idle"], False),
    ("mysql2", "idle, `maxIdle` 0, `idleTimeout` 1 min", ["idle", '{"maxIdle": 0, "idleTimeout": 60000}'], False),
    ("mysql2", "pings", ["ping"], False),
    ("mysql2", "pings, `ping_holds`", ["ping"], True),
    ("mysql2", "test query", ["query"], False),
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
        self.log = Path(folder, "out")
        Path(folder, "tidegate.toml").write_text(f'[cluster]\nsleep_after = "{sleep_after}s"\n')
        listen = f"127.0.0.1:{self.port}"
        flags = ["serve", "--listen", listen, "--console", f"127.0.0.1:{free_port()}"]
        with open(self.log, "w") as out:
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


@dataclass
class Pool:
    """One case while it runs. Its times are in seconds since 1970."""

    label: str
    process: subprocess.Popen
    out: Path
    start: float
    wakes: int = 0
    awake: float = 0.0
    ended: int = 0
    since: float = field(default=0.0)


def commands(work):
    """Builds the programs, and returns the command line of each kind of pool."""
    program = Path(work, "go")
    program.mkdir()
    for file in (HERE / "go/main.go", ROOT / "tests/clients/go/go.mod", ROOT / "tests/clients/go/go.sum"):
        (program / file.name).write_bytes(file.read_bytes())
    go = dict(os.environ, GOPROXY="off", GOFLAGS="-mod=mod", GOTOOLCHAIN="local")
    subprocess.run(["go", "build", "-o", "pool", "."], cwd=program, env=go, check=True)
    java = ["javac", "-cp", f"{HIKARI_JARS}/*", "-d", str(work), str(HERE / "HikariPool.java")]
    subprocess.run(java, check=True)
    return {
        "HikariCP": ["java", "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", f"{HIKARI_JARS}/*:{work}", "HikariPool"],
        "Go": [str(program / "pool")],
        "SQLAlchemy": [str(CLIENTS / "python/bin/python"), str(HERE / "sqlalchemy_pool.py")],
        "mysql2": ["node", str(HERE / "mysql2_pool.js")],
    }


def start_pool(server, case, name, command, options):
    kind, what, rest, holds = case
    made = server.ask("cluster", "create", name)
    if holds:
        server.ask("cluster", "set", name, "--ping-holds", "on")
    env = dict(os.environ, TG_USER=made["user"], TG_PASSWORD=made["password"], TG_PORT=str(server.port),
               TG_CA=made["ca"], TG_EVERY=str(options.every), NODE_PATH=str(CLIENTS / "node/node_modules"))
    if kind == "HikariCP":
        store = Path(server.log.parent, "trust.p12")
        if not store.exists():
            subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "tidegate", "-file", made["ca"], "-keystore",
                            store, "-storetype", "PKCS12", "-storepass", "changeit"], check=True, capture_output=True)
        env["TG_STORE"] = str(store)
    line = [*command, str(options.minutes * 60), *rest]
    out = Path(server.log.parent, f"{name}.out")
    # One after the other, and again if a handshake took too long on a busy machine.
    for _ in range(3):
        with open(out, "w") as file:
            process = subprocess.Popen(line, env=env, stdout=file, stderr=file)
        while process.poll() is None and "filled" not in out.read_text().splitlines():
            time.sleep(0.1)
        if process.poll() is None:
            return Pool(f"{kind}, {what}", process, out, time.time())
    raise SystemExit(f"error: {kind}, {what}: {out.read_text()[-2000:]}")


def read_log(server, pools, seconds):
    """Counts the wakes, the time awake and the sessions that a sleep ended, of each case until its last query."""
    for line in server.log.read_text().splitlines():
        entry = json.loads(line)
        fields = entry["fields"]
        # The clusters of a new server are numbered in the order of their creation.
        pool = pools.get(f"pool-{fields.get('cluster')}")
        if pool is None or fields["message"] not in ("engine started", "engine asleep"):
            continue
        at = datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00")).timestamp()
        end = pool.start + seconds
        if fields["message"] == "engine started" and at < end:
            pool.wakes += 1
            pool.since = at
        elif fields["message"] == "engine asleep" and pool.since:
            pool.awake += min(at, end) - pool.since
            pool.ended += fields["sessions_evicted"] if at < end else 0
            pool.since = 0.0
    for pool in pools.values():
        pool.awake += pool.start + seconds - pool.since if pool.since else 0


def table(pools):
    yield "| pool | wakes | minutes awake | sessions ended with 4031 | errors at the application |"
    yield "| --- | --- | --- | --- | --- |"
    for pool in pools.values():
        # HikariCP's log comes before.
        last = pool.out.read_text().splitlines()[-1]
        errors = json.loads(last) if pool.process.returncode == 0 else {last: 1}
        text = ", ".join(f"{count} x {code}" for code, count in errors.items()) or "none"
        yield f"| {pool.label} | {pool.wakes} | {pool.awake / 60:.1f} | {pool.ended} | {text} |"


def measure(options, folder, work):
    os.chmod(folder, 0o711)
    programs = commands(work)
    server = Server(options.binary, folder, options.sleep_after)
    pools = {}
    try:
        server.wait_ready()
        for number, case in enumerate(CASES, 1):
            name = f"pool-{number}"
            pools[name] = start_pool(server, case, name, programs[case[0]], options)
        for pool in pools.values():
            pool.process.wait(options.minutes * 60 + 600)
        read_log(server, pools, options.minutes * 60)
        print("\n".join(table(pools)))
    finally:
        for pool in pools.values():
            pool.process.kill()
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--sleep-after", type=int, default=300, help="seconds")
    parser.add_argument("--every", type=float, default=30, help="seconds between two pings or queries")
    parser.add_argument("--binary", default=str(ROOT / "target/release/tidegate"))
    options = parser.parse_args()
    # The server's folder is its own: a data directory with other files is refused.
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as work:
        measure(options, folder, work)


if __name__ == "__main__":
    main()
