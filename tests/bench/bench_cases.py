"""What the tests of the bench share that is no fixture."""

from __future__ import annotations

from pathlib import Path

from bench.kernels import Work, convolution, dense, memory
from bench.records import Case

FAULTY = str(Path(__file__).parent / "backends" / "faulty.py")
"""A backend that goes wrong on demand."""


def latency_case(backend: str = FAULTY, **changes: object) -> Case:
    values = {"network": "tiny", "backend": backend, "device": "cpu", "precision": "fp32", "batch": 3, "threads": 1}
    return Case.model_validate({**values, "kind": "latency", **changes})


def small_kernels(device: str, cache_bytes: int | None) -> list[Work]:
    """Return kernels that take no time, and say nothing about any machine."""
    return [convolution(3, 4, 7, 2, 2), dense(64), memory("read", 1000), memory("copy", 1008)]
