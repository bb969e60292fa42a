"""The two ways to one engine: through a gateway, and directly over TLS to a stock mariadbd with the same data and options."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
CLUSTER = "same"
# The first start builds a template with time zones.
START_SECONDS = 180
STOP_SECONDS = 60
COMMAND_SECONDS = 120
# Options of the gateway's engine that a stock server can't have: its folders, its Unix socket, its certificate, and the
# first account, which the copied data has already. With TLS and its pool of threads, MariaDB closes connections that read
# 17 MB slowly.
OWN_OPTIONS = (
    "--datadir=", "--tmpdir=", "--plugin-dir=", "--secure-file-priv=", "--init-file=", "--ssl-cert=", "--ssl-key=", "--ssl-ca=",
    "--socket=", "--pid-file=", "--extra-port=", "--extra-max-connections=", "--proxy-protocol-networks=",
    "--skip-networking", "--user=", "--thread-handling=", "--thread-pool-stall-limit=",
)


@dataclass(frozen=True)
class Side:
    """Where a program connects to: `name` is "direct" or "through"."""

    name: str
    port: int
    user: str
    password: str
    database: str
    ca: Path

    def environment(self):
        return {
            "TG_SIDE": self.name, "TG_HOST": HOST, "TG_PORT": str(self.port), "TG_USER": self.user,
            "TG_PASSWORD": self.password, "TG_DATABASE": self.database, "TG_CA": str(self.ca),
        }


def free_port():
    with socket.create_server((HOST, 0)) as free:
        return free.getsockname()[1]


def wait_until(what, done, process=None, seconds=START_SECONDS):
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until or (process and process.poll() is not None):
            raise RuntimeError(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)


def stop(process):
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Gateway:
    """A server with one cluster."""

    def __init__(self, tidegate, work, settings=""):
        self.tidegate, self.data, self.log = tidegate, work / "data", work / "gateway.log"
        self.data.mkdir(mode=0o711)
        if settings:
            (self.data / "tidegate.toml").write_text(settings)
        self.port = free_port()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [tidegate, "serve", "--data", self.data, "--listen", f"{HOST}:{self.port}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        self.created = None
        wait_until("the start of the gateway", self._create, self.process)

    def _create(self):
        done = self.ask("cluster", "create", CLUSTER, "--json", check=False)
        if done.returncode == 0:
            self.created = json.loads(done.stdout)
        return done.returncode == 0

    def ask(self, *words, check=True):
        done = subprocess.run(
            [self.tidegate, *words, "--data", self.data], capture_output=True, text=True, timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise RuntimeError(f"tidegate {' '.join(words)}: {done.stderr}")
        return done

    def side(self):
        made = self.created
        return Side("through", self.port, made["user"], made["password"], made["database"], Path(made["ca"]))

    def engine_command(self):
        """Returns program and options of the running engine."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if words[0].endswith("mariadbd") and any(w.startswith(f"--datadir={self.data}/") for w in words):
                return words[:-1]
        raise RuntimeError("the engine of the cluster does not run")

    def stop(self):
        stop(self.process)


class Stock:
    """A stock mariadbd on a copy of the cluster's data, with the options of the cluster's engine."""

    def __init__(self, gateway, work):
        self.work, self.log, self.process = work / "stock", work / "stock.log", None
        self.work.mkdir()
        side = gateway.side()
        # The first run makes the accounts.
        gateway.ask("cluster", "wake", CLUSTER)
        command = gateway.engine_command()
        data = Path(next(w for w in command if w.startswith("--datadir=")).split("=", 1)[1])
        gateway.ask("cluster", "sleep", CLUSTER)
        shutil.copytree(data, self.work / "data", symlinks=True)
        for folder in ("tmp", "files", "plugins"):
            (self.work / folder).mkdir()
        self._certificate()
        self.port = free_port()
        kept = [w for w in command[1:] if not w.startswith(OWN_OPTIONS)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [command[0], *kept, *self._options()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        # The cluster's user name without its prefix.
        user = side.user.split(".", 1)[1]
        self.side = Side("direct", self.port, user, side.password, side.database, self.work / "cert.pem")
        wait_until("the start of the stock server", self._answers, self.process)

    def _options(self):
        own = [
            f"--datadir={self.work}/data", f"--tmpdir={self.work}/tmp", f"--plugin-dir={self.work}/plugins",
            f"--secure-file-priv={self.work}/files", f"--socket={self.work}/s", f"--pid-file={self.work}/pid",
            f"--ssl-cert={self.work}/cert.pem", f"--ssl-key={self.work}/key.pem", f"--ssl-ca={self.work}/cert.pem",
            # A connection in a cached thread would continue the numbers of statements of the one before.
            "--thread-cache-size=0", f"--bind-address={HOST}", f"--port={self.port}",
        ]
        return own + (["--user=root"] if os.geteuid() == 0 else [])

    def _certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.work / "key.pem",
             "-out", self.work / "cert.pem", "-days", "2", "-subj", "/CN=localhost",
             "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"],
            check=True, capture_output=True,
        )

    def _answers(self):
        try:
            with socket.create_connection((HOST, self.port), 2) as conn:
                return len(conn.recv(5)) == 5
        except OSError:
            return False

    def stop(self):
        stop(self.process)


class Pair:
    """Both ways, and the work folder in which everything is."""

    def __init__(self, tidegate, work, settings=""):
        # Each engine has its own user, which must be able to enter this folder.
        work.chmod(0o711)
        self.gateway = self.stock = None
        try:
            self.gateway = Gateway(tidegate, work, settings)
            self.stock = Stock(self.gateway, work)
        except BaseException:
            self.stop()
            raise
        self.sides = {"direct": self.stock.side, "through": self.gateway.side()}

    def stop(self):
        for server in (self.stock, self.gateway):
            if server:
                server.stop()


def binary(root):
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    return Path(os.environ.get("TIDEGATE", target / "debug" / "tidegate"))
