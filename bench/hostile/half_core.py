"""A control group of half a processor core, which limits the attackers on the machine that they attack.

In real life attackers have other machines. Here their own work (mostly TLS) must not be taken for a delay that
the server causes: so it takes place on one core, in the kernel's idle class."""

import contextlib
import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# The kernel's default.
PERIOD_MICROS = 100_000


class HalfCore:
    """The group, on v2 or v1; `describe` tells which, or why there is none."""

    def __init__(self):
        name = f"tidegate-hostile-{os.getpid()}"
        self.group, self.described = None, "nothing (control groups need root)"
        quota = PERIOD_MICROS // 2
        for version, parent, file, value in (("v2", ROOT, "cpu.max", f"{quota} {PERIOD_MICROS}"),
                                             ("v1", ROOT / "cpu", "cpu.cfs_quota_us", str(quota))):
            # If both versions are mounted, the parent of v2 is an ordinary folder in which any file can be created.
            if not (parent / "cgroup.procs").exists():
                continue
            group = parent / name
            try:
                group.mkdir()
                (group / file).write_text(value)
                (group / "cpu.idle").write_text("1")
            except OSError:
                with contextlib.suppress(OSError):
                    group.rmdir()
                continue
            self.group, self.described = group, f"half of one core, in the idle class ({version} control group)"
            return

    def take(self, pid):
        """Limits a process and all that it starts. Half of one core: not a quarter of each of two."""
        os.sched_setaffinity(pid, {max(os.sched_getaffinity(pid))})
        if self.group:
            (self.group / "cgroup.procs").write_text(str(pid))

    def remove(self):
        if self.group:
            with contextlib.suppress(OSError):
                self.group.rmdir()
