"""The targets: the engine by itself over TLS, three proxies in front of it, and Tidegate. All with the same engine options."""

import getpass
import json
import os
import re
import secrets
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from proc import BenchError, Server, argv_of, engines_below, free_port, run

MARIADBD = "/usr/sbin/mariadbd"
# Options of Tidegate's engine that the direct one can't have: its folders, its key and its closed network.
NOT_SHARED = ("--datadir", "--tmpdir", "--plugin-dir", "--secure-file-priv", "--init-file", "--socket", "--pid-file",
              "--skip-networking", "--skip-ssl", "--ssl", "--ssl-ca", "--ssl-cert", "--ssl-key",
              "--log-error", "--user", "--general-log", "--port",
              "--bind-address")
# Used only if there is no Tidegate to read them from (`--without tidegate`).
PLAIN_OPTIONS = """--performance-schema=0 --innodb-flush-method=fsync --innodb-use-native-aio=0
--innodb-buffer-pool-size=16M --innodb-buffer-pool-size-max=512M --innodb-log-file-size=16M
--innodb-data-file-path=ibdata1:10M:autoextend --innodb-undo-tablespaces=0 --innodb-read-io-threads=1
--innodb-write-io-threads=2 --innodb-purge-threads=1 --query-cache-type=0 --query-cache-size=0 --skip-name-resolve
--table-open-cache=400 --table-definition-cache=400 --max-connections=210 --skip-slave-start""".split()


@dataclass
class Target:
    """The address for a client, and the processes that serve it."""

    label: str
    port: int
    user: str
    password: str
    ca: Path
    database: str = "test"
    host: str = "127.0.0.1"
    proxy_pid: int = 0
    engine_pid: int = 0

    def login(self, **other):
        return {"user": self.user, "password": self.password, "database": self.database, **other}


def make_certificates(folder):
    """Creates root, issuing CA and leaf, all P-256: a chain like that of Tidegate's local CA."""
    folder.mkdir()
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "ca.ext").write_text("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n")
    (folder / "leaf.ext").write_text("basicConstraints=critical,CA:FALSE\nsubjectAltName=IP:127.0.0.1\n"
                                     "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n")

    def openssl(*args):
        run(["openssl", *args], cwd=folder)

    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=bench root", "-keyout", "root.key", "-out", "root.pem")
    # sysbench requires a client certificate, and MariaDB always requests one and checks it.
    (folder / "client.ext").write_text("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n")
    for name, issuer, ext in (("issuing", "root", "ca.ext"), ("leaf", "issuing", "leaf.ext"),
                              ("client", "root", "client.ext")):
        openssl("req", *key, "-subj", f"/CN=bench {name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key", "-days", "2",
                "-CAcreateserial", "-extfile", ext, "-out", f"{name}.pem")
    (folder / "chain.pem").write_text((folder / "leaf.pem").read_text() + (folder / "issuing.pem").read_text())
    return folder / "root.pem"


def options_of(pid):
    """Returns the options that Tidegate gave its engine, without its folders and sockets."""
    argv = argv_of(pid)
    if not argv:
        raise BenchError("the engine that Tidegate started is gone")
    return [a for a in argv[1:] if a != "--no-defaults" and a.split("=")[0] not in NOT_SHARED]


def as_nobody():
    """Returns the user of mariadbd, which refuses to run as root."""
    return ["--user=nobody"] if os.geteuid() == 0 else []


def give_to_nobody(folder):
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")


