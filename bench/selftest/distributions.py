"""The statistics on distributions whose percentiles are known exactly: seeded, so the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bench.selftest.check import Check
from bench.statistics import ENOUGH, Rounds, median_interval, paired_ratio, percentile, unpaired_ratio

SAMPLES = 10_000
ROUNDS = 30
RUNS = 15
BETWEEN, WITHIN = 0.05, 0.02
"""Spread of the rounds' own speed, and of the runs inside one, as the noise of a shared machine was seen to be."""

COVERED = 0.93
"""Of intervals that are to hold the true value 95 times in 100; none of them is below it by itself."""


def checks(simulations: int) -> list[Check]:
    """Return the checks of percentiles and, over ``simulations`` of each, of how often the intervals hold the truth."""
    return [_percentiles(), _too_few(), *(_coverage(name, of, simulations) for name, of in INTERVALS.items())]


def _percentiles() -> Check:
    """Compare on the scale of probability: there the error of a percentile is the same for every distribution."""
    from scipy import stats

    known: Mapping[str, Any] = {
        "normal": stats.norm(5, 0.5),
        "lognormal": stats.lognorm(0.7, scale=5),
        "exponential": stats.expon(scale=5),
    }
    worst, where = 0.0, ""
    for number, (name, distribution) in enumerate(known.items()):
        times = distribution.rvs(SAMPLES, random_state=number).tolist()
        for q in ENOUGH:
            found = percentile(times, q)
            assert found is not None
            share = q / 100
            error = abs(distribution.cdf(found) - share) / np.sqrt(share * (1 - share) / SAMPLES)
            worst, where = max((worst, where), (float(error), f"p{q} of the {name} one"))
    return Check(
        f"percentiles of {', '.join(known)} distributions",
        f"worst: {where}, {worst:.1f} standard errors",
        "at most 4",
        worst <= 4,
    )


def _too_few() -> Check:
    wrong = [
        f"p{q} of {n}"
        for q, least in ENOUGH.items()
        for n in range(1, 2 * least)
        if (percentile([1.0] * n, q) is not None) != (n >= least)
    ]
    measured = f"wrong: {', '.join(wrong)}" if wrong else "withheld"
    return Check("percentiles of too few samples", measured, "withheld", not wrong)


def _rounds(generator: np.random.Generator, machine: np.ndarray[Any, Any] | None = None) -> Rounds:
    """Return times in ms whose true median is 1: of each round the speed that the machine had, and runs around it."""
    speeds = generator.normal(scale=BETWEEN, size=ROUNDS) if machine is None else machine
    times = np.exp(speeds[:, None] + WITHIN * generator.normal(size=(ROUNDS, RUNS)))
    rounds: Rounds = times.tolist()
    return rounds


def _median(generator: np.random.Generator) -> bool:
    rounds = _rounds(generator)
    return _holds(median_interval([t for times in rounds for t in times], rounds))


def _paired(generator: np.random.Generator) -> bool:
    machine = generator.normal(scale=BETWEEN, size=ROUNDS)
    ratio = paired_ratio(_rounds(generator, machine), _rounds(generator, machine))
    return _holds((ratio.low, ratio.high))


def _unpaired(generator: np.random.Generator) -> bool:
    ratio = unpaired_ratio(_rounds(generator), _rounds(generator))
    return _holds((ratio.low, ratio.high))


def _holds(interval: tuple[float | None, float | None] | None) -> bool:
    low, high = interval or (None, None)
    return low is not None and high is not None and low <= 1 <= high


INTERVALS: Mapping[str, Callable[[np.random.Generator], bool]] = {
    "the median of a case": _median,
    "the ratio of two cases side by side": _paired,
    "the ratio of two runs": _unpaired,
}


def _coverage(name: str, covers: Callable[[np.random.Generator], bool], simulations: int) -> Check:
    generator = np.random.default_rng(7)
    share = float(np.mean([covers(generator) for _ in range(simulations)]))
    return Check(
        f"95 % interval of {name}",
        f"holds the truth in {share:.1%} of {simulations}",
        f"at least {COVERED:.0%}",
        share >= COVERED,
    )
