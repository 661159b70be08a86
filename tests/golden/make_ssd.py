"""Ask OpenCV 4 about MobileNet-SSD, whose last layers the Caffe that can be installed has not.

    pip install 'opencv-python-headless<5'
    PYTHONPATH=.:tests/converters python tests/golden/make_ssd.py

writes ``architectures/mobilenet_ssd.npz``: ``detection_out`` of two samples, each alone, as ``detection_out 0`` and
``detection_out 1``: one row a detection, with 7 numbers: the image (0), the class, how sure, and two corners. All
other architectures are judged by Caffe itself, see ``make_nets``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from architectures import mobilenet_ssd
from architectures.binary import write_caffemodel

FOLDER = Path(__file__).parent
SAMPLES = 2


def main() -> None:
    """Write the file; print how many detections there are, and how near two of them come to another order."""
    net = mobilenet_ssd.network()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "deploy.prototxt").write_text(net.text)
        write_caffemodel(Path(name) / "net.caffemodel", net.weights())
        judge = cv2.dnn.readNetFromCaffe(f"{name}/deploy.prototxt", f"{name}/net.caffemodel")
    found = {}
    for index, sample in enumerate(net.samples(SAMPLES)["data"]):
        judge.setInput(sample[None], "data")
        top = judge.forward("detection_out")
        rows = top[0, 0]
        rows = rows[rows[:, 2] > 0]  # OpenCV fills up with zeros to keep_top_k, Caffe's own layer does not
        found[f"detection_out {index}"] = rows[None, None]
        gap = -np.diff(np.sort(rows[:, 2])[::-1]).max(initial=-1)
        print(f"sample {index}: {rows.shape}, classes {sorted(set(rows[:, 1]))}, {rows[:, 2].min()}, gap {gap}")
        for blob in ("mbox_loc", "mbox_conf"):
            print(blob, judge.forward(blob).std())
    np.savez_compressed(FOLDER / "architectures" / "mobilenet_ssd.npz", **found)


if __name__ == "__main__":
    main()
