"""What the tests of the bench share that is no fixture."""

from __future__ import annotations

from pathlib import Path

from bench.records import Case

FAULTY = str(Path(__file__).parent / "backends" / "faulty.py")
"""A backend that goes wrong on demand."""


def latency_case(backend: str = FAULTY, **changes: object) -> Case:
    values = {"network": "tiny", "backend": backend, "device": "cpu", "precision": "fp32", "batch": 3, "threads": 1}
    return Case.model_validate({**values, "kind": "latency", **changes})
