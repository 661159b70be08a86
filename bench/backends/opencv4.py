"""OpenCV DNN of the last version 4, in an environment of its own where the harness has OpenCV 5: the same code.

Version 4 has the classic engine alone, and is the last that reads Caffe files (see ``source``).
"""

from __future__ import annotations

from bench.backends import opencv
from bench.backends.opencv import DEVICES, OPTIONS, REMEDIES, load
from bench.types import Unavailable

__all__ = ["DEVICES", "OPTIONS", "REMEDIES", "load", "version"]

NEEDS = (
    "opencv-python-headless>=4.10,<5 | opencv-python>=4.10,<5"
    " | opencv-contrib-python-headless>=4.10,<5 | opencv-contrib-python>=4.10,<5",
)


def version() -> str:
    """Return the version of the installed OpenCV. Raises Unavailable where that is no 4."""
    found = opencv.version()
    if not found.startswith("4."):
        raise Unavailable(f"the OpenCV here is {found}, not 4: python -m bench env create opencv4")
    return found
