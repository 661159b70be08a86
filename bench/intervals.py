"""Intervals of shares and means: Wilson's for independent faces, else a seeded bootstrap that draws whole subjects.

Faces of one person are alike, so a thousand of fifty people say less than a thousand of a thousand. Where the subjects
are known each resample draws subjects with all their faces, which widens the interval to what is really known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Interval = tuple[float, float]

SEED = 20150607
RESAMPLES = 1000


@dataclass(frozen=True)
class Subjects:
    """Whose face each is, as an index (N,), and how many people they are. A face of nobody known is its own."""

    index: Array
    count: int


def subjects_of(subjects: Iterable[str | None]) -> Subjects | None:
    """Return who each face is of, by the N subjects' names, None or empty where unknown; None where none is known."""
    names = np.asarray([name or "" for name in subjects], dtype=object)
    known = names != ""
    if not known.any():
        return None
    distinct, index = np.unique(names[known], return_inverse=True)
    every = np.arange(len(names)) + len(distinct)
    every[known] = index
    _, dense = np.unique(every, return_inverse=True)
    return Subjects(dense, int(dense.max()) + 1)


def among(subjects: Subjects | None, faces: Array) -> Subjects | None:
    """Return the subjects of some ``faces``, an index or a mask, numbered anew."""
    if subjects is None:
        return None
    found, index = np.unique(subjects.index[faces], return_inverse=True)
    return Subjects(index, len(found))


def share(hits: Array, subjects: Subjects | None = None) -> tuple[float, Interval]:
    """Return the share of true values (N,) and its 95 % interval: Wilson's, or by subject from the bootstrap.

    By subject it is never narrower than that of independent faces: two people who happen to be alike, or one alone,
    would seem to leave nothing to chance.
    """
    from scipy.stats import binomtest

    found = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    interval = float(found.low), float(found.high)
    if subjects is not None:
        interval = _wider(interval, _bootstrap(hits.astype(np.float64), subjects))
    return float(hits.mean()), interval


def mean(values: Array, subjects: Subjects | None = None) -> tuple[float, Interval]:
    """Return the mean of ``values`` (N,) and its 95 % percentile bootstrap interval, never narrower by subject."""
    interval = _bootstrap(values, None)
    if subjects is not None:
        interval = _wider(interval, _bootstrap(values, subjects))
    return float(values.mean()), interval


def _wider(one: Interval, other: Interval) -> Interval:
    return min(one[0], other[0]), max(one[1], other[1])


def _bootstrap(values: Array, subjects: Subjects | None) -> Interval:
    if len(values) < 2 or np.ptp(values) == 0:
        value = float(values.mean())
        return value, value
    draws = resampled(values[:, None], subjects)[:, 0]
    low, high = np.quantile(draws, expanded(0.05, len(values) if subjects is None else subjects.count))
    return float(low), float(high)


def resampled(columns: Array, subjects: Subjects | None = None, resamples: int = RESAMPLES) -> Array:
    """Return the means (resamples, K) of the columns (N, K) in resamples of the faces, or of whole subjects; seeded.

    All columns are drawn together, so that differences between them keep what they have in common.
    """
    sums, faces = totals(columns, subjects), totals(np.ones((len(columns), 1)), subjects)
    both = np.concatenate([sums, faces], axis=1)
    rng = np.random.default_rng(SEED)
    drawn = np.empty((resamples, both.shape[1]))
    for number in range(resamples):
        weights = np.bincount(rng.integers(len(both), size=len(both)), minlength=len(both))
        drawn[number] = weights @ both
    means: Array = drawn[:, :-1] / drawn[:, -1:]
    return means


def totals(columns: Array, subjects: Subjects | None) -> Array:
    """Return the sums (C, K) over each subject's faces of the columns (N, K); without subjects the columns."""
    if subjects is None:
        return columns
    return np.stack([np.bincount(subjects.index, column, subjects.count) for column in columns.T], axis=1)


def expanded(alpha: float, drawn: int) -> tuple[float, float]:
    """Return the two quantiles that leave out ``alpha`` where ``drawn`` faces or subjects were resampled.

    Plain percentiles are too narrow for few of them: they divide by n and know nothing of Student's t (Hesterberg,
    "What Teachers Should Know About the Bootstrap", 2015: the expanded percentile interval).
    """
    from scipy.stats import norm, t

    if drawn < 2:
        return 0.0, 1.0
    tail = float(norm.cdf(np.sqrt(drawn / (drawn - 1)) * t.ppf(alpha / 2, drawn - 1)))
    return tail, 1 - tail
