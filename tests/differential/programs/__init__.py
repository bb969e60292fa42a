"""The programs that are run on both sides: each prints a JSON object per step."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate"
CLIENTS = CACHE / "clients"
PYTHON = CLIENTS / "python" / "bin" / "python"
BUILD_SECONDS = 150
STATEMENTS = HERE.parent / "statements.txt"


@dataclass(frozen=True)
class Program:
    """`command` returns the command line, and may build into the work folder; `missing` why it can't be run here."""

    name: str
    command: object
    missing: object


def nothing():
    return ""


def needs(path, why):
    """Returns a function that returns `why` if the file is not there."""
    return lambda: "" if path.exists() else why


def python(driver):
    return Program(driver, lambda _work: [PYTHON, HERE / "python.py", driver], needs(PYTHON, "PyPI was not to be had"))


def build_go(work):
    program = work / "go-program"
    subprocess.run(["go", "build", "-o", program, "."], cwd=HERE / "go", check=True, timeout=BUILD_SECONDS,
                   env={**os.environ, "GOFLAGS": "-buildvcs=false"})
    return [program, STATEMENTS]


def java(driver):
    jars = CLIENTS / "java" / driver
    return Program(driver, lambda _work: ["java", "-cp", f"{jars}/*", HERE / "java" / "Steps.java", driver, STATEMENTS],
                   needs(jars / ".made-from", "Maven Central was not to be had"))


def node(driver):
    modules = CLIENTS / "node" / "node_modules"
    return Program(f"node-{driver}", lambda _work: ["node", HERE / "node" / "steps.js", driver, modules, STATEMENTS],
                   needs(modules / driver, "npm was not to be had"))


ALL = (
    Program("raw", lambda _work: [sys.executable, HERE / "raw.py"], nothing),
    python("pymysql"),
    python("mysqlclient"),
    python("connector"),
    Program("go", build_go, lambda: "" if shutil.which("go") else "it needs Go 1.24 or newer"),
    java("mariadb-connectorj"),
    java("connectorj"),
    node("mysql2"),
    node("mariadb"),
)
