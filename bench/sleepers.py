"""Measures a server with ten thousand sleeping clusters beside one with ten: memory, start, a page of the list, and wakes.

Twenty clusters are real. The others have rows in the store and a folder with nothing in it, because the disk of a test
machine does not hold ten thousand real ones; what a real one takes is measured and printed. Nothing but a wake reads a
cluster's files, and only real clusters are woken."""

import fcntl
import http.client
import json
import random
import socket
import sqlite3
import time
from contextlib import closing

from figures import median, spread
from proc import BenchError, Server, free_port, memory_kb, run, say
from targets import Tidegate

FEW = 10
REAL = 20
# Clusters that are woken, of each server, in turns.
WOKEN = 10
PAGE_ROWS = (50, 1000)
# Copies a cluster's row under other numbers, names and prefixes. A prefix has no 0 and no 1.
COPIES = ("""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
    INSERT INTO clusters (id, name, name_taken, prefix, created_unix, engine, engine_parameters, connections_max,
        sleep_after_ms, transaction_idle_max_ms, memory_max_bytes, disk_max_bytes, cpu_weight, tasks_max, phase, version)
    SELECT i, PRINTF('stub-%05d', i), PRINTF('stub-%05d', i), REPLACE(REPLACE(PRINTF('%012d', i), '0', 'x'), '1', 'y'),
        created_unix, engine, engine_parameters, connections_max, sleep_after_ms, transaction_idle_max_ms, memory_max_bytes,
        disk_max_bytes, cpu_weight, tasks_max, phase, version FROM n, clusters WHERE name = :name""",
          """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
    INSERT INTO books (cluster, run, complete, version) SELECT i, 0, 1, b.version FROM n, books b
    JOIN clusters c ON c.id = b.cluster WHERE c.name = :name""",
          """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
    INSERT INTO book_parts (cluster, part, accounts) SELECT i, p.part, p.accounts FROM n, book_parts p
    JOIN clusters c ON c.id = p.cluster WHERE c.name = :name""",
          """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
    INSERT INTO runs (cluster, run, awake) SELECT i, 0, 0 FROM n WHERE :name <> ''""")


class SleepersServer(Tidegate):
    """A server with a private listener for its readiness, that can be started again."""

    def __init__(self, program, work, stack):
        self.ready_port = free_port()
        self.work, self.stack = work, stack
        work.mkdir()
        work.chmod(0o711)
        config = work / "tidegate.toml"
        config.write_text(f'[metrics]\nlisten = "127.0.0.1:{self.ready_port}"\n')
        super().__init__(program, work, stack, ["--config", str(config)])

    def start_again(self):
        """Starts the stopped server, and returns the time until it is ready, in ms."""
        began = time.monotonic()
        self.server = Server(self.argv, self.work / "tidegate.log", env=self.env)
        self.stack.callback(self.server.stop)
        while time.monotonic() - began < 60:
            if self.is_ready():
                return (time.monotonic() - began) * 1e3
            time.sleep(0.002)
        raise BenchError(f"the server is not ready after a minute:\n{self.server.log_tail()}")

    def is_ready(self):
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.ready_port, timeout=5)) as connection:
                connection.request("GET", "/readyz")
                return connection.getresponse().status == 200
        except OSError:
            return False

    def api(self):
        """Returns a connection to the API on the control socket."""
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(self.data / "control.sock"))
        return connection


def has_reflinks(folder):
    """Whether files of this file system can share their blocks."""
    ficlone = 0x40049409
    with open(folder / "shared", "wb") as source, open(folder / "copy", "wb") as copy:
        source.write(b"x" * 8192)
        source.flush()
        try:
            fcntl.ioctl(copy.fileno(), ficlone, source.fileno())
        except OSError:
            return False
    return True


def disk_kb(folder):
    return int(run(["du", "-sk", str(folder)]).split()[0])


