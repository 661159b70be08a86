"""Ask OpenCV 4 about the layers of the SSD fork, which the Caffe that can be installed has not.

    pip install 'opencv-python-headless<5'
    PYTHONPATH=.:tests/converters python tests/golden/make_ssd_layers.py [CAFFEMODEL PROTOTXT]

writes ``ssd/layers.npz``: ``boxes <i>`` and ``rows <i>`` for the cases of ``ssd_cases``, and of Normalize ``normalize
<i>`` with ``data <i>`` and ``weights <i>``; a text beside each tells when the case has changed. With the two files of
the face detector it writes ``ssd/res10.npz``: ``rows <images>``, the detections in the first images of the built-in
sample, at once. Rows are what OpenCV finds, without the zeros behind them, in Caffe's order.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from caffe_nets import caffemodel
from golden_numbers import real, whole
from layer_cases import cases
from ssd_cases import BOXES, DETECTORS, spelled_out

import bench.sample

FOLDER = Path(__file__).parent / "ssd"
IMAGES = Path(bench.sample.__file__).parent / "images"
BATCHES = (1, 3)


def main(files: list[str]) -> None:
    """Write both files, or one."""
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / "layers.npz", **ask_layers())
    if files:
        caffemodel_file, prototxt = files
        np.savez_compressed(FOLDER / "res10.npz", **ask_detector(cv2.dnn.readNetFromCaffe(prototxt, caffemodel_file)))


def ask_layers() -> dict[str, np.ndarray]:
    """Return OpenCV's answers to the cases of the layers."""
    found: dict[str, np.ndarray] = {}
    for index, case in enumerate(BOXES):
        if not case.differs:
            feeds = {
                name: np.zeros(shape, np.float32) for name, shape in (("data", case.feature), ("data_2", case.image))
            }
            found |= {f"boxes {index}": answer(case.network, feeds), f"boxes {index} text": np.array(case.text)}
    for index, case in enumerate(DETECTORS):
        if not case.differs:
            rows = in_order(answer(case.network, case.feed()))
            found |= {f"rows {index}": rows, f"rows {index} text": np.array(case.text)}
            print(index, rows.shape, case.text)
    generator = np.random.default_rng(5)
    for case in cases():
        shared = "channel_shared: false" not in case.text
        if case.type == "Normalize" and len(case.bottoms[0]) == 4 and (shared or "across_spatial: false" in case.text):
            wide = 1 if shared else case.bottoms[0][1]  # what is left out OpenCV refuses
            data, weights = whole(generator, case.bottoms[0]), whole(generator, (wide,))
            top = answer(case.network, {"data": real(data)}, caffemodel({"top": [real(weights)]}))
            key = f"normalize {case.number}"
            found |= {key: top, f"{key} data": data, f"{key} weights": weights, f"{key} text": np.array(case.text)}
    return found


def answer(network: str, feeds: dict[str, np.ndarray], weights: bytes = b"") -> np.ndarray:
    """Return ``top`` of a network."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.prototxt").write_text(spelled_out(network))
        (Path(folder) / "a.caffemodel").write_bytes(weights or caffemodel({}) or b"\n\x04tiny")
        net = cv2.dnn.readNetFromCaffe(f"{folder}/a.prototxt", f"{folder}/a.caffemodel")
    for name, feed in feeds.items():
        net.setInput(feed, name)
    return net.forward("top").copy()


def in_order(top: np.ndarray) -> np.ndarray:
    """Return the rows of a top that hold something, (rows, 7), by image, label and falling score."""
    rows = top[0, 0][top[0, 0, :, 2] > 0]
    return rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))]


def ask_detector(net: cv2.dnn.Net) -> dict[str, np.ndarray]:
    """Return the detector's rows for the first images of the sample."""
    found = {}
    for count in BATCHES:
        images = [cv2.imread(str(path)) for path in sorted(IMAGES.glob("*.jpg"))[:count]]
        net.setInput(cv2.dnn.blobFromImages(images, 1.0, (300, 300), (104, 177, 123)))
        found[f"rows {count}"] = in_order(net.forward())
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
