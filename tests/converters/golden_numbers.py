"""The numbers of the golden files: stored whole (int8), so that the files stay small, and used as sixteenths."""

from __future__ import annotations

from math import prod, sqrt

import numpy as np


def whole(generator: np.random.Generator, shape: tuple[int, ...], *, positive: bool = False) -> np.ndarray:
    """Return whole numbers (int8) between -40 and 39, or between 8 and 48."""
    numbers = generator.integers(-40, 40, shape, dtype=np.int8)
    return np.abs(numbers) + np.int8(8) if positive else numbers


def real(numbers: np.ndarray, *, fan_in: bool = False) -> np.ndarray:
    """Return what the network takes (float32). ``fan_in`` keeps a deep network's numbers small.

    Numbers that are stored as float32 are those that the network takes already.
    """
    if numbers.dtype == np.float32:
        return numbers
    divisor = round(sqrt(prod(numbers.shape[1:]))) if fan_in and numbers.ndim > 1 else 1
    return numbers / np.float32(16 * divisor)
