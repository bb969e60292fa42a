"""Suites of other people: each returns the result of each of its tests, "passed" or why not."""

import difflib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate"
TOOLS = CACHE / "mariadb-tools"
PYTHON = CACHE / "clients" / "python" / "bin" / "python"
# Only ends a hang.
TEST_SECONDS = 300
SUITE_SECONDS = 540
PASSED = "passed"
GO_MODULE = "github.com/go-sql-driver/mysql"


class MariaDBTest:
    """Tests of MariaDB's own suite, by its program mariadb-test: all that a test prints must be the same on both sides.

    The suite's own files of results are for a server with other defaults (latin1, another SQL mode).
    """

    name = "mariadb-test"

    def missing(self):
        return "" if (TOOLS / ".made-from").exists() else "Debian's package was not to be had"

    def run(self, side, work, _port):
        folder = TOOLS / "usr" / "share" / "mysql" / "mysql-test"
        found = {}
        for name in (HERE / "mariadb-tests.txt").read_text().split():
            found[name] = self.one(name, side, folder, work)
        return found

    def one(self, name, side, folder, work):
        own = work / f"vardir-{side.name}"
        (own / "tmp").mkdir(parents=True, exist_ok=True)
        prepare = "drop database if exists test; create database test; set @@sql_mode = default"
        client = ["mariadb", "--no-defaults", "--ssl", "-h127.0.0.1", f"-P{side.port}", f"-u{side.user}"]
        subprocess.run([*client, "-e", prepare], env={**os.environ, "MYSQL_PWD": side.password}, capture_output=True,
                       timeout=TEST_SECONDS)
        recorded = own / "recorded"
        command = [
            TOOLS / "usr" / "bin" / "mariadb-test", "--no-defaults", "--ssl", "--host=127.0.0.1", f"--port={side.port}",
            f"--user={side.user}", f"--password={side.password}", "--database=test", f"--basedir={folder}",
            f"--test-file={folder}/main/{name}.test", f"--result-file={recorded}", "--record", f"--logdir={own}",
            f"--tmpdir={own}/tmp", "--silent", "--max-connect-retries=3",
        ]
        libraries = next((TOOLS / "usr" / "lib").glob("*-linux-gnu"), "")
        variables = {
            "LD_LIBRARY_PATH": str(libraries), "MYSQL_TEST_DIR": str(folder), "MYSQLTEST_VARDIR": str(own),
            "MYSQL_TMP_DIR": f"{own}/tmp", "MYSQL_CHARSETSDIR": "/usr/share/mysql/charsets", "MASTER_MYPORT": str(side.port),
        }
        try:
            done = subprocess.run(command, cwd=folder, capture_output=True, timeout=TEST_SECONDS, env={**os.environ, **variables})
        except subprocess.TimeoutExpired:
            return f"not within {TEST_SECONDS} s"
        text = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode:
            return " ".join(text.split())[:300] or f"exit code {done.returncode}"
        (own / f"{name}.result").write_bytes(recorded.read_bytes())
        return PASSED

    def compare(self, results, work):
        """Marks the tests whose output differs as failed through the gateway."""
        for name, result in results["direct"].items():
            files = [work / f"vardir-{side}" / f"{name}.result" for side in ("direct", "through")]
            if result == results["through"].get(name) == PASSED and files[0].read_bytes() != files[1].read_bytes():
                lines = difflib.unified_diff(*(f.read_text(errors="replace").splitlines() for f in files), lineterm="", n=0)
                results["through"][name] = "its output differs: " + " / ".join(list(lines)[2:8])[:400]


class GoDriver:
    """The tests of go-sql-driver, from the module that the Go client uses."""

    name = "go-sql-driver"

    def folder(self):
        if not shutil.which("go"):
            return None
        known = subprocess.run(["go", "list", "-m", "-f", "{{.Dir}}", GO_MODULE], cwd=HERE.parent / "drivers" / "go",
                               capture_output=True, text=True, timeout=TEST_SECONDS)
        return Path(known.stdout.strip()) if known.returncode == 0 and known.stdout.strip() else None

    def missing(self):
        return "" if self.folder() else "it needs Go 1.24 or newer, and its module proxy"

    def run(self, side, work, port):
        own = {"MYSQL_TEST_USER": "root", "MYSQL_TEST_PASS": side.password, "MYSQL_TEST_PROT": "tcp",
               "MYSQL_TEST_ADDR": f"127.0.0.1:{port}", "MYSQL_TEST_DBNAME": "test", "GOFLAGS": "-mod=mod -modcacherw"}
        copy = work / f"go-{side.name}"
        shutil.copytree(self.folder(), copy, copy_function=shutil.copyfile)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        # It dials an address of the internet, and panics where that is refused; the rest would not run.
        skipped = ["-skip", "^TestConnectorReturnsTimeout$"]
        done = subprocess.run(["go", "test", "-json", "-count=1", *skipped, "-timeout", f"{SUITE_SECONDS}s", "."], cwd=copy,
                              env={**os.environ, **own}, capture_output=True, text=True, timeout=SUITE_SECONDS)
        return self.results(done.stdout)

    def compare(self, results, work):
        """Nothing: each test has judged by itself."""

    def results(self, output):
        found, said = {}, {}
        for line in output.splitlines():
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            name = event.get("Test")
            if name and event["Action"] == "output":
                said.setdefault(name, []).append(event["Output"])
            elif name and event["Action"] in ("pass", "fail", "skip"):
                text = re.sub(r"\s+", " ", "".join(said.get(name, [])))
                found[name] = PASSED if event["Action"] == "pass" else f"{event['Action']}: {text[:400]}"
        return found


class MySQLClient:
    """The tests of mysqlclient, from its source package, run by pytest."""

    name = "mysqlclient"

    def tests(self):
        return next((CACHE / "suites" / "sources").glob("mysqlclient-*/tests"), None)

    def missing(self):
        return "" if self.tests() and PYTHON.exists() else "PyPI was not to be had"

    def run(self, side, work, port):
        options, report = work / f"mysqlclient-{side.name}.cnf", work / f"mysqlclient-{side.name}.xml"
        options.write_text(
            f"[MySQLdb-tests]\nhost=127.0.0.1\nport={port}\nuser=root\npassword={side.password}\ndatabase=test\n"
            "default-character-set=utf8mb4\n")
        own = {"TESTDB": str(options), "PYTHONPATH": f"{CACHE}/suites/lib:{self.tests()}", "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", self.tests()],
                       cwd=work, env={**os.environ, **own}, capture_output=True, timeout=SUITE_SECONDS)
        found = {}
        for case in ElementTree.parse(report).iter("testcase"):
            trouble = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
            name = f"{case.get('classname')}.{case.get('name')}"
            found[name] = PASSED if trouble is None else f"{trouble.tag}: {' '.join(str(trouble.get('message')).split())[:300]}"
        return found

    def compare(self, results, work):
        """Nothing: each test has judged by itself."""


ALL = (MariaDBTest(), GoDriver(), MySQLClient())
