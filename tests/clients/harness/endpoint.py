"""The endpoints that the strings are run against: ours, the same with TLS 1.2 only, and an impostor that has the same
accounts but another CA. It starts and stops real servers and renders strings by the real command line."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

HOST = "db.tidegate.test"
WRONG_HOST = "wrong.tidegate.test"
ADDRESS = "127.0.0.1"
# The server listens there, but its certificate does not say so.
WRONG_ADDRESS = "127.0.0.2"
PORT = 4000
TLS12_PORT = 4012
IMPOSTOR_PORT = 4666

# The first start makes a template with time zones.
START_SECONDS = 120
STOP_SECONDS = 30
RENDER_SECONDS = 30

CONFIG = """
[log]
format = "json"
[tls]
versions = "{versions}"
"""


class Server:
    def __init__(self, tidegate, data, port, versions="both"):
        self.tidegate, self.data, self.port = tidegate, data, port
        self.log = data.parent / f"{data.name}.log"
        data.mkdir(mode=0o711, exist_ok=True)
        (data / "tidegate.toml").write_text(CONFIG.format(versions=versions))
        self.process = None

    def start(self):
        command = [self.tidegate, "serve", "--data", self.data, "--name", HOST]
        for address in (ADDRESS, WRONG_ADDRESS):
            command += ["--listen", f"{address}:{self.port}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until = time.monotonic() + START_SECONDS
        while self.ask("cluster", "list", check=False).returncode:
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.1)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def ask(self, *words, check=True):
        done = subprocess.run(
            [self.tidegate, *words, "--data", self.data], capture_output=True, text=True, timeout=RENDER_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise RuntimeError(f"tidegate {' '.join(words)}: {done.stderr}")
        return done

    def json(self, *words):
        return json.loads(self.ask(*words, "--json").stdout)

    def connections(self, cluster):
        """What the log says of this cluster's ended connections that got a session."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if '"connection closed"' not in line:
                continue
            event = json.loads(line)
            fields = event.get("fields", event)
            if fields.get("name") == cluster:
                found.append(fields)
        return found


class Endpoints:
    """All three, with one cluster per client, so that clients run side by side."""

    def __init__(self, tidegate, work, clients):
        # Engines run under users of their own and must reach their folders below this one.
        work.chmod(0o711)
        self.work, self.clusters = work, {}
        self.good = Server(tidegate, work / "good", PORT)
        try:
            self.good.start()
            for client in clients:
                self.clusters[client] = self.good.json("cluster", "create", cluster_name(client))
        finally:
            self.good.stop()
        self.tls12 = self._copy(tidegate, "tls12", TLS12_PORT, versions="1.2")
        self.impostor = self._copy(tidegate, "impostor", IMPOSTOR_PORT)
        # It makes itself a CA of its own, for the same names.
        shutil.rmtree(self.impostor.data / "tls")
        (self.impostor.data / "ca.pem").unlink()
        try:
            for server in (self.good, self.tls12, self.impostor):
                server.start()
        except BaseException:
            self.stop()
            raise

    def _copy(self, tidegate, name, port, versions="both"):
        target = self.work / name
        subprocess.run(["cp", "-a", "--reflink=auto", self.good.data, target], check=True)
        return Server(tidegate, target, port, versions)

    def stop(self):
        for server in (self.good, self.tls12, self.impostor):
            server.stop()

    def render(self, client, **options):
        """What `tidegate connect` says, as JSON."""
        words = ["connect", cluster_name(client), "--with", client]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return self.good.json(*words)


def cluster_name(client):
    return "c-" + client.replace("_", "-")


def binary(root):
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    return Path(os.environ.get("TIDEGATE", target / "debug" / "tidegate"))
