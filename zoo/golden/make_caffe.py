"""Ask Caffe itself. Runs under Python 3.9, the last that Caffe's wheels are for, and is otherwise part of nothing.

    pip install 'numpy<1.24' 'protobuf<3.21' scikit-image kendryte-caffe==1.0.0.20210829
    python -m zoo.golden.make_caffe levi-hassner-age deploy_age.prototxt age_net.caffemodel

writes ``levi-hassner-age.npz`` beside this file. The inputs are blocky on purpose: shrunk to 57x57, each pixel then
four by four. So they pack well, and no rounding of a resize comes between them and the network.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.golden import FOLDER, Arrays, summary

SAMPLE = Path(__file__).parents[2] / "bench" / "sample"
YOUNGEST = (0, 4, 8, 15, 25, 38, 48, 60)
"""The lower ends of the eight age groups."""

BGR_MEANS = (78.4263377603, 87.7689143744, 114.895847746)
SIDE, BLOCK = 227, 4


def portraits() -> list[str]:
    """Return one portrait of the sample for each age group, men and women by turns."""
    with (SAMPLE / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = []
    for group in range(len(YOUNGEST)):
        sex = ("male", "female")[group % 2]
        of_group = (r for r in rows if r["gender"] == sex and sum(int(r["age"]) >= a for a in YOUNGEST) == group + 1)
        chosen.append(next(of_group)["path"])
    return chosen


def blocky(path: Path) -> NDArray[np.uint8]:
    """Return a picture as uint8 (3, 227, 227), channels BGR, of equal blocks of 4x4."""
    from PIL import Image

    small = -(-SIDE // BLOCK)
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((small, small), Image.Resampling.BOX))
    large = pixels[:, :, ::-1].repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)
    return np.ascontiguousarray(large[:SIDE, :SIDE].transpose(2, 0, 1))


def ask(prototxt: Path, caffemodel: Path, pixels: NDArray[np.uint8], offset: NDArray[np.float32]) -> Arrays:
    """Run Caffe. Returns the outputs as ``output:name``, and the summary of every other blob as ``blob:name``."""
    import caffe

    net: Any = caffe.Net(str(prototxt), str(caffemodel), caffe.TEST)
    net.blobs["data"].reshape(*pixels.shape)
    net.blobs["data"].data[...] = pixels.astype(np.float32) - offset
    net.forward()
    answer = {f"output:{name}": net.blobs[name].data.copy() for name in net.outputs}
    between = [name for name in net.blobs if name not in net.outputs and name not in net.inputs]
    return answer | {f"blob:{name}": summary(net.blobs[name].data) for name in between}


def main() -> None:
    """Write one golden file."""
    import caffe

    parser = argparse.ArgumentParser(description="Write the golden file of a Caffe network.")
    parser.add_argument("name")
    parser.add_argument("prototxt", type=Path)
    parser.add_argument("caffemodel", type=Path)
    arguments = parser.parse_args()
    paths = portraits()
    pixels = np.stack([blocky(SAMPLE / path) for path in paths])
    offset = np.array(BGR_MEANS, dtype=np.float32).reshape(3, 1, 1)
    files = (arguments.prototxt, arguments.caffemodel)
    meta = {
        "framework": f"Caffe {caffe.__version__} (kendryte-caffe 1.0.0.20210829, CPU)",
        "sha256": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "portraits": [f"bench/sample/{path}" for path in paths],
        "inputs": "area-averaged to 57x57, pixels repeated 4x4, cut to 227x227, BGR; the network takes input - offset",
    }
    arrays: dict[str, Any] = {"input:data": pixels, "offset:data": offset, **ask(*files, pixels, offset)}
    path = FOLDER / f"{arguments.name}.npz"
    np.savez_compressed(path, meta=json.dumps(meta), **arrays)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
