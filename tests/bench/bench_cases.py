"""What the tests of the bench share that is no fixture."""

from __future__ import annotations

from pathlib import Path

from bench.kernels import Work, convolution, dense, memory
from bench.records import Case

FAULTY = str(Path(__file__).parent / "backends" / "faulty.py")
"""A backend that goes wrong on demand."""


HOST = {
    "cpu": "A | B",
    "cores": 2,
    "usable_cpus": 2,
    "memory_gb": 24,
    "gpus": [],
    "system": "Linux",
    "fingerprint": "f00",
    "python": "3.12",
    "load": 0.5,
}
"""A machine as ``run.json`` tells it; its name would like to be two cells of a table."""


def latency_case(backend: str = FAULTY, **changes: object) -> Case:
    values = {"network": "tiny", "backend": backend, "device": "cpu", "precision": "fp32", "batch": 3, "threads": 1}
    return Case.model_validate({**values, "kind": "latency", **changes})


def small_kernels(device: str, cache_bytes: int | None) -> list[Work]:
    """Return kernels that take no time, and say nothing about any machine."""
    return [convolution(3, 4, 7, 2, 2), dense(64), memory("read", 1000), memory("copy", 1008)]
