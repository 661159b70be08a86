"""A face moved at random, so that a network never sees quite the same one twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo.recipes import Augmentation

Array = np.ndarray[Any, Any]


def moved(image: Array, by: Augmentation, generator: np.random.Generator) -> Array:
    """Return ``image`` (height, width, 3), 8 bits, mirrored, turned, scaled, shifted and lit at random."""
    import cv2

    height, width = image.shape[:2]
    turn, scale, right, down, contrast, light = generator.uniform(-1, 1, 6)
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn * by.turn, 1 + scale * by.scale)
    matrix[:, 2] += right * by.shift * width, down * by.shift * height
    if generator.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    turned = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.convertScaleAbs(turned, alpha=1 + contrast * by.light, beta=light * by.light * 128)
