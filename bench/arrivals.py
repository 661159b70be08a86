"""Requests that arrive at random times, and the one worker that answers them first come, first served.

The schedule is fixed beforehand and a time counts from when a request was due, so a slow answer makes those behind it
late instead of holding their arrival back (Tene's coordinated omission). Workers import this: numpy and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SPIN_NS = 500_000
"""How long before an arrival the sleep ends: a sleep may oversleep by a tenth of a millisecond."""


def poisson(rate_per_s: float, count: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the times (count,) in seconds, rising, of arrivals whose gaps are exponential with mean 1 / rate.

    The same seed has the same gaps at every rate, only closer together: rates can be compared.
    """
    gaps = np.random.default_rng(seed).standard_exponential(count)
    return np.cumsum(gaps) / rate_per_s


def answered(
    run: Callable[[], object],
    arrivals_s: Sequence[float],
    most_s: float,
    clock: Callable[[], int] = time.perf_counter_ns,
    sleep: Callable[[float], object] = time.sleep,
) -> tuple[list[float], list[float]]:
    """Answer each of ``arrivals_s`` by one ``run``, in order; break off once ``most_s`` seconds have passed.

    Returns the ms from each arrival to its answer, and the ms of each run alone, for those that were answered.
    ``clock`` tells nanoseconds, ``sleep`` takes seconds.
    """
    times_ms: list[float] = []
    service_ms: list[float] = []
    begin = clock()
    for arrival_s in arrivals_s:
        due = begin + round(arrival_s * 1e9)
        while (left := due - clock()) > 0:
            sleep(max(left - SPIN_NS, 0) / 1e9)
        start = clock()
        run()
        stop = clock()
        times_ms.append((stop - due) / 1e6)
        service_ms.append((stop - start) / 1e6)
        if stop - begin > most_s * 1e9:
            break
    return times_ms, service_ms
