"""OpenCV DNN of version 5, in an environment of its own where the harness has OpenCV 4: the same code.

Version 4 has the classic engine alone, and is the last that reads Caffe files (see ``source``).
"""

from __future__ import annotations

from bench.backends import opencv
from bench.backends.opencv import DEVICES, OPTIONS, load
from bench.types import Unavailable

__all__ = ["DEVICES", "OPTIONS", "load", "version"]

NEEDS = (
    "opencv-python-headless>=5,<6 | opencv-python>=5,<6"
    " | opencv-contrib-python-headless>=5,<6 | opencv-contrib-python>=5,<6",
)


def version() -> str:
    """Return the version of the installed OpenCV. Raises Unavailable where that is no 5."""
    found = opencv.version()
    if not found.startswith("5."):
        raise Unavailable(f"the OpenCV here is {found}, not 5: python -m bench env create opencv5")
    return found
