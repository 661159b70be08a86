"""How much of each pixel goes into each pixel of a resized picture: TensorFlow's ScaleAndTranslate and ResizeBicubic.

Pixels are squares, whose centres lie at a half; what lies outside the picture has no weight, and the rest sums to 1.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

import numpy as np

from converters.keras.kind import Array

Kernel = Callable[[Array], Array]


def _triangle(x: Array) -> Array:
    return np.asarray(np.maximum(0.0, 1.0 - np.abs(x)))


def _cubic(x: Array) -> Array:
    """Keys' kernel with a = -0.5."""
    x = np.abs(x)
    outer = np.where(x < 2, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0, 0.0)
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1.0, outer)


def _lanczos(radius: int) -> Kernel:
    return lambda x: np.where(np.abs(x) > radius, 0.0, np.sinc(x) * np.sinc(x / radius))


KERNELS: dict[str, tuple[Kernel, int]] = {
    "bilinear": (_triangle, 1),
    "bicubic": (_cubic, 2),
    "lanczos3": (_lanczos(3), 3),
    "lanczos5": (_lanczos(5), 5),
}
"""Each with how far it reaches."""


def matrix(mode: str, source: int, target: int, *, antialias: bool) -> Array:
    """Return what each of ``target`` pixels takes of each of ``source`` pixels, as TensorFlow's ScaleAndTranslate."""
    kernel, radius = KERNELS[mode]
    ratio = source / target
    wide = max(ratio, 1.0) if antialias else 1.0
    found = np.zeros((target, source))
    for place in range(target):
        centre = (place + 0.5) * ratio
        if mode == "bicubic" and not antialias:  # TensorFlow has a table of weights for 1024 places between two pixels
            centre = np.rint((centre - 0.5) * 1024) / 1024 + 0.5
        first, last = ceil(centre - radius * wide - 0.5), floor(centre + radius * wide - 0.5)
        taken = np.arange(max(first, 0), min(last, source - 1) + 1)
        weights = kernel((taken + 0.5 - centre) / wide)
        found[place, taken] = weights / weights.sum()
    return found
