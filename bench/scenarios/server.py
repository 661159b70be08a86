"""Requests for one image each at random times, one worker, first come, first served: which rate keeps a limit in ms.

Arrivals are Poisson, seeded, and fixed before the trial (`bench.arrivals`). They are played in the worker, so the pipe
to it costs nothing. The search lies below one request a median time: at more the queue grows without bound, though a
short trial might still pass.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.arrivals import poisson
from bench.points import images_per_s, meets
from bench.records import Point, Result, RunConfig
from bench.scenarios import Given
from bench.scenarios._candidate import Candidate, attempt, compared, warm
from bench.statistics import ENOUGH
from bench.team import Opened
from bench.types import Split

FACTOR = 5
"""All trials of a case together are due within this many budgets."""

TRIALS = 5
"""At most: the rate is then known to a thirty-second of the highest that could be."""

LIMIT = 10
"""Without ``--limit-ms``: this many medians of the fastest backend, for all backends of the network."""

SEED = 20
FREE_SHARE = 0.1
"""Of ``--budget``: how long requests come one after the other first."""


def cases(config: RunConfig, splits: Sequence[Split]) -> list[dict[str, object]]:
    """Return one case, of single images."""
    return [{"kind": "latency", "scenario": "server", "batch": 1}]


def measure(given: Given) -> list[Result]:
    """Time all backends without a queue; then search the highest rate of each in turn."""
    candidates = [Candidate(case) for case in given.cases]
    budget = given.config.budget

    def start(candidate: Candidate, opened: Opened) -> None:
        first = compared(candidate, opened, given.network.golden, 1)
        warm(candidate, opened, budget * FREE_SHARE, 1)
        answer, _ = opened.worker.ask("time", count=ENOUGH[90], seconds=budget * FREE_SHARE, most=budget)
        point = Point(batch=1, images=1, times_ms=answer["times_ms"], memory_mb=answer["memory_mb"])
        told = {"device_memory_mb": answer["device_memory_mb"], "parity": first.parity}
        candidate.points.append(point.model_copy(update=told))

    for candidate in candidates:
        given.tell(f"start {candidate.case.backend}")
        attempt(candidate, given.team, start)
    medians = [float(np.median(c.points[0].times_ms)) for c in candidates if c.points and not c.ended]
    limit_ms = given.config.limit_ms or LIMIT * min(medians, default=0.0)
    for candidate in candidates:
        attempt(candidate, given.team, lambda c, opened: _search(c, opened, limit_ms, given))
    return [candidate.result() for candidate in candidates]


def _search(candidate: Candidate, opened: Opened, limit_ms: float, given: Given) -> None:
    """Halve the rates between nothing and one request a median time; every trial is kept as a point.

    A trial has as many arrivals as its percentile needs, and goes on for a ``TRIALS``-th of the time. None begins that
    would not be over in time.
    """
    seconds_left = FACTOR * given.config.budget
    low, high = 0.0, images_per_s(candidate.points[0])
    judged = 99 if high / 2 * seconds_left / TRIALS >= ENOUGH[99] else 90
    for number in range(TRIALS):
        rate = (low + high) / 2
        count = max(ENOUGH[judged], int(rate * FACTOR * given.config.budget / TRIALS))
        if count / rate > seconds_left:
            break
        seconds_left -= count / rate
        given.tell(f"{candidate.case.backend}: trial {number + 1}/{TRIALS}, {rate:.1f} requests a second")
        point = _trial(opened, rate, count, limit_ms, judged)
        candidate.points.append(point)
        low, high = (rate, high) if meets(point) else (low, rate)
    if len(candidate.points) == 1:
        needed = ENOUGH[judged] / (high / 2) / FACTOR
        candidate.end(
            "skipped",
            f"{ENOUGH[judged]} requests, which p{judged} needs, take too long at half of its highest rate: "
            f"give --budget {np.ceil(needed):.0f} or more",
        )


def _trial(opened: Opened, rate: float, count: int, limit_ms: float, judged: int) -> Point:
    arrivals_s = poisson(rate, count, SEED)
    most = 1.5 * float(arrivals_s[-1]) + limit_ms / 1000
    answer, _ = opened.worker.ask("serve", {"arrivals_s": arrivals_s}, most=most)
    return Point(
        batch=1,
        images=1,
        times_ms=tuple(round(t, 6) for t in answer["times_ms"]),
        service_ms=tuple(round(t, 6) for t in answer["service_ms"]),
        rate_per_s=rate,
        requests=count,
        limit_ms=limit_ms,
        judged=judged,
    )
