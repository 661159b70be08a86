"""The code blocks of docs/opencv5-migration.md, and the photograph that they are tried on."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np

import bench.sample

GUIDE = Path(__file__).parents[1] / "docs" / "opencv5-migration.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
PYTHON = [text for language, text in BLOCKS if language == "python"]
OLD = [text for text in PYTHON if "readNetFromCaffe" in text]
NEW = [text for text in PYTHON if "readNetFromONNX" in text]
SHARED = [text for text in PYTHON if "readNet" not in text]
COMMANDS = [line for language, text in BLOCKS if not language for line in text.splitlines()]
SAMPLES = ("female_25-27_1.jpg", "male_48-50_2.jpg")


def photograph() -> np.ndarray:
    """Return two faces of the built-in sample beside each other in an image (400, 800, 3), uint8 BGR."""
    image = np.full((400, 800, 3), 127, np.uint8)
    for place, name in zip((80, 500), SAMPLES, strict=True):
        image[90:290, place : place + 200] = cv2.imread(str(Path(bench.sample.__file__).parent / "images" / name))
    return image
