"""Compares the results of a suite directly and through the gateway."""

import os
from fnmatch import fnmatchcase

from suites import PASSED

SHOWN_MAX = int(os.environ.get("TG_SHOWN", "15"))


def expected(path):
    """Reads lines `SUITE/TEST  reason`."""
    found = []
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            pattern, _, reason = line.partition("  ")
            if len(reason.strip()) < 10:
                raise ValueError(f"expected.txt: no reason in {line!r}")
            found.append(pattern)
    return found


def judge(suite, results, excepted):
    """Prints the line of a suite. Returns whether no test failed through the gateway alone."""
    direct, through = results["direct"], results["through"]
    only_through = {
        name: through.get(name, "it did not run") for name, result in direct.items()
        if result == PASSED and through.get(name) != PASSED
    }
    named = {name for name in only_through if any(fnmatchcase(f"{suite}/{name}", p) for p in excepted)}
    failures = [name for name in only_through if name not in named]
    both = sum(result == PASSED and through.get(name) == PASSED for name, result in direct.items())
    neither = {name: result for name, result in direct.items() if result != PASSED}
    if os.environ.get("TG_NEITHER"):
        for name, result in neither.items():
            print(f"  directly too: {name}: {result}")
    for name in failures[:SHOWN_MAX]:
        print(f"  only through the gateway: {name}: {only_through[name]}")
    counts = f"{both} tests on both sides, {len(named)} expected failures, {len(neither)} that fail directly too"
    passed = not failures and both > 0
    print(f"foreign {suite}: {'passed' if passed else f'FAILED in {len(failures)}'}, {counts}", flush=True)
    return passed
