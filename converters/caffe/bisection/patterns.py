"""What can be told of wrong numbers from the numbers alone."""

from __future__ import annotations

import numpy as np

from converters.caffe.kind import Array

CLOSE = 0.02
"""How near a pattern must come to the wrong numbers, as a share of how far those are from the right ones."""


def pattern(expected: Array, found: Array) -> str:
    """Say what can be seen in the numbers alone: a shape, an order, a factor, an offset, where they differ."""
    if expected.shape != found.shape:
        same = expected.size == found.size and np.allclose(expected.ravel(), found.ravel(), rtol=1e-4, atol=1e-5)
        return f"shape {found.shape} instead of {expected.shape}" + (", with the same numbers" if same else "")
    tolerance = CLOSE * float(np.abs(found - expected).max())
    if np.abs(np.sort(expected, axis=None) - np.sort(found, axis=None)).max() <= tolerance:
        return "the same numbers in another order"
    for where, axes in (("", None), (" each channel by another", (0, *range(2, expected.ndim)))):
        if axes is not None and (expected.ndim < 2 or expected[:, 0].size < 4):
            continue
        offset = (found - expected).mean(axis=axes, keepdims=True)
        if np.abs(found - expected - offset).max() <= tolerance:
            return f"off by a constant{where or f', {float(offset.ravel()[0]):.4g}'}"
        squares = (expected * expected).sum(axis=axes, keepdims=True)
        factor = (found * expected).sum(axis=axes, keepdims=True) / np.where(squares > 0, squares, 1)
        if np.abs(found - expected * factor).max() <= tolerance:
            return f"scaled by a constant{where or f', {float(factor.ravel()[0]):.4g}'}"
    return _place(np.abs(found - expected) > tolerance)


def _place(wrong: Array) -> str:
    """Say where numbers differ, if only in some places."""
    share = wrong.mean()
    if wrong.ndim == 4 and min(wrong.shape[2:]) > 2 and not wrong[:, :, 1:-1, 1:-1].any():
        return f"only at the edges of the image, {share:.0%} of the numbers"
    if wrong.ndim > 1 and wrong.shape[1] > 1:
        channels = np.flatnonzero(wrong.any(axis=(0, *range(2, wrong.ndim))))
        if len(channels) < wrong.shape[1]:
            return f"only in {len(channels)} of {wrong.shape[1]} channels, {channels[0]} to {channels[-1]}"
    return f"only in {share:.0%} of the numbers" if share < 0.5 else ""
