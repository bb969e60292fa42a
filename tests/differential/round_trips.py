#!/usr/bin/env python3
"""Measures how many round trips each family of clients needs to log in, directly and through the gateway.

tests/differential/round_trips.py [--delay MILLISECONDS]

A relay between client and server delays each direction by half of the delay, counts how often the client speaks after the
server did, and measures the time from the first to the last byte. Prints a table for docs/decisions/0003-greeting.md.
Each client is run twice on each side, so that a cluster that had to wake is not measured.
"""

import argparse
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import programs  # noqa: E402
from dumps import login, plugin_folder  # noqa: E402
from servers import HOST, Pair, binary  # noqa: E402

CLIENT_SECONDS = 60
RUNS = 5
# The longest alert of TLS. The gateway answers the client's close_notify, MariaDB does not; nobody waits for it.
ALERT_BYTES = 31
CACHE = programs.CACHE
PHP = """$c = mysqli_init(); mysqli_real_connect($c, getenv('TG_HOST'), getenv('TG_USER'), getenv('TG_PASSWORD'), '', (int) getenv('TG_PORT'),
null, MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT) or exit(1); mysqli_close($c);"""
PERL = """use DBI; DBI->connect("DBI:MariaDB:host=$ENV{TG_HOST};port=$ENV{TG_PORT};mariadb_ssl=1;mariadb_ssl_ca_file=$ENV{TG_CA}", $ENV{TG_USER}, $ENV{TG_PASSWORD},
{RaiseError => 1})->disconnect"""


class Relay:
    """Accepts connections on a port and forwards them, delayed, to a server's port."""

    def __init__(self, port, delay):
        self.port_behind, self.half, self.log = port, delay / 2, []
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection((HOST, self.port_behind))
            for a, b, name in ((client, server, "client"), (server, client, "server")):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                waiting = queue.Queue()
                threading.Thread(target=self._read, args=(a, waiting, name), daemon=True).start()
                threading.Thread(target=self._write, args=(b, waiting), daemon=True).start()

    def _read(self, source, waiting, name):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            now = time.monotonic()
            if data:
                self.log.append((now, name, len(data)))
            waiting.put((now + self.half, data))
            if not data:
                return

    def _write(self, target, waiting):
        while True:
            when, data = waiting.get()
            time.sleep(max(0.0, when - time.monotonic()))
            try:
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
            except OSError:
                return

    def measured(self):
        """Returns how often the client waited for the server, and the milliseconds up to the server's last byte."""
        log, self.log = self.log, []
        last = max((i for i, (_, name, size) in enumerate(log) if name == "server" and size > ALERT_BYTES), default=0)
        log = log[: last + 1]
        waits = sum(1 for (_, a, _), (_, b, _) in zip(log, log[1:]) if (a, b) == ("client", "server"))
        return waits, (log[-1][0] - log[0][0]) * 1000 if log else 0


def clients(work, sides):
    options = {name: login(side, work) for name, side in sides.items()}
    go = programs.build_go(work)[0] if shutil.which("go") else None
    nodes = programs.CLIENTS / "node" / "node_modules"

    def mariadb(name, port):
        return ["mariadb", f"--defaults-file={options[name]}", "--ssl", "-P", str(port), "-e", "do 1"]

    def mysql(name, port):
        path = CACHE / "mysql9" / "mysql9"
        program = [path, *plugin_folder(), "--ssl-mode=REQUIRED", "-h", HOST, "-P", str(port), "-u", sides[name].user]
        return [*program, "-e", "do 1"]

    yield "mariadb (CLI of 10.11, `do 1` included)", mariadb, shutil.which("mariadb")
    yield "mysql (CLI of 9.7, `do 1` included)", mysql, (CACHE / "mysql9" / "mysql9").exists()
    for driver, title in (("pymysql", "PyMySQL"), ("mysqlclient", "mysqlclient (libmariadb)"), ("connector", "Connector/Python")):
        yield title, (lambda *_, d=driver: [programs.PYTHON, HERE / "programs" / "python.py", d, "login"]), programs.PYTHON.exists()
    yield "go-sql-driver", (lambda *_: [go, "login"]), go
    for driver, title in (("mariadb-connectorj", "MariaDB Connector/J"), ("connectorj", "MySQL Connector/J")):
        jars = programs.CLIENTS / "java" / driver
        steps = HERE / "programs" / "java" / "Steps.java"
        yield title, (lambda *_, d=driver, j=jars: ["java", "-cp", f"{j}/*", steps, d, "login"]), jars.exists()
    for driver, title in (("mysql2", "Node mysql2"), ("mariadb", "MariaDB Connector/Node.js")):
        steps = HERE / "programs" / "node" / "steps.js"
        yield title, (lambda *_, d=driver: ["node", steps, d, nodes, "login"]), (nodes / driver).exists()
    yield "PHP mysqli (mysqlnd)", (lambda *_: ["php", "-r", PHP]), shutil.which("php")
    yield "Perl DBD::MariaDB (libmariadb)", (lambda *_: ["perl", "-e", PERL]), shutil.which("perl")


def run(command, side, port):
    own = {**os.environ, **side.environment(), "TG_PORT": str(port), "MYSQL_PWD": side.password}
    done = subprocess.run(command, env=own, capture_output=True, timeout=CLIENT_SECONDS, stdin=subprocess.DEVNULL)
    return "" if done.returncode == 0 else done.stderr.decode(errors="replace").strip()[-300:]


def measure(command, side, delay):
    """Returns the round trips and the shortest time of some runs, or why the client failed."""
    relay = Relay(side.port, delay)
    found = []
    for _ in range(RUNS):
        failed = run(command(side.name, relay.port), side, relay.port)
        if failed:
            return None, failed
        found.append(relay.measured())
    return min(found), None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", type=float, default=20, help="milliseconds of a round trip")
    options = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="tidegate-trips-"))
    pair = None
    failures = 0
    try:
        pair = Pair(binary(ROOT), work)
        print("| client | round trips, directly | through | ms, directly | ms, through |")
        print("| --- | --- | --- | --- | --- |")
        for title, command, there in clients(work, pair.sides):
            if not there:
                print(f"| {title} | not run | | | |")
                continue
            cells = {}
            for name, side in pair.sides.items():
                cells[name], failed = measure(command, side, options.delay / 1000)
                if failed:
                    failures += 1
                    print(f"{title}, {name}: {failed}", file=sys.stderr)
            (direct, ms), (through, other) = (cells[name] or ("failed", 0) for name in ("direct", "through"))
            print(f"| {title} | {direct} | {through} | {ms:.0f} | {other:.0f} |", flush=True)
    finally:
        if pair:
            pair.stop()
        shutil.rmtree(work, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
