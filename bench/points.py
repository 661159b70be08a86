"""What follows from the points of a scenario: throughput, the knee of a sweep, the rate that a limit allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from bench.records import Point
from bench.statistics import percentile

GAIN = 0.05
"""A doubling of the batch that brings less than this share of images/s more is not worth its wait."""


def images_per_s(point: Point) -> float:
    """Return the throughput at the median time."""
    return 1000 * point.images / float(np.median(point.times_ms))


def knee(points: Sequence[Point]) -> Point | None:
    """Return the first of a sweep's points whose successor gains less than `GAIN`; None if every one gains more."""
    speeds = [images_per_s(point) for point in points]
    for point, speed, following in zip(points, speeds, speeds[1:], strict=False):
        if following < (1 + GAIN) * speed:
            return point
    return None


def part_per_s(points: Sequence[Point], part: Literal["overlapped", "decode", "inference"]) -> float:
    """Return images/s of a part of the work over all of its time; of the whole of it (``overlapped``) by its median."""
    of = [point for point in points if point.part == part]
    if part == "overlapped":
        return images_per_s(of[0])
    return 1000 * sum(p.images * len(p.times_ms) for p in of) / sum(sum(p.times_ms) for p in of)


def meets(point: Point) -> bool:
    """Whether a trial of ``server`` answered every request, and its judged percentile is within the limit."""
    if point.judged is None or point.limit_ms is None or len(point.times_ms) != point.requests:
        return False
    value = percentile(point.times_ms, point.judged)
    return value is not None and value <= point.limit_ms


def best_rate(points: Sequence[Point]) -> Point | None:
    """Return the trial of the highest rate that met the limit; None if none did."""
    met = [point for point in points if meets(point)]
    return max(met, key=lambda point: point.rate_per_s or 0, default=None)


def headline(points: Sequence[Point]) -> str:
    """Return what a scenario found, in a few words."""
    if any(point.part is not None for point in points):
        return f"{part_per_s(points, 'overlapped'):.1f} images/s"
    judged = [point for point in points if point.judged is not None]
    if judged:
        met, limit = best_rate(points), f"p{judged[0].judged} within {judged[0].limit_ms:.1f} ms"
        return f"no rate tried has {limit}" if met is None else f"{met.rate_per_s:.1f} requests/s have {limit}"
    best = knee(points) or points[-1]
    return f"{images_per_s(best):.1f} images/s at batch {best.batch}"
