"""Ours against a published number: not in pairs, for nobody has the others' answers, and on other images.

So it can only be said whether the two lie further apart than both their spreads explain.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.differences import ALPHA, MARGIN
from bench.intervals import Interval
from bench.records import Score
from zoo.fields import Claim

Verdict = Literal["equal", "different", "not enough data", "published without spread"]


@dataclass(frozen=True)
class Unpaired:
    """Ours less the published number, its 99 % interval, and the verdict; no interval without a published spread."""

    value: float
    interval: Interval | None
    verdict: Verdict


def against(score: Score, claim: Claim) -> Unpaired | None:
    """Hold a score against a claim of the same task and metric by a z of Welch's kind; None for a claim of a table.

    The published standard deviation is that of folds, or of repeated runs. It is taken whole as the uncertainty of the
    published mean, not divided by the root of their number: their training sets overlap, so they are not independent.
    """
    from scipy.stats import norm

    if claim.value is None or claim.metric not in MARGIN:
        return None
    value = score.value - claim.value
    if claim.sd is None:
        return Unpaired(value, None, "published without spread")
    ours = (score.ci95[1] - score.ci95[0]) / (2 * norm.ppf(0.975))
    half = float(norm.ppf(1 - ALPHA / 2) * np.hypot(ours, claim.sd))
    low, high, margin = value - half, value + half, MARGIN[claim.metric]
    if -margin <= low and high <= margin:
        return Unpaired(value, (low, high), "equal")
    return Unpaired(value, (low, high), "not enough data" if low <= 0 <= high else "different")


def same_dataset(claim: Claim, dataset: str | None) -> bool:
    """Whether a claim is of a data set as its adapter is named: ``IMDB-WIKI`` is ``imdb_wiki``."""
    return re.sub(r"[^a-z0-9]", "", claim.dataset.lower()) == re.sub(r"[^a-z0-9]", "", (dataset or "-").lower())
