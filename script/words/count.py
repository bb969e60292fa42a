"""The tracked files, their counts per folder, and the comparison with the ceilings of table.py."""

import fnmatch
import subprocess
from pathlib import Path

import rules
import table

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = (".py", ".sh", ".toml", ".txt")
TEXTS = (".md", ".html", ".css", ".js", ".sql", ".java", ".go")


def tracked():
    out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [name for name in out.decode().split("\0") if name]


def language(path, text):
    """How a file is read; None for one that nobody reads."""
    if any(fnmatch.fnmatch(path, pattern) for pattern in table.NOT_READ):
        return None
    if path.endswith(".rs"):
        return "rust"
    if path.endswith(SCRIPTS) or text.startswith("#!"):
        return "script"
    return "text" if path.endswith(TEXTS) else None


def folder(path):
    parts = path.split("/")
    if len(parts) == 1:
        return "."
    return "/".join(parts[:2]) if parts[0] == "crates" else parts[0]


def places_of(paths):
    """(path, place) of every tracked file, without the allowed ones; and the allowances that nothing needed."""
    unused = set(table.ALLOWED)
    found = []
    for path in paths:
        file = ROOT / path
        if not file.is_file():
            continue
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        kind = language(path, text)
        if kind is None:
            continue
        lines = text.split("\n")
        for place in rules.judge(text, kind):
            allowed = [a for a in table.ALLOWED if fnmatch.fnmatch(path, a.path) and a.kind == place.kind
                       and a.text in lines[place.line - 1]]
            unused.difference_update(allowed)
            if not allowed:
                found.append((path, place))
    return found, unused


def counts(found):
    sums = {}
    for path, place in found:
        row = sums.setdefault(folder(path), dict.fromkeys(rules.KINDS, 0))
        row[place.kind] += 1
    return sums


def table_of(sums):
    lines = [f"{'':18}" + "".join(f"{kind:>10}" for kind in rules.KINDS)]
    for name in sorted(sums):
        lines.append(f"{name:18}" + "".join(f"{sums[name][kind]:>10}" for kind in rules.KINDS))
    total = [sum(row[kind] for row in sums.values()) for kind in rules.KINDS]
    lines.append(f"{'all':18}" + "".join(f"{n:>10}" for n in total))
    return "\n".join(lines)


def over(sums):
    """What is above its ceiling, and whether some ceiling could be lower."""
    errors, lower = [], False
    for name in sorted(set(sums) | set(table.CEILINGS)):
        ceilings = dict(zip(rules.KINDS, table.CEILINGS.get(name, (0,) * len(rules.KINDS))))
        row = sums.get(name, dict.fromkeys(rules.KINDS, 0))
        for kind in rules.KINDS:
            if row[kind] > ceilings[kind]:
                errors.append(f"{name}: {row[kind]} {kind}, at most {ceilings[kind]} are allowed")
            lower |= row[kind] < ceilings[kind]
    return errors, lower
