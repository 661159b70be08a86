"""Percentiles that say when there are too few samples for them, and medians and ratios whose intervals cover.

The runs of one round share what the machine did just then, so a hundred runs in ten rounds are ten observations, not a
hundred: wherever rounds are known, an interval counts rounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

import numpy as np

ENOUGH = {10: 64, 50: 1, 90: 64, 99: 662}
"""How many samples a percentile needs: the early-stopping bound of MLPerf Inference."""

CONFIDENCE = 0.95

LEAST_ROUNDS = 6
"""So many observations the 95 % interval of a median needs: all of five lie on one side of it once in 16 times."""

Rounds = Sequence[Sequence[float]]
"""The times of single runs, by the round that they were taken in."""


@dataclass(frozen=True)
class Ratio:
    """How many times as long one case takes as another, with its 95 % interval.

    ``pairs``: how many rounds it was taken from. ``low`` and ``high`` are None with fewer than `LEAST_ROUNDS` of them.
    """

    value: float
    low: float | None
    high: float | None
    pairs: int


def percentile(times: Sequence[float], q: int) -> float | None:
    """Return the ``q``-th percentile of ``times``, or None when there are fewer than ``ENOUGH[q]`` of them."""
    return float(np.percentile(times, q)) if len(times) >= ENOUGH[q] else None


def median_interval(times: Sequence[float], rounds: Rounds = ()) -> tuple[float, float] | None:
    """Return the 95 % interval of the median of ``times``, from order statistics: no distribution is assumed.

    ``rounds``: the same times by round, in order. The interval is then that of the rounds' medians, and wider where
    rounds resemble the one before; without them every time counts as independent of the others. None with fewer than
    `LEAST_ROUNDS` rounds, or times.
    """
    if not rounds:
        return _order_interval(times)
    found = _order_interval(medians(rounds), _resemblance(medians(rounds)))
    if found is None:
        return None
    middle = float(np.median(times))  # of rounds with unequal numbers of runs it may lie beyond their medians
    return min(found[0], middle), max(found[1], middle)


def paired_ratio(slow_rounds: Rounds, fast_rounds: Rounds) -> Ratio:
    """Return how many times as long ``slow_rounds`` take: the median of the ratios of the medians of each round.

    The rounds of both were taken side by side, so what the machine did in a round is in both and cancels out.
    Raises ValueError when there are none, or not as many of one as of the other.
    """
    if not slow_rounds or len(slow_rounds) != len(fast_rounds):
        raise ValueError(f"{len(slow_rounds)} and {len(fast_rounds)} rounds are no pairs")
    ratios = [slow / fast for slow, fast in zip(medians(slow_rounds), medians(fast_rounds), strict=True)]
    low, high = _order_interval(ratios) or (None, None)
    return Ratio(float(np.median(ratios)), low, high, len(ratios))


def unpaired_ratio(slow_rounds: Rounds, fast_rounds: Rounds) -> Ratio:
    """Return how many times as long ``slow_rounds`` take that were measured at another time than ``fast_rounds``.

    The median of the ratios of every round's median with every other's (Hodges and Lehmann 1963), with the interval
    that belongs to the Mann-Whitney test. ``pairs`` is the smaller number of rounds. Raises ValueError for no rounds.
    """
    if not slow_rounds or not fast_rounds:
        raise ValueError(f"{len(slow_rounds)} and {len(fast_rounds)} rounds: there is nothing to compare")
    ratios = np.sort(np.divide.outer(medians(slow_rounds), medians(fast_rounds)), axis=None)
    fewest = min(len(slow_rounds), len(fast_rounds))
    if fewest < LEAST_ROUNDS:
        return Ratio(float(np.median(ratios)), None, None, fewest)
    rank = _mann_whitney_rank(len(slow_rounds), len(fast_rounds))
    return Ratio(float(np.median(ratios)), float(ratios[rank - 1]), float(ratios[-rank]), fewest)


def medians(rounds: Rounds) -> list[float]:
    """Return the median of each round."""
    return [float(median(times)) for times in rounds]


def _order_interval(values: Sequence[float], resemblance: float = 0.0) -> tuple[float, float] | None:
    rank, middle = _sign_rank(len(values)), len(values) / 2
    if rank < 1:
        return None
    if resemblance > 0:  # as many fewer values count as independent
        rank = max(1, math.floor(middle - (middle - rank) * math.sqrt((1 + resemblance) / (1 - resemblance))))
    ordered = sorted(values)
    return float(ordered[rank - 1]), float(ordered[-rank])


def _resemblance(values: Sequence[float]) -> float:
    """Return the correlation of one value with the next, by the side of the median that they lie on: 0 to below 1."""
    sides = np.sign(np.asarray(values) - np.median(values))
    return max(0.0, float(sides[1:] @ sides[:-1]) / len(sides))


@cache
def _sign_rank(count: int) -> int:
    """Return how many of ``count`` values one counts in from either end for the interval of the median; 0: too few."""
    from scipy.stats import binom

    return int(binom.ppf((1 - CONFIDENCE) / 2, count, 0.5))


@cache
def _mann_whitney_rank(first: int, second: int) -> int:
    """Return the same for the ratios of ``first`` with ``second`` values, from the exact distribution of U."""
    ways = np.zeros((first + 1, first * second + 1))  # chosen so far x U so far, how often
    ways[0, 0] = 1
    for place in range(first + second):
        for chosen in range(min(first, place + 1), 0, -1):
            beaten = place + 1 - chosen  # of the other sample there are so many below this place
            if beaten <= second:
                ways[chosen, beaten:] += ways[chosen - 1, : first * second + 1 - beaten]
    shares = np.cumsum(ways[first]) / ways[first].sum()
    return int(np.searchsorted(shares, (1 - CONFIDENCE) / 2))
