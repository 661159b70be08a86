"""Inputs for the three networks of MTCNN, and the fourth that refines its landmarks; the weights are the authors'."""

from __future__ import annotations

import zlib

import numpy as np

SAMPLES = 3
LARGE = (3, 41, 35)
"""An image for the first network, which is convolutional and takes any that is no smaller than (3, 12, 12)."""


def faces(shape: tuple[int, ...]) -> np.ndarray:
    """Return seeded samples of that shape, float32 from -1 to 1: the networks take (pixel - 127.5) / 128."""
    stream = np.random.RandomState(zlib.crc32(repr(shape).encode()))
    return stream.randint(-128, 128, (SAMPLES, *shape), dtype=np.int16).astype(np.float32) / np.float32(128)
