"""Ask OpenCV 4's own Caffe importer about a detector; Caffe itself, as it is packed for Python, has no layers for it.

    pip install 'opencv-python-headless<5'
    python -m zoo.golden.make_ssd res10-ssd-face [--mirror DIR]

writes ``res10-ssd-face.npz`` beside this file. The faces have room around them: where one fills the picture the network
itself sees a dozen others outside of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from zoo.card import find_card
from zoo.golden import Arrays, pictures
from zoo.golden.make_keras import write
from zoo.store import fetch_weights


def ask(prototxt: Path, caffemodel: Path, feeds: Arrays) -> Arrays:
    """Return the detections (1, 1, K, 7) in all images, by image, class and falling confidence."""
    dnn: Any = cv2.dnn  # OpenCV 5, after which types are checked, has no such reader
    net = dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    for name, feed in feeds.items():
        net.setInput(feed, name)
    (output,) = net.getUnconnectedOutLayersNames()
    rows = net.forward(output)[0, 0]
    rows = rows[rows[:, 2] > 0]  # OpenCV fills up with rows of zeros
    return {output: rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))][None, None]}


def main() -> None:
    """Write golden files."""
    parser = argparse.ArgumentParser(description="Write the golden files of Caffe detectors.")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--mirror", type=Path)
    arguments = parser.parse_args()
    for card in map(find_card, arguments.names):
        files = fetch_weights(card, arguments.mirror)
        paths = {weights.role: files[weights.file] for weights in card.graph()}
        inputs = pictures.crowds(card.input[0], 8)
        rows = ask(paths["prototxt"], paths["caffemodel"], pictures.fed(inputs))
        framework = f"OpenCV {cv2.__version__} (its importer of Caffe's files, CPU)"
        write(card, rows, inputs, {"framework": framework, **pictures.about(card.input[0])}, kind="found")


if __name__ == "__main__":
    main()
