"""How much memory may still be taken: what the machine has free, or less where a control group allows less."""

from __future__ import annotations

from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available_mb() -> float:
    """Return the MB that can be taken without swapping, as the kernel estimates it, within the control group's limit.

    Of what the group uses the files that nobody has open count as free: the kernel takes them back when it needs to.
    """
    import psutil

    free = float(psutil.virtual_memory().available)
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        counted = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        used -= int(counted["inactive_file"])
    except (OSError, ValueError, KeyError):  # no control groups, or of version 1
        return free / 1e6
    return (free if limit == "max" else min(free, int(limit) - used)) / 1e6
