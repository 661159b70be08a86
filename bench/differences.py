"""Whether two columns of the same faces differ: the tests, their intervals, and the words for what comes out.

A test that finds nothing proves no equality. So there are three verdicts, and ``equal`` has to be shown like any other:
by an interval that lies within the margin as a whole (two one-sided tests, Schuirmann 1987).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bench.intervals import Interval, Subjects, resampled, totals

Array = np.ndarray[Any, Any]
Verdict = Literal["equal", "different", "not enough data"]

ALPHA = 0.01
"""The risk of saying ``different`` where there is nothing, and what the intervals of differences leave out."""

MARGIN = {"accuracy": 0.01, "one_off": 0.01, "mae": 0.1}
"""What counts as no difference: one point of a hundred, a tenth of a year."""

FEWEST_FACES = 20
FEWEST_SUBJECTS = 10
RESAMPLES = 2000


@dataclass(frozen=True)
class Difference:
    """The first less the second, over ``n`` faces of ``subjects`` people, with its 99 % interval and p-value.

    ``only`` counts the faces that only the first, and only the second, got right; None for years.
    """

    value: float
    interval: Interval
    p: float
    n: int
    subjects: int | None = None
    only: tuple[int, int] | None = None


def of_shares(first: Array, second: Array, subjects: Subjects | None = None) -> Difference:
    """Compare two columns of hits (N,) by McNemar's test.

    Independent faces: the mid-p version, from the exact counts, which Fagerland, Lydersen and Laake ("The McNemar test
    for binary matched-pairs data", 2013) advise for few discordant pairs and for many; the interval is Bonett and
    Price's (2012). Faces of subjects: each subject's discordant faces are summed, and the sums held against their own
    variance (Yang, Sun and Hardin, "A note on the tests for clustered matched-pair binary data", 2010), by Student's t;
    the interval is from the spread between subjects, and never narrower than that of independent faces.
    """
    gained, lost = int((first & ~second).sum()), int((second & ~first).sum())
    n, value = len(first), float(first.mean() - second.mean())
    low, high = _bonett_price(gained, lost, n)
    if subjects is None:
        return Difference(value, (low, high), _mid_p(gained, lost), n, None, (gained, lost))
    sums = totals(np.stack([first.astype(float) - second, np.ones(n)], axis=1), subjects)
    half = _student(ALPHA, len(sums) - 1) * _robust_error(sums)
    interval = min(low, value - half), max(high, value + half)
    return Difference(value, interval, _clustered_p(sums[:, 0]), n, subjects.count, (gained, lost))


def of_years(errors: Array, subjects: Subjects | None = None) -> dict[tuple[int, int], Difference]:
    """Compare every two of the columns of absolute errors (N, K) in years, by (first, second) < K.

    The standard error of each difference is that of a bootstrap of faces, or of whole subjects, in which all columns
    are drawn together; test and interval are Student's t with it.
    """
    from scipy.stats import t

    drawn, means = resampled(errors, subjects, RESAMPLES), errors.mean(axis=0)
    clusters = len(errors) if subjects is None else subjects.count
    found = {}
    for first in range(errors.shape[1]):
        for second in range(first + 1, errors.shape[1]):
            value = float(means[first] - means[second])
            error = float(np.std(drawn[:, first] - drawn[:, second], ddof=1))
            half = _student(ALPHA, clusters - 1) * error if error else 0.0
            p = float(2 * t.sf(abs(value) / error, clusters - 1)) if error else float(value == 0)
            of = None if subjects is None else subjects.count
            found[first, second] = Difference(value, (value - half, value + half), p, len(errors), of)
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number, so that one false one in all of them is as unlikely as in one."""
    order, adjusted, largest = np.argsort(p_values, kind="stable"), [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def verdict(difference: Difference, margin: float, p: float | None = None) -> Verdict:
    """Say what a difference amounts to; ``p`` is its p-value where that was adjusted.

    ``equal`` stands first: a difference that is surely there, and surely smaller than the margin, is none to speak of.
    """
    if not speaks(difference):
        return "not enough data"
    low, high = difference.interval
    if -margin <= low and high <= margin:
        return "equal"
    return "different" if (difference.p if p is None else p) < ALPHA else "not enough data"


def speaks(difference: Difference) -> bool:
    """Whether there are enough faces, and enough people, for a difference to say anything."""
    people = FEWEST_SUBJECTS if difference.subjects is None else difference.subjects
    return difference.n >= FEWEST_FACES and people >= FEWEST_SUBJECTS


def _mid_p(gained: int, lost: int) -> float:
    from scipy.stats import binom

    discordant, fewer = gained + lost, min(gained, lost)
    p = 2 * binom.cdf(fewer, discordant, 0.5) - binom.pmf(fewer, discordant, 0.5)
    return min(1.0, float(p))


def _clustered_p(sums: Array) -> float:
    """Return the p-value of the sums (C,) of each subject's discordant faces: 1 for the first's, -1 for the other's."""
    from scipy.stats import t

    found = sums[sums != 0]
    if len(found) < 2:
        return 1.0
    return float(2 * t.sf(abs(found.sum()) / np.sqrt((found**2).sum()), len(found) - 1))


def _robust_error(sums: Array) -> float:
    """Return the standard error of the mean over all faces, of the sums and numbers of faces (C, 2) of each subject."""
    if len(sums) < 2:
        return float("inf")
    total, faces = sums.sum(axis=0)
    rest = sums[:, 0] - sums[:, 1] * total / faces
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (rest**2).sum()) / faces)


def _bonett_price(gained: int, lost: int, n: int) -> Interval:
    """Return the interval of the difference of two paired shares, by adding one discordant face to either side.

    Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data",
    2012. It does not shrink to nothing where no face is discordant.
    """
    from scipy.stats import norm

    one, two = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = float(norm.ppf(1 - ALPHA / 2) * np.sqrt((one + two - (one - two) ** 2) / (n + 2)))
    return max(-1.0, one - two - half), min(1.0, one - two + half)


def _student(alpha: float, freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - alpha / 2, freedom)) if freedom > 0 else float("inf")