def add_stubs(server, count):
    """Adds rows and empty folders, while the server is stopped."""
    with closing(sqlite3.connect(server.data / "store.sqlite")) as store, store:
        for sql in COPIES:
            store.execute(sql, {"count": count, "name": "real-0"})
        last = store.execute("SELECT MAX(uid) FROM system_users WHERE cluster IS NOT NULL").fetchone()[0]
        if last:
            # Numbers of the range that the server has claimed, so that a start has nothing to move.
            store.executemany("INSERT INTO system_users (uid, cluster) VALUES (?, ?)",
                              ((last + n, n) for n in range(1, count + 1)))
    for n in range(1, count + 1):
        (server.data / "engines" / str(n) / "data").mkdir(parents=True)


def pages(server, plan):
    """Measures pages at random places of the list, each with its rows as JSON."""
    out = {}
    with closing(server.api()) as api:
        for rows in PAGE_ROWS:
            took = []
            for _ in range(plan.list_pages):
                after = f"stub-{random.randint(0, 8_000):05d}"
                began = time.monotonic()
                api.request("GET", f"/v1/clusters?limit={rows}&after={after}")
                body = api.getresponse().read()
                took.append((time.monotonic() - began) * 1e3)
                if len(json.loads(body)["clusters"]) != rows:
                    raise BenchError(f"a page does not have {rows} clusters")
            out[str(rows)] = spread(took)
    return out


def wake_all(client, servers, plan):
    """Wakes clusters of both servers in turns, and returns the times to the first row."""
    took = {name: [] for name in servers}
    for n in range(plan.sleeper_wakes):
        for name, (server, targets) in servers.items():
            target = targets[n % WOKEN]
            got = client.ask(target, {"work": "first_row", "query": "SELECT 1"})
            took[name].append(got["micros"] / 1e3)
            server.sleep(f"real-{n % WOKEN}")
            # The next start must not wait for the writes that the stop left behind.
            time.sleep(plan.pause_seconds)
    return {name: spread(ms) | {"each": ms} for name, ms in took.items()}


def measure(client, program, plan, work, stack):
    few = SleepersServer(program, work / "few", stack)
    many = SleepersServer(program, work / "many", stack)
    count = plan.sleepers
    made = {"few": [few.create(f"real-{n}") for n in range(FEW)], "many": [many.create(f"real-{n}") for n in range(REAL)]}
    real = [int(folder.name) for folder in (many.data / "engines").iterdir() if folder.name.isdigit()]
    new_kb = median([disk_kb(many.data / "engines" / str(n)) for n in real])
    many.wake("real-0")
    many.sleep("real-0")
    used_kb = max(disk_kb(many.data / "engines" / str(n)) for n in real)
    say(f"  a real sleeping cluster takes {new_kb / 1024:.1f} MB, {used_kb / 1024:.1f} MB once it has run")
    for server in (few, many):
        server.server.stop()
    add_stubs(many, count - REAL)
    # The first start after the change, which is not measured, and then in turns.
    starts = {"few": [], "many": []}
    for turn in range(plan.sleeper_starts + 1):
        for name, server in (("few", few), ("many", many)):
            took = server.start_again()
            if turn:
                starts[name].append(took)
            if turn < plan.sleeper_starts:
                server.server.stop()
    time.sleep(plan.settle_seconds)
    memory = {"few": memory_kb(few.pid), "many": memory_kb(many.pid)}
    listed = pages(many, plan)
    woken = wake_all(client, {"few": (few, made["few"]), "many": (many, made["many"])}, plan)
    after = memory_kb(many.pid)
    figures = {"clusters": count, "real": REAL, "few": FEW, "disk_kb": {"new": new_kb, "used": used_kb},
               "reflinks": has_reflinks(work),
               "start_ms": {name: spread(ms) for name, ms in starts.items()}, "memory_kb": memory | {"many_after": after},
               "page_ms": listed, "wake_ms": woken}
    say(f"  {count} clusters: ready in {figures['start_ms']['many']['p50']:.0f} ms, RSS {memory['many']['rss'] / 1024:.0f} MB, "
        f"wake p50 {woken['many']['p50']:.0f} ms beside {woken['few']['p50']:.0f} ms")
    return figures
