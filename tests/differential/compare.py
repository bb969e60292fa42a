"""Compares what a program saw directly with what it saw through the gateway.

A transcript is a list of steps, each a name and a dictionary of what was seen. `permitted.txt` names the differences that
are allowed: a step and a field, each as a pattern, what is then seen through the gateway, and the reason. A line that
permits nothing in a run is an error too.
"""

import json
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

# The step in which each program reads a value that differs on the two sides, so that every run shows that a difference
# is found.
PLANTED = "planted"
# How much of a value is shown.
SHOWN = 300
PERMITTED_MAX = 19


@dataclass
class Permitted:
    """A line of permitted.txt."""

    step: str
    field: str
    through: str
    reason: str
    used: bool = False

    def covers(self, program, step, name, through):
        """`through` is the value as JSON."""
        same_place = fnmatchcase(f"{program}/{step}", self.step) and fnmatchcase(name, self.field)
        return same_place and any(part in through for part in self.through.split("|"))


@dataclass(frozen=True)
class Difference:
    program: str
    step: str
    field: str
    direct: str
    through: str

    def __str__(self):
        return f"{self.program}/{self.step}: {self.field}\n  direct:  {self.direct}\n  through: {self.through}"


@dataclass
class Verdict:
    differences: list = field(default_factory=list)
    permitted: list = field(default_factory=list)
    planted: bool = False


def read_permitted(path):
    """Reads lines `step  field  through  reason`, separated by two or more spaces. Raises ValueError for any other."""
    found = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = [word.strip() for word in line.split("  ") if word.strip()]
        if len(words) != 4 or len(words[3]) < 10:
            raise ValueError(f"{path}:{number}: not `step  field  through  reason`: {line!r}")
        if len(words[0].partition("/")[2].strip("*")) < 5 or len(words[2]) < 4:
            raise ValueError(f"{path}:{number}: permits too much: {line!r}")
        found.append(Permitted(*words))
    if len(found) > PERMITTED_MAX:
        raise ValueError(f"{path}: {len(found)} lines, at most {PERMITTED_MAX} are allowed")
    return found


def transcript(text):
    """Reads what a program prints: a JSON object per line, with `step`."""
    steps = []
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        seen = json.loads(line)
        steps.append((seen.pop("step"), seen))
    return steps


def _shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}... ({len(text)} characters)"


def _around(left, right):
    """Shows two lists where they begin to differ."""
    if isinstance(left, list) and isinstance(right, list):
        at = next((i for i, (a, b) in enumerate(zip(left, right)) if a != b), min(len(left), len(right)))
        head = f"[{at}] of {len(left)}/{len(right)}: "
        return head + _shown(left[at : at + 2]), head + _shown(right[at : at + 2])
    return _shown(left), _shown(right)


def compare(program, direct, through, permitted):
    """Returns the differences of two transcripts, without the permitted ones and the planted one."""
    verdict = Verdict()
    names = [name for name, _ in direct], [name for name, _ in through]
    if names[0] != names[1]:
        left, right = _around(*names)
        verdict.differences.append(Difference(program, "(list of steps)", "step", left, right))
    for (step, left), (other, right) in zip(direct, through):
        if step != other:
            break
        for name in sorted(set(left) | set(right)):
            if left.get(name) == right.get(name):
                continue
            if step == PLANTED:
                verdict.planted = True
                continue
            difference = Difference(program, step, name, *_around(left.get(name), right.get(name)))
            rule = next((rule for rule in permitted if rule.covers(program, step, name, json.dumps(right.get(name)))), None)
            if rule:
                rule.used = True
                verdict.permitted.append(difference)
            else:
                verdict.differences.append(difference)
    return verdict
