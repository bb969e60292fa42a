"""The server as a person runs it, and a terminal, for the tests of all browsers."""

import base64
import hashlib
import os
import pty
import re
import select
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

TIDEGATE = os.environ["TIDEGATE"]
# Whether the test has private namespaces, so that the server may use its defaults.
OWN_MACHINE = bool(os.environ.get("TIDEGATE_OWN_MACHINE"))

# Limits of waits, far above the measured times: a first start builds the engine's template.
START_SECONDS = 120
ANSWER_SECONDS = 20


def the_own_folder():
    folder = Path(tempfile.mkdtemp(prefix="tg-"))
    # Each engine has its own user, which must be able to enter this folder.
    folder.chmod(0o711)
    return folder


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """Runs `tidegate up` as a person does."""

    def __init__(self, folder):
        if OWN_MACHINE:
            self.data, self.port, self.console_port, self.at, flags = Path("/var/lib/tidegate"), 4000, 4443, [], []
        else:
            self.data, self.port, self.console_port = folder / "data", free_port(), free_port()
            self.at = ["--data", str(self.data)]
            flags = ["--listen", f"127.0.0.1:{self.port}", "--console", f"127.0.0.1:{self.console_port}"]
        self.log = open(folder / "log", "w+b")
        command = [TIDEGATE, "up", *self.at, *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        self.link = self.printed_link()

    def printed_link(self):
        out, end = b"", time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 1)[0]:
                piece = os.read(self.process.stdout.fileno(), 65536)
                out += piece
                found = re.search(rb"https://\S+/link/\S+", out)
                if found:
                    return found.group().decode()
                if not piece:
                    break
        self.log.seek(0)
        raise RuntimeError(f"no link was printed: {out.decode()} {self.log.read().decode()[-3000:]}")

    def run(self, *words):
        done = subprocess.run([TIDEGATE, *words, *self.at], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{words}: {done.stderr}")
        return done.stdout

    def pin(self):
        """Returns the console's key, read over a connection that ca.pem verifies: the browser then accepts only this key."""
        context = ssl.create_default_context(cafile=self.data / "ca.pem")
        with socket.create_connection(("127.0.0.1", self.console_port), timeout=ANSWER_SECONDS) as tcp:
            with context.wrap_socket(tcp, server_hostname="127.0.0.1") as tls:
                der = tls.getpeercert(binary_form=True)
        key = subprocess.run(["openssl", "x509", "-inform", "der", "-pubkey", "-noout"], input=der, capture_output=True, check=True)
        key = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key.stdout, capture_output=True, check=True)
        return base64.b64encode(hashlib.sha256(key.stdout).digest()).decode()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Terminal:
    """Runs a shell line in a separate terminal, as a person types it."""

    def __init__(self, line):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp("sh", ["sh", "-c", line])

    def wait_for(self, pattern):
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            if re.search(pattern, self.text):
                return
            if select.select([self.fd], [], [], 0.5)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    break
        raise AssertionError(f"{pattern!r} did not come; the client said: {self.text[-800:]}")

    def type(self, text):
        self.text = ""
        os.write(self.fd, text.encode() + b"\n")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)
