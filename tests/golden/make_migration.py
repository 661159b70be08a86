"""Run the OpenCV 4 code of docs/opencv5-migration.md on a made-up photograph, and keep what it gives.

    pip install 'opencv-python-headless<5'
    PYTHONPATH=.:tests python tests/golden/make_migration.py FOLDER

writes ``migration.npz``: ``code``, ``rows``, ``ages`` and ``genders``. FOLDER holds the files that the guide names:
deploy.prototxt, res10_300x300_ssd_iter_140000.caffemodel, and prototxt and caffemodel of both Levi-Hassner networks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
from migration_guide import OLD, SHARED, photograph

FOLDER = Path(__file__).parent


def main(folder: str) -> None:
    """Write the file."""
    os.chdir(folder)
    names = {"cv2": cv2, "image": photograph()}
    for block in (OLD[0], SHARED[0], OLD[1]):
        exec(block, names)
    rows = names["rows"][names["rows"][:, 2] > 0]
    print(f"{len(rows)} rows, {len(names['faces'])} faces; {names['ages'].argmax(1)}, {names['genders'].argmax(1)}")
    code = np.array("".join(OLD))
    np.savez_compressed(FOLDER / "migration.npz", code=code, rows=rows, ages=names["ages"], genders=names["genders"])


if __name__ == "__main__":
    main(sys.argv[1])
