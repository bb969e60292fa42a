"""The endpoints for the connection strings: ours, the same with TLS 1.2 only, an impostor with the same accounts but
another CA, and one that offers no TLS. Starts and stops real servers, and renders strings with the real command line."""

import json
import os
import shutil
import signal
import socketserver
import struct
import subprocess
import threading
import time
from pathlib import Path

HOST = "db.tidegate.test"
WRONG_HOST = "wrong.tidegate.test"
ADDRESS = "127.0.0.1"
# The server listens there, but its certificate does not contain this address.
WRONG_ADDRESS = "127.0.0.2"
PORT = 4000
TLS12_PORT = 4012
IMPOSTOR_PORT = 4666
BARE_PORT = 4777

# The first start builds a template with time zones.
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
        """Returns the log entries of this cluster's closed connections that had a session."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            if '"connection closed"' not in line:
                continue
            event = json.loads(line)
            fields = event.get("fields", event)
            if fields.get("name") == cluster:
                found.append(fields)
        return found


CLIENT_SSL = 0x800
# Capabilities of MySQL 8.0 with PLUGIN_AUTH and SECURE_CONNECTION, without SSL.
BARE_CAPABILITIES = 0x002FA60F & ~CLIENT_SSL
# Length of the longest first packet without a login: header and SSL request.
SSL_REQUEST_BYTES = 36
BARE_SECONDS = 10


def bare_greeting():
    body = b"\x0a8.0.36\0" + struct.pack("<I", 7) + b"abcdefgh\0" + struct.pack("<H", BARE_CAPABILITIES & 0xFFFF)
    body += b"\xff\x02\0" + struct.pack("<HB", BARE_CAPABILITIES >> 16, 21) + bytes(10) + b"ijklmnopqrst\0"
    return packet(0, body + b"mysql_native_password\0")


def packet(number, body):
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


class Bare(socketserver.ThreadingTCPServer):
    """A server in the role of an attacker who removes TLS from the greeting, and records clients that still log in."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        super().__init__(("", BARE_PORT), BareHandler)
        self.first_packets = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def was_told(self, user):
        return any(user.encode() in said for said in self.first_packets)

    def stop(self):
        self.shutdown()
        self.server_close()


class BareHandler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(BARE_SECONDS)
        try:
            self.request.sendall(bare_greeting())
            said = self.request.recv(4096)
            if len(said) > SSL_REQUEST_BYTES:
                self.server.first_packets.append(said)
                self.request.sendall(packet(2, b"\xff" + struct.pack("<H", 1045) + b"#28000no"))
        except OSError:
            # The client has disconnected, as it should.
            pass


class Endpoints:
    """All endpoints, with one cluster per client, so that clients can run in parallel."""

    def __init__(self, tidegate, work, clients):
        # Each engine has its own user, which must be able to enter this folder.
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
        # It creates its own CA, for the same names.
        shutil.rmtree(self.impostor.data / "tls")
        (self.impostor.data / "ca.pem").unlink()
        self.bare = Bare()
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
        for server in (self.good, self.tls12, self.impostor, self.bare):
            server.stop()

    def render(self, client, **options):
        """Returns the output of `tidegate connect` as JSON."""
        words = ["connect", cluster_name(client), "--with", client]
        for name, value in options.items():
            words += [f"--{name}", str(value)]
        return self.good.json(*words)


def cluster_name(client):
    return "c-" + client.replace("_", "-")


def binary(root):
    target = Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    return Path(os.environ.get("TIDEGATE", target / "debug" / "tidegate"))
