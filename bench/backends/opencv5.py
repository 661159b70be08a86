"""OpenCV DNN of version 5, in an environment of its own where the harness has OpenCV 4: the same code.

Where the harness has version 5 itself this is what ``opencv`` is, and the two are measured once.
"""

from __future__ import annotations

from bench.backends import opencv
from bench.backends.opencv import DEVICES, OPTIONS, REMEDIES, load
from bench.types import Unavailable

__all__ = ["DEVICES", "OPTIONS", "REMEDIES", "load", "version"]

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
