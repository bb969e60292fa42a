"""Dumps of a database with every kind of object: the same directly and through the gateway, and after a restore."""

import difflib
import os
import re
import shutil
import subprocess
from pathlib import Path

from servers import HOST

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate"
MARIADB_DUMP = CACHE / "mariadb-tools" / "usr" / "bin" / "mariadb-dump"
MYSQLDUMP = CACHE / "mysql9" / "mysqldump9"
DATABASES = ("dumped", "dumped `odd` ü")
COMMAND_SECONDS = 120
SHOWN_LINES = 12
OBJECTS = ("--routines", "--events", "--triggers")
# Oracle's program asks a server for what MariaDB has not.
ORACLE = ("--skip-column-statistics", "--set-gtid-purged=OFF", "--no-tablespaces")
KINDS = {
    "mariadb-dump": (MARIADB_DUMP, (*OBJECTS, "--databases")),
    "mariadb-dump consistent": (MARIADB_DUMP, (*OBJECTS, "--single-transaction", "--hex-blob", "--skip-extended-insert", "--databases")),
    "mariadb-dump with history": (MARIADB_DUMP, (*OBJECTS, "--dump-history", "--databases")),
    "mariadb-dump as xml": (MARIADB_DUMP, ("--xml", "--databases")),
    "mysqldump": (MYSQLDUMP, (*ORACLE, *OBJECTS, "--databases")),
    "mysqldump consistent": (MYSQLDUMP, (*ORACLE, *OBJECTS, "--single-transaction", "--hex-blob", "--quick", "--databases")),
}
# Objects that must be in MariaDB's dump: without them equal dumps would prove little.
EXPECTED = (
    b"CREATE SEQUENCE `numbers`", b'PACKAGE "pack"', b'PACKAGE BODY "pack"', b"AGGREGATE FUNCTION", b"WITH SYSTEM VERSIONING",
    b"EVENT `event_often`", b"trigger second", b"`view ``of`` ", b"ENGINE=MRG_MyISAM", b"PARTITION BY RANGE", b"INVISIBLE",
)


def login(side, work):
    """Writes the options file of a side's clients."""
    path = work / f"{side.name}.cnf"
    path.write_text(f"[client]\nhost={HOST}\nport={side.port}\nuser={side.user}\npassword={side.password}\n")
    path.chmod(0o600)
    return path


def run(command, source=None):
    done = subprocess.run(
        command, stdin=source or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=COMMAND_SECONDS)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace").strip()


def load(options, path):
    with path.open("rb") as source:
        code, _, err = run(["mariadb", f"--defaults-file={options}", "--ssl", "--default-character-set=utf8mb4"], source)
    return f"exit code {code}: {err}" if code else ""


def dump(kind, options):
    program, words = KINDS[kind]
    tls = ["--ssl"] if program == MARIADB_DUMP else ["--ssl-mode=REQUIRED", *plugin_folder()]
    code, out, err = run([program, f"--defaults-file={options}", *tls, *words, *DATABASES])
    return code, without_times(out), err


def plugin_folder():
    found = next((CACHE / "mysql9" / "root").rglob("mysql_native_password.so"), None)
    return [f"--plugin-dir={found.parent}"] if found else []


def without_times(dumped):
    """Removes host, the time at which the dump was made, and the status of tables in XML, which has times too."""
    return re.sub(rb"(?m)^(-- Host:|-- Dump completed on |\t\t<options ).*$", b"--", dumped)


def difference(left, right):
    lines = difflib.unified_diff(
        left.decode("latin1").splitlines(), right.decode("latin1").splitlines(), "direct", "through", lineterm="", n=0)
    return "\n".join(line[:200] for _, line in zip(range(SHOWN_LINES), lines))


def check(kind, options, dumps, failures):
    code, out, err = dump(kind, options["direct"])
    through = dump(kind, options["through"])
    if code:
        failures.append(f"{kind}: directly it ended with {code}: {err}")
    if through[0] != code or through[2] != err:
        failures.append(f"{kind}: exit codes {code} and {through[0]}; directly: {err}; through: {through[2]}")
    if out != through[1]:
        failures.append(f"{kind}: the dumps differ:\n{difference(out, through[1])}")
    missing = [name.decode() for name in EXPECTED if name not in out] if kind == "mariadb-dump" else []
    if missing:
        failures.append(f"{kind}: not in the dump: {', '.join(missing)}")
    dumps[kind] = out


def restore(kind, options, work, first, failures):
    """Restores a dump through the gateway, and compares a new dump with it."""
    path = work / "restored.sql"
    path.write_bytes(first)
    for name in DATABASES:
        quoted = name.replace("`", "``")
        run(["mariadb", f"--defaults-file={options}", "--ssl", "-e", f"drop database if exists `{quoted}`"])
    failed = load(options, path)
    if failed:
        failures.append(f"{kind}: restoring it through the gateway: {failed}")
        return
    again = dump(kind, options)[1]
    if again != first:
        failures.append(f"{kind}: restored, the dump differs:\n{difference(first, again)}")


def main(pair, work):
    """Prints the line of the dumps. Returns whether they passed."""
    missing = [str(program) for program in (MARIADB_DUMP, MYSQLDUMP) if not program.exists()]
    if not shutil.which("mariadb"):
        missing.append("mariadb")
    kinds = [kind for kind, (program, _) in KINDS.items() if program.exists()]
    for path in missing:
        print(f"differential dumps with {Path(path).name}: not run: it could not be installed", flush=True)
    if not kinds or "mariadb" in missing:
        return True
    options = {name: login(side, work) for name, side in pair.sides.items()}
    failures, dumps = [], {}
    for name, path in options.items():
        failed = load(path, HERE / "objects.sql")
        if failed:
            failures.append(f"objects.sql, {name}: {failed}")
    if not failures:
        for kind in kinds:
            check(kind, options, dumps, failures)
        for kind in ("mariadb-dump with history", "mariadb-dump consistent"):
            if kind in dumps:
                restore(kind, options["through"], work, dumps[kind], failures)
    for failure in failures:
        print(failure)
    print(f"differential dumps: {'FAILED' if failures else f'passed, {len(kinds)} kinds of dumps'}", flush=True)
    return not failures