def start_direct(work, stack, options):
    """The same engine with a separate data directory, on TCP, with its own TLS."""
    folder = work / "direct"
    folder.mkdir(mode=0o700)
    password = secrets.token_urlsafe(16)
    ca = make_certificates(folder / "tls")
    for part in ("data", "tmp", "files"):
        (folder / part).mkdir(mode=0o700)
    init = folder / "init.sql"
    init.touch(mode=0o600)
    init.write_text(f"CREATE DATABASE IF NOT EXISTS test;\nCREATE OR REPLACE USER bench@'%' IDENTIFIED BY '{password}';\n"
                    "GRANT ALL ON *.* TO bench@'%';\n")
    for path in (folder, *folder.rglob("*")):
        give_to_nobody(path)
    files = [o for o in options if o.startswith("--innodb") and "shutdown" not in o]
    run(["mariadb-install-db", "--no-defaults", f"--datadir={folder / 'data'}", "--skip-test-db",
         "--auth-root-authentication-method=normal", *as_nobody(), *files])
    port = free_port()
    server = Server([MARIADBD, "--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={folder / 'tmp'}",
                     f"--secure-file-priv={folder / 'files'}", f"--socket={folder / 'tmp' / 's'}",
                     f"--pid-file={folder / 'tmp' / 'pid'}", f"--init-file={init}", f"--port={port}",
                     "--bind-address=127.0.0.1", f"--ssl-cert={folder / 'tls' / 'chain.pem'}",
                     f"--ssl-key={folder / 'tls' / 'leaf.key'}", f"--ssl-ca={ca}", *as_nobody(), *options], work / "direct.log")
    stack.callback(server.stop)
    server.wait_for_port(port)
    return Target("direct", port, "bench", password, ca, engine_pid=server.pid)


def in_front(direct, label, port, server, stack):
    """The direct engine through a proxy that has just been started."""
    stack.callback(server.stop)
    server.wait_for_port(port)
    return Target(label, port, direct.user, direct.password, direct.ca, proxy_pid=server.pid,
                  engine_pid=direct.engine_pid)


def start_haproxy(work, stack, direct):
    """HAProxy in plain TCP mode: it forwards bytes and never opens TLS."""
    port = free_port()
    config = work / "haproxy.cfg"
    config.write_text("global\n    maxconn 4096\ndefaults\n    mode tcp\n    timeout connect 5s\n    timeout client 1h\n"
                      "    timeout server 1h\nfrontend front\n"
                      f"    bind 127.0.0.1:{port}\n    default_backend engine\n"
                      f"backend engine\n    server engine 127.0.0.1:{direct.port}\n")
    server = Server(["haproxy", "-db", "-f", str(config)], work / "haproxy.log")
    return in_front(direct, "haproxy", port, server, stack)


def start_router(work, stack, direct, programs):
    """MySQL Router with one static route: it terminates TLS and connects to the engine over the loopback in plaintext."""
    port = free_port()
    folder = work / "router"
    folder.mkdir(mode=0o700)
    config = folder / "router.conf"
    config.write_text(f"[DEFAULT]\nplugin_folder={programs / 'root/usr/lib/mysqlrouter/plugin'}\n"
                      f"runtime_folder={folder}\ndata_folder={folder}\nmax_total_connections=4096\n"
                      f"[routing:engine]\nbind_address=127.0.0.1\nbind_port={port}\n"
                      f"destinations=127.0.0.1:{direct.port}\nrouting_strategy=first-available\nprotocol=classic\n"
                      "max_connections=2048\nclient_ssl_mode=REQUIRED\nclient_ssl_curves=X25519\nserver_ssl_mode=DISABLED\n"
                      f"client_ssl_cert={work / 'direct' / 'tls' / 'chain.pem'}\n"
                      f"client_ssl_key={work / 'direct' / 'tls' / 'leaf.key'}\n")
    server = Server([str(programs / "mysqlrouter"), "-c", str(config), f"--user={getpass.getuser()}"], work / "router.log")
    return in_front(direct, "router", port, server, stack)


