"""ONNX Runtime, each of whose runs takes a known share longer than it would: what the self-test has to find out.

It spins until the time has come. A sleep would be late by the scheduler's grain, which is more than a tenth of a small
network's time, and would let the CPU's clock fall besides.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter_ns

from bench.backends import onnxruntime
from bench.types import Feeds, Session

DEVICES = ("cpu",)
NEEDS = onnxruntime.NEEDS
OPTIONS = {"delay": ("0", "5", "10", "25")}
LISTED = False


def version() -> str:
    """Return the version of the installed ONNX Runtime."""
    return onnxruntime.version()


def load(model: Path, device: str, threads: int, delay: str = "0") -> Session:
    """Open ``model`` as ONNX Runtime does; each run takes ``delay`` percent longer than it does by itself."""
    session = onnxruntime.load(model, device, threads)
    if delay == "0":
        return session
    factor = 1 + int(delay) / 100

    def run(feeds: Feeds) -> Feeds:
        start = perf_counter_ns()
        outputs = session.run(feeds)
        end = start + int(factor * (perf_counter_ns() - start))
        while perf_counter_ns() < end:
            pass
        return outputs

    return replace(session, run=run, details={**session.details, "delay": f"{delay} %"})
