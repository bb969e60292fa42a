"""The programs that are run on both sides: each prints a JSON object per step."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tidegate"


@dataclass(frozen=True)
class Program:
    """`command` returns the command line, and may build into the work folder; `missing` why it can't be run here."""

    name: str
    command: object
    missing: object


def _nothing():
    return ""


def _raw(_work):
    return [sys.executable, HERE / "raw.py"]


ALL = (Program("raw", _raw, _nothing),)
