"""Runs the test programs of the workspace, several at a time.

script/runner [--at-once N] [CARGO OPTION ...]
  CARGO OPTION   which programs, as for `cargo test`: --workspace --test 'e2e_*'

Most of these tests wait: for an engine that starts, a certificate, a limit of time. `cargo test` runs one program after
the other, and the machine is idle meanwhile. The output of each program is printed when it ends, in one piece. Exits with
101 if a program failed, and with cargo's status if one could not be built.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Each runs as many of its tests at a time as there are cores, or as RUST_TEST_THREADS says.
AT_ONCE = 2 * (os.cpu_count() or 2)
# The slowest one takes two minutes. One that hangs must not take the time of all others, and the output with it.
PROGRAM_WAIT_SECONDS = 900
FAILED = 101
# The slowest ones begin first: one that began last would be alone on the machine at the end.
SLOWEST = (
    "e2e_acme", "e2e_trust", "e2e_admission", "e2e_check", "e2e_allowed_addresses", "e2e_acme_waiting", "e2e_clock",
    "crooked", "operator_password", "serve", "administration", "explain_forms", "operations", "uids", "many_clusters",
)
# Compares how late the answers to logins come, as a stranger would: runs after all others, with nothing beside it.
ALONE = ("e2e_names",)
RESULT = re.compile(r"^test result:", re.MULTILINE)
PASSED_TEST = re.compile(r"^test \S+ \.\.\. ok$", re.MULTILINE)
FAILED_TEST = re.compile(r"^test \S+ \.\.\. FAILED$", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """One executable of tests, with the folder that its tests expect to be in."""

    name: str
    source: Path
    folder: Path
    executable: Path

    def title(self):
        """Returns the line that `cargo test` prints before its output."""
        return f"     Running {shown(self.source, self.folder)} ({shown(self.executable, ROOT)})"


def shown(path, folder):
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def programs_in(messages):
    """Returns the test programs that cargo's messages name: the slowest ones first, the others in the order of names."""
    found = {}
    for line in messages.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("reason") == "compiler-artifact" and message["executable"] and message["profile"]["test"]:
            target = message["target"]
            folder = Path(message["manifest_path"]).parent
            executable = Path(message["executable"])
            found[executable] = Program(target["name"], Path(target["src_path"]), folder, executable)
    return sorted(found.values(), key=place)


def place(program):
    rank = SLOWEST.index(program.name) if program.name in SLOWEST else len(SLOWEST)
    return rank, str(program.folder), program.name


def build(options):
    """Builds the programs and returns cargo's messages about them."""
    command = ["cargo", "test", "--no-run", "--message-format=json-render-diagnostics", *options]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def result_line(said, failed):
    """Returns the sum that `script/test` adds up. A program with a separate `main`, or one that crashed, prints none."""
    if RESULT.search(said):
        return ""
    bad = max(len(FAILED_TEST.findall(said)), 1 if failed else 0)
    return f"\ntest result: {'FAILED' if bad else 'ok'}. {len(PASSED_TEST.findall(said))} passed; {bad} failed; 0 ignored"


class Runner:
    """Runs programs, and prints the output of each when it ends."""

    def __init__(self, wait_seconds=PROGRAM_WAIT_SECONDS, write=None):
        self.wait_seconds = wait_seconds
        self.write = write or (lambda text: print(text, flush=True))
        self.lock = threading.Lock()
        self.running = set()

    def run(self, programs, at_once):
        """Runs all of them. Returns the names of those that failed."""
        pool = ThreadPoolExecutor(at_once)
        try:
            whys = list(pool.map(self.run_one, programs))
        finally:
            # After a signal: nothing more begins. Servers and engines of a test end with its process.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(self.running):
                process.kill()
        return sorted(program.name for program, why in zip(programs, whys) if why)

    def run_one(self, program):
        """Runs one. Returns why it failed, or nothing."""
        began = time.monotonic()
        # A file, not a pipe: a process that outlives its test would keep a pipe open.
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(
                    [program.executable], cwd=program.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    env=os.environ | {"CARGO_MANIFEST_DIR": str(program.folder)},
                )
            except OSError as error:
                why = str(error)
            else:
                self.running.add(process)
                why = ended(process, self.wait_seconds)
                self.running.discard(process)
            output.seek(0)
            said = output.read().decode(errors="replace").rstrip()
        text = f"{program.title()} {time.monotonic() - began:.0f} s\n{said}{result_line(said, why)}\n"
        if why:
            text += f"error: {program.name} failed: {why}\n"
        with self.lock:
            self.write(text)
        return why


def ended(process, wait_seconds):
    """Waits for a program's end. Returns why it failed, or nothing."""
    try:
        status = process.wait(wait_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"it did not end within {wait_seconds} s"
    return f"it ended with {status}" if status else ""


def main(arguments):
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    at_once = AT_ONCE
    if arguments[:1] == ["--at-once"]:
        at_once, arguments = int(arguments[1]), arguments[2:]
    # By default only this process would end, and the programs would go on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    programs = programs_in(build(arguments))
    failed = Runner().run([program for program in programs if program.name not in ALONE], at_once)
    failed += Runner().run([program for program in programs if program.name in ALONE], 1)
    if failed:
        print(f"error: {len(failed)} failed: {' '.join(failed)}", flush=True)
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
