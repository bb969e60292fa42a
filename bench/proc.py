"""Starts and stops processes, by their id and never by a name, and reads what the kernel reports about them."""

import contextlib
import json
import os
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
# A server that has not stopped by then is killed.
STOP_SECONDS = 20
# Longer than the slowest start seen: the first one builds the template that clusters are copied from.
READY_SECONDS = 90


class BenchError(Exception):
    """A measurement that failed; its text is for the person who ran it."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def raise_descriptor_limit():
    """Raises the limit of descriptors: a thousand idle sessions need more than the usual soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def cpu_seconds(pid):
    """Returns user and system time of a process with all its threads, including those that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_kb(pid):
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        match = re.match(r"(Rss|Pss|Private_Dirty):\s+(\d+) kB", line)
        if match:
            found[match[1].lower()] = int(match[2])
    return found


def argv_of(pid):
    try:
        return [a.decode() for a in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]]
    except (OSError, UnicodeDecodeError):
        return []


def engines_below(folder):
    """Returns the ids of the mariadbd processes whose data directory is below a folder."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            argv = argv_of(entry.name)
            if argv and Path(argv[0]).name.startswith("mariadbd"):
                if any(a.startswith("--datadir=") and Path(a[10:]).is_relative_to(folder) for a in argv):
                    found.add(int(entry.name))
    return found


def free_port():
    """Returns a free port below the range of outgoing connections, where a busy client could take it."""
    for _ in range(200):
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise BenchError("no free port between 20000 and 32000 on 127.0.0.1")


class Server:
    """A process that we started and will stop."""

    def __init__(self, argv, log, cwd=None, env=None):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd, env=env,
                                            start_new_session=True)
        self.pid = self.process.pid

    def wait_for(self, ready):
        """Waits until this succeeds. Fails at once if the server has ended."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BenchError(f"a server ended at once; its log says:\n{self.log_tail()}")
            with contextlib.suppress(OSError, BenchError):
                ready()
                return
            time.sleep(0.1)
        raise BenchError(f"a server is not ready after {READY_SECONDS} s:\n{self.log_tail()}")

    def wait_for_port(self, port):
        self.wait_for(lambda: socket.create_connection(("127.0.0.1", port), timeout=1).close())

    def log_tail(self):
        return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-15:])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"note: process {self.pid} had to be killed")
                self.process.kill()
                self.process.wait()


def run(argv, timeout=120, **more):
    """Runs a program to its end and returns its output; raises an error with its messages."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, **more)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{Path(argv[0]).name} did not end within {timeout} s") from error
    except FileNotFoundError as error:
        raise BenchError(f"{argv[0]} is not installed") from error
    if done.returncode != 0:
        said = (done.stderr + done.stdout).strip()[-1500:]
        raise BenchError(f"{Path(argv[0]).name} failed ({done.returncode}): {said}")
    return done.stdout


class Client:
    """The lean client. It reads its job from standard input, so that no password is in an argument list."""

    def __init__(self, program):
        self.command = [str(program)]

    @staticmethod
    def job(target, work, logins=None, post_quantum=False):
        endpoint = {"addr": f"{target.host}:{target.port}", "server_name": target.host, "ca": str(target.ca),
                    "post_quantum": post_quantum}
        return json.dumps({"endpoint": endpoint, "logins": logins or [target.login()], **work}) + "\n"

    def ask(self, target, work, logins=None, timeout=180):
        return json.loads(run(self.command, timeout, input=self.job(target, work, logins)))

    @contextlib.contextmanager
    def hold(self, target, work, logins, timeout=120):
        """Keeps sessions open while the block runs."""
        with subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                process.stdin.write(self.job(target, work, logins))
                process.stdin.flush()
                yield json.loads(self._line(process, timeout))
            finally:
                process.stdin.close()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()

    @staticmethod
    def _line(process, timeout):
        readable, _, _ = select.select([process.stdout], [], [], timeout)
        # The client prints one whole line or nothing.
        line = process.stdout.readline() if readable else ""
        if not line:
            raise BenchError("the sessions could not be opened")
        return line
