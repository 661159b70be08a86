"""The numbers of a result that a trend is drawn of: one of its latency, one of each of its scores.

They are kept beside the result that they follow from, so that a list of a thousand runs reads no raw times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.points import best_rate, images_per_s, knee, part_per_s
from bench.records import Case, Point, Result, Score
from bench.statistics import median_interval

LATENCY = "p50"
KEY = ("mae", "accuracy")
"""The metrics that a list shows; a trend shows all that are the network's own."""


@dataclass(frozen=True)
class Number:
    """One number of one result: its 95 % interval where it has one, and what it was taken from.

    ``unit``: ``ms``, ``images/s``, ``requests/s``, ``years`` or ``share``; ``data`` tells which images and labels were
    scored, empty for a latency. ``derived``: the network itself does not say it.
    """

    measure: str
    unit: str
    value: float
    low: float | None
    high: float | None
    n: int
    data: str = ""
    derived: bool = False


def name_of(case: Case) -> str:
    """Return a case as one word, the network first: what a glob is matched with."""
    parts = [case.network, case.backend, case.device, case.precision, f"batch-{case.batch}", f"threads-{case.threads}"]
    parts.append(case.kind if case.scenario is None else f"{case.scenario}-{case.kind}")
    return "/".join(parts if case.dataset is None else [*parts, f"{case.dataset}:{case.split}"])


def numbers_of(result: Result) -> Iterator[Number]:
    """Yield the numbers of a result, none of one that is not ok."""
    if result.status != "ok":
        return
    if result.latency is not None and result.latency.times_ms:
        times = result.latency.times_ms
        low, high = median_interval(times, result.latency.by_round()) or (None, None)
        yield Number(LATENCY, "ms", float(np.median(times)), low, high, len(times))
    if result.points:
        yield from _of_points(result.points)
    fingerprint = result.fingerprint
    data = "" if fingerprint is None else f"{fingerprint.split_sha256} {fingerprint.n} {fingerprint.faces}"
    for score in result.scores:
        if score.groups is None:
            yield _of_score(score, data)


def _of_points(points: tuple[Point, ...]) -> Iterator[Number]:
    if any(point.part is not None for point in points):
        yield Number("throughput", "images/s", part_per_s(points, "overlapped"), None, None, len(points))
    elif any(point.judged is not None for point in points):
        best = best_rate(points)
        yield Number("rate", "requests/s", 0.0 if best is None else best.rate_per_s or 0.0, None, None, len(points))
    else:
        best = knee(points) or points[-1]
        yield Number("throughput", "images/s", images_per_s(best), None, None, len(best.times_ms))


def _of_score(score: Score, data: str) -> Number:
    head = "" if score.head is None else f" ({score.head})"
    unit = "years" if score.metric in ("mae", "rmse") else "share"
    measure = f"{score.task.replace('_', ' ')} {score.metric}{head}"
    return Number(measure, unit, score.value, *score.ci95, score.n, data, bool(score.derived))


def listed(measure: str) -> bool:
    """Whether a list of many cases shows a measure."""
    return " (" not in measure or measure.partition(" (")[0].rpartition(" ")[2] in KEY
