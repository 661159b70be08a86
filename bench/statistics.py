"""Percentiles that say when there are too few samples for them, and what a set of times warns of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

ENOUGH = {10: 64, 50: 1, 90: 64, 99: 662}
"""How many samples a percentile needs: the early-stopping bound of MLPerf Inference."""

DRIFT = 0.10
OUTLIERS = 0.05


def percentile(times: Sequence[float], q: int) -> float | None:
    """Return the ``q``-th percentile of ``times``, or None when there are fewer than ``ENOUGH[q]`` of them."""
    return float(np.percentile(times, q)) if len(times) >= ENOUGH[q] else None


def median_interval(times: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median of ``times``, from order statistics (no distribution is assumed)."""
    from scipy.stats import quantile_test

    interval: Any = quantile_test(times, q=0, p=0.5).confidence_interval(0.95)
    low, high = float(interval.low), float(interval.high)
    return (low if np.isfinite(low) else min(times)), (high if np.isfinite(high) else max(times))


def warnings(rounds: Sequence[Sequence[float]], *, steady: bool) -> list[str]:
    """Say what is odd about the times in ms of the ``rounds`` of one case, and what to do about it."""
    found = []
    if not steady:
        found.append(
            "unsteady: the warm-up ended before two windows agreed within 5 %; close other programs and repeat"
        )
    medians = [float(np.median(times)) for times in rounds]
    half = len(medians) // 2
    if half:
        first, second = float(np.median(medians[:half])), float(np.median(medians[half:]))
        if abs(second - first) > DRIFT * first:
            found.append(
                f"drift: the second half of the rounds has a median of {second:.2f} ms, the first {first:.2f} ms"
            )
    times = np.concatenate([np.asarray(r) for r in rounds])
    far = float(np.mean(times > 2 * np.median(times)))
    if far > OUTLIERS:
        found.append(f"outliers: {far:.0%} of the runs took over twice the median; other programs were likely running")
    return found
