"""Whether a network's shares are chances: of the faces that it is 80 % sure of it should be right about four in five.

Two definitions, by what a head says. Classes (age groups, gender): the expected calibration error of the most likely
class (Guo et al., "On Calibration of Modern Neural Networks", 2017). Ages: hitting one year of a hundred says little,
so the quantiles are asked: a tenth of all true ages should lie below the tenth of its distribution (Kuleshov et al.,
"Accurate Uncertainties for Deep Learning Using Calibrated Regression", 2018).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.records import Calibration

Array = np.ndarray[Any, Any]

BINS = 15
LEVELS = tuple(float(level) for level in np.arange(1, 20) / 20)


def top_label(shares: Array, truth: Array) -> Calibration:
    """Compare the largest share of each row (N, K) with how often that class is the true one (N,)."""
    confidence, hits = shares.max(axis=1), shares.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    distance = np.abs(np.bincount(bins, confidence, BINS) - np.bincount(bins, hits, BINS))
    return Calibration(
        kind="top_label",
        error=float(distance.sum() / len(truth)),
        claimed=float(confidence.mean()),
        observed=float(hits.mean()),
        n=len(truth),
    )


def quantile(shares: Array, ages: Array, truth: Array) -> Calibration:
    """Compare where the true ages (N,) in years lie in distributions (N, K) over whole ``ages`` (K,) with all levels.

    A whole year covers a range of the levels, and counts for each level in part (the non-randomised probability
    integral transform of Czado, Gneiting and Held, "Predictive Model Assessment for Count Data", 2009). A true age
    beyond those of the head lies at its end.
    """
    years, totals = np.floor(truth), shares.sum(axis=1)
    below = (shares * (ages < years[:, None])).sum(axis=1) / totals
    at = (shares * (ages == years[:, None])).sum(axis=1) / totals

    def observed(level: float) -> float:
        part = np.divide(level - below, at, out=(below <= level).astype(float), where=at > 0)
        return float(np.clip(part, 0, 1).mean())

    return Calibration(
        kind="quantile",
        error=float(np.mean([abs(observed(level) - level) for level in LEVELS])),
        claimed=0.9,
        observed=observed(0.95) - observed(0.05),
        n=len(truth),
    )
