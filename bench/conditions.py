"""What else the machine did while a round was measured: on the CPUs that the worker is pinned to, by its own counters.

What a machine does not tell is None, and no warning follows from that. The load average, being one over a
minute, is no use here: the counters of the kernel are read before and after each round.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psutil

SYSTEM = Path("/sys/devices/system/cpu")
IDLE = ("idle", "iowait", "steal", "guest", "guest_nice")
"""Not work of this machine; ``user`` and ``nice`` hold the guests' already."""


@dataclass(frozen=True)
class Counters:
    """The counters at one moment: CPU seconds since the start of the machine, or of the worker."""

    at_s: float
    cpus: int
    busy_s: float | None
    stolen_s: float | None
    worker_s: float | None
    frequency_mhz: float | None
    throttles: int | None


@dataclass(frozen=True)
class Conditions:
    """What happened during one round. ``cpu_s``: seconds of CPU that there were, all the worker's CPUs together.

    ``others_s``: those that went to other processes; ``stolen_s``: to other virtual machines on the same host.
    ``frequency_mhz``: of the worker's CPUs at the end of the round; ``throttles``: how often one became too hot.
    """

    cpu_s: float
    others_s: float | None = None
    stolen_s: float | None = None
    frequency_mhz: float | None = None
    throttles: int | None = None


def counters(pid: int, system: Path = SYSTEM) -> Counters:
    """Read the counters of the CPUs that the process ``pid`` may use. ``system``: where the kernel lists its CPUs."""
    cpus, worker = list[int](), None
    with suppress(
        psutil.Error, AttributeError
    ):  # it has died, which its next answer tells; or no affinity on this system
        process = psutil.Process(pid)
        spent = process.cpu_times()
        cpus, worker = process.cpu_affinity() or [], spent.user + spent.system
    every = psutil.cpu_times(percpu=True)
    ours = [every[cpu] for cpu in cpus if cpu < len(every)]
    told = any(sum(times) > 0 for times in ours)
    return Counters(
        at_s=perf_counter(),
        cpus=len(ours),
        busy_s=sum(sum(v for k, v in t._asdict().items() if k not in IDLE) for t in ours) if told else None,
        stolen_s=sum(times.steal for times in ours) if told and hasattr(ours[0], "steal") else None,
        worker_s=worker,
        frequency_mhz=_frequency(system, cpus),
        throttles=_throttles(system, cpus),
    )


def between(before: Counters, after: Counters) -> Conditions:
    """Return what happened between two readings of one worker's CPUs."""
    busy, worker = _more(before.busy_s, after.busy_s), _more(before.worker_s, after.worker_s)
    throttles = _more(before.throttles, after.throttles)
    return Conditions(
        cpu_s=(after.at_s - before.at_s) * after.cpus,
        others_s=None if busy is None or worker is None else busy - worker,
        stolen_s=_more(before.stolen_s, after.stolen_s),
        frequency_mhz=after.frequency_mhz,
        throttles=None if throttles is None else int(throttles),
    )


def _more(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _frequency(system: Path, cpus: Sequence[int]) -> float | None:
    found = [_number(system / f"cpu{cpu}" / "cpufreq" / "scaling_cur_freq") for cpu in cpus]
    known = [khz for khz in found if khz is not None]
    return sum(known) / len(known) / 1000 if known else None


def _throttles(system: Path, cpus: Sequence[int]) -> int | None:
    """Return how often a core was throttled, and how often the package: each CPU repeats its package's number."""
    cores = [_number(system / f"cpu{cpu}" / "thermal_throttle" / "core_throttle_count") for cpu in cpus]
    packages = [_number(system / f"cpu{cpu}" / "thermal_throttle" / "package_throttle_count") for cpu in cpus]
    known = [n for n in cores if n is not None]
    package = [n for n in packages if n is not None]
    return sum(known) + max(package, default=0) if known or package else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