def start_bare(work, stack, direct, program):
    """The bare relay from TLS to the engine's Unix socket, with as many workers as the gateway uses."""
    port = free_port()
    folder = work / "direct"
    workers = os.environ.get("TOKIO_WORKER_THREADS") or str(max(1, len(os.sched_getaffinity(0)) // 2))
    server = Server([str(program), str(port), str(folder / "tmp" / "s"), str(folder / "tls" / "chain.pem"),
                     str(folder / "tls" / "leaf.key")], work / "bare.log",
                    env=os.environ | {"TOKIO_WORKER_THREADS": workers})
    return in_front(direct, "bare", port, server, stack)


class Tidegate:
    """A Tidegate server in a separate data directory, and the commands that a person would type."""

    def __init__(self, program, work, stack, options=()):
        self.program = str(program)
        self.data = work / "tidegate"
        self.port = free_port()
        # The person's settings must not affect the measurement.
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("TIDEGATE_", "RUST_"))}
        if "TIDEGATE_TZINFO_TO_SQL" in os.environ:
            self.env["TIDEGATE_TZINFO_TO_SQL"] = os.environ["TIDEGATE_TZINFO_TO_SQL"]
        self.argv = [self.program, "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}", *options]
        self.server = Server(self.argv, work / "tidegate.log", env=self.env)
        stack.callback(self.server.stop)
        self.server.wait_for(lambda: self.call("cluster", "list"))

    @property
    def pid(self):
        return self.server.pid

    def call(self, *args, timeout=60):
        return run([self.program, *args, "--data", str(self.data)], timeout, env=self.env)

    def create(self, name):
        made = json.loads(self.call("cluster", "create", name, "--json"))
        return Target("tidegate", made["port"], made["user"], made["password"], Path(made["ca"]),
                      database=made["database"], host=made["host"], proxy_pid=self.pid)

    def delete(self, name):
        self.call("cluster", "delete", name, "--yes")

    def state(self, name):
        return json.loads(self.call("cluster", "show", name, "--json"))["state"]

    def wake(self, name):
        self.call("cluster", "wake", name)
        self.settle(name, "awake")

    def sleep(self, name):
        """Puts the cluster to sleep and waits for it; a session that has just ended may delay it for a moment."""
        deadline = time.monotonic() + 15
        while True:
            try:
                self.call("cluster", "sleep", name)
                break
            except BenchError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        self.settle(name, "asleep")

    def settle(self, name, wanted):
        deadline = time.monotonic() + 15
        while (state := self.state(name)) != wanted:
            if time.monotonic() > deadline:
                raise BenchError(f"{name} is {state} and not {wanted}")
            time.sleep(0.05)

    def engine_starts(self):
        """Returns how long each start of an engine took, in ms, from the server's log."""
        return [float(n) for n in re.findall(r'"engine started".*?"took_ms":([\d.]+)', Path(self.server.log).read_text())]

    def engines(self):
        return engines_below(self.data)

    def is_running(self):
        return self.server.process.poll() is None


def start_tidegate_target(tidegate):
    """Creates the cluster to compare with the direct engine. Its engine is the one that appears with it."""
    before = tidegate.engines()
    target = tidegate.create("bench")
    tidegate.wake("bench")
    came = tidegate.engines() - before
    if len(came) != 1:
        raise BenchError(f"one new engine was expected, {len(came)} came")
    target.engine_pid = came.pop()
    return target


def load(target, tables, rows, folder):
    """Loads the same rows in the same way everywhere: over TLS, with sysbench."""
    ssl = ["--mysql-ssl=on"]
    argv = ["sysbench", "oltp_point_select", "--db-driver=mysql", f"--mysql-host={target.host}",
            f"--mysql-port={target.port}", f"--mysql-user={target.user}", f"--mysql-password={target.password}",
            f"--mysql-db={target.database}", *ssl, f"--tables={tables}", f"--table-size={rows}", "--threads=2"]
    run([*argv, "prepare"], timeout=240, cwd=folder)
    return argv


def versions(program, oracle):
    """Describes the targets without a path or a name of this machine."""
    def first(*argv):
        try:
            text = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
            return (text.stdout or text.stderr).splitlines()[0].strip()
        except (OSError, IndexError, subprocess.SubprocessError):
            return "unknown"
    engine = first(MARIADBD, "--no-defaults", "--version").partition("Ver ")[2].split(" for ")[0]
    return {"tidegate": first(str(program), "--version") if program else "Tidegate left out", "mariadb": engine,
            "haproxy": first("haproxy", "-v").split(" - ")[0],
            "router": "MySQL Router " + first(str(oracle / "mysqlrouter"), "--version").partition("Ver ")[2].split(" ")[0],
            "sysbench": first("sysbench", "--version"), "rustc": first("rustc", "--version")}
