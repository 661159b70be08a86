"""Where a series changes for good: PELT of `ruptures`, on values whose noise is judged by their neighbours.

One run or two that stand apart are no step: a machine that was busy for an afternoon has changed nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converters.errors import BadInput

PENALTY = 25.0
"""What a step has to explain, in variances of the noise. Of series without a step, of 6 to 160 runs with normal, heavy
tailed (Student's t, 3 degrees of freedom), contaminated (one run in twenty 8 deviations off) or self-resembling (0.3)
noise, at most 5 % have one by it; half as much would give up to 20 %. A step of three deviations is found with three
runs behind it."""
LEAST = 3
"""Runs before and after a step."""
WINDOW = 5
"""Runs whose median none may stray from by more than `STRAY` deviations: that keeps steps, and no outliers."""
STRAY = 3.0
FLOOR = {"ms": 0.005, "images/s": 0.005, "requests/s": 0.02, "years": 1e-4, "share": 1e-4}
"""The least noise that is assumed, as a share of the value. Scores have none on the same machine, and a change in the
fifth digit is none that anyone needs to see."""


def steps(values: Sequence[float], unit: str) -> list[int]:
    """Return the places in ``values`` where a new level begins, rising.

    ``unit`` says how much noise there is at least (`FLOOR`). Raises BadInput where `ruptures` is not installed.
    """
    if len(values) < 2 * LEAST:
        return []
    given = np.asarray(values, dtype=np.float64)
    scaled = np.log(np.maximum(given, np.finfo(float).tiny)) if (given > 0).all() else given
    floor = FLOOR[unit] if (given > 0).all() else FLOOR[unit] * max(1.0, float(np.abs(given).max()))
    noise = max(float(np.median(np.abs(np.diff(scaled)))) / (0.6745 * np.sqrt(2)), floor)
    from scipy.ndimage import median_filter

    level = median_filter(scaled, WINDOW, mode="reflect")
    steady = np.clip(scaled, level - STRAY * noise, level + STRAY * noise) / noise
    found = _pelt()(model="l2", min_size=LEAST, jump=1).fit(steady).predict(pen=PENALTY)
    return [int(place) for place in found[:-1]]


def _pelt() -> type:
    try:
        from ruptures import Pelt
    except ImportError as error:
        raise BadInput(
            "steps are found by ruptures, which is not installed: pip install 'agebench[history]'"
        ) from error
    kind: type = Pelt
    return kind
