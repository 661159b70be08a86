"""The CPU's memory itself: plain reading and copying by numpy, in threads; no network, so it is not among the backends.

``model`` is a text file that says what to do: ``read`` or ``copy``, how many float32, and in how many parts, one a run.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, pairwise
from pathlib import Path

import numpy as np

from bench.types import Feeds, Session

DEVICES = ("cpu",)
NEEDS = ("numpy",)


def version() -> str:
    """Return the version of the installed numpy."""
    return str(np.__version__)


def load(model: Path, device: str, threads: int) -> Session:
    """Fill the memory and return what reads or copies it part by part (numpy lets go of the GIL for both)."""
    action, count, parts = model.read_text().split()
    held = np.full(int(count), 1, dtype=np.float32)  # written, all of it: memory that never was is a single page
    other = held.copy() if action == "copy" else held[:0]
    edges = np.linspace(0, held.size, int(parts) * threads + 1).astype(int)
    held[edges[threads::threads] - 1] = 2
    stretches = [slice(begin, end) for begin, end in pairwise(edges)]
    turns = cycle([stretches[first : first + threads] for first in range(0, len(stretches), threads)])
    pool = ThreadPoolExecutor(threads)

    def read(stretch: slice) -> float:
        return float(held[stretch].max())

    def copy(stretch: slice) -> float:
        np.copyto(other[stretch], held[stretch])
        return float(stretch.stop - stretch.start)

    def run(feeds: Feeds) -> Feeds:
        done = list((pool.map if threads > 1 else map)(read if action == "read" else copy, next(turns)))
        return {"y": np.array([max(done) if action == "read" else sum(done)])}

    return Session(run, lambda: {"numpy/CPU": threads}, {})
