"""A control group of half a processor core, which limits the attackers on the machine that they attack."""

import contextlib
import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
# Short, so that the attackers don't take whole time slices at once.
PERIOD_MICROS = 10_000


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
            except OSError:
                with contextlib.suppress(OSError):
                    group.rmdir()
                continue
            self.group, self.described = group, f"half a core ({version} control group)"
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
