"""What the NVIDIA driver tells of its GPUs, through NVML: their names, and how they fared while a worker ran.

NVML counts processes by the ids of the machine. In a container a worker may have another id there; its memory is then
not known, rather than guessed. Where the package nvidia-ml-py or the driver is missing, nothing is known at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any

from bench.types import Advice

SLOWED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "temperature",
    0x40: "temperature, by the hardware",
    0x80: "power brake",
}
"""Of nvmlDeviceGetCurrentClocksThrottleReasons, the reasons that mean slower than the GPU could."""


@dataclass(frozen=True)
class Reading:
    """What one look at the GPU of a worker said."""

    memory_mb: float | None
    """of the device's memory, held by the worker's process"""
    utilisation: float
    """percent of the driver's last sampling period, between a sixth of a second and one, with a kernel running"""
    slowed: tuple[str, ...]
    """why the clocks were lower than they could be"""


def gpus() -> list[str] | None:
    """Return name and driver version of each GPU; None where NVML does not tell."""
    library = _library()
    if library is None:
        return None
    try:
        driver = library.nvmlSystemGetDriverVersion()
        return [f"{library.nvmlDeviceGetName(handle)}, {driver}" for handle in _handles(library)]
    except library.NVMLError:
        return None


def cuda_version() -> str | None:
    """Return the newest CUDA version that the driver supports, such as ``13.0``; None where NVML does not tell."""
    library = _library()
    if library is None:
        return None
    try:
        number = library.nvmlSystemGetCudaDriverVersion()
    except library.NVMLError:
        return None
    return f"{number // 1000}.{number % 1000 // 10}"


def look(pid: int) -> Reading | None:
    """Return how the GPU of the process ``pid`` fares now; None where NVML does not tell or which GPU it is.

    The GPU is the one whose list of processes has ``pid``, else the only one there is.
    """
    library = _library()
    if library is None:
        return None
    try:
        handles = _handles(library)
        held = {n: bytes_held for n, handle in enumerate(handles) if (bytes_held := _held(library, handle, pid))}
        number = max(held, key=lambda n: held[n]) if held else 0
        if not held and len(handles) != 1:
            return None
        handle = handles[number]
        reasons = library.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
        return Reading(
            memory_mb=held[number] / 1e6 if held else None,
            utilisation=float(library.nvmlDeviceGetUtilizationRates(handle).gpu),
            slowed=tuple(why for bit, why in SLOWED.items() if reasons & bit),
        )
    except library.NVMLError:
        return None


def summary(readings: Sequence[Reading]) -> dict[str, str]:
    """Return what a result says of its GPU: the mean utilisation, in percent."""
    return {"gpu_utilisation": f"{fmean(r.utilisation for r in readings):.0f} %"} if readings else {}


def warnings(readings: Sequence[Reading]) -> list[str]:
    """Warn of clocks that were held down while the times were taken."""
    slow = [reading for reading in readings if reading.slowed]
    if not slow:
        return []
    why = ", ".join(dict.fromkeys(reason for reading in slow for reason in reading.slowed))
    return [
        f"{Advice.THROTTLED}: the GPU's clocks were held down in {len(slow)} of {len(readings)} rounds ({why}); "
        "let it cool, or lock its clocks, and repeat"
    ]


def _held(library: Any, handle: Any, pid: int) -> int:
    """Return the bytes that a process holds on a GPU; 0 where it is not there, or the driver does not say."""
    found = [p.usedGpuMemory for p in library.nvmlDeviceGetComputeRunningProcesses(handle) if p.pid == pid]
    return sum(number or 0 for number in found)


def _handles(library: Any) -> list[Any]:
    return [library.nvmlDeviceGetHandleByIndex(n) for n in range(library.nvmlDeviceGetCount())]


@cache
def _library() -> Any:
    """Return NVML, started; None where it cannot be."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return pynvml
