"""Ask Caffe itself about every layer case. Runs under Python 3.9, the last that Caffe's wheels are for.

    pip install 'numpy<1.24' 'protobuf<3.21' scikit-image kendryte-caffe==1.0.0.20210829
    PYTHONPATH=.:tests/converters python tests/golden/make_layers.py

writes ``caffe/<family>.npz``: for case ``i`` the keys ``i:text``, ``i:input``, ``i:weights 0`` and so on, ``i:top``.
Inputs and weights are whole numbers (int8); the network takes sixteenths of them.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import caffe
import numpy as np
from layer_cases import cases, one_layer

FOLDER = Path(__file__).parent / "caffe"


def main() -> None:
    """Write one file a layer family."""
    generator = np.random.default_rng(3)
    families = defaultdict(dict)
    counts = defaultdict(int)
    with tempfile.TemporaryDirectory() as folder:
        for family, type_name, text, bottom in cases():
            found, key = families[family], counts[family]
            prototxt = Path(folder) / "tiny.prototxt"
            prototxt.write_text(one_layer(type_name, text, bottom))
            net = caffe.Net(str(prototxt), caffe.TEST)
            found[f"{key}:text"] = text
            for index, blob in enumerate(net.params.get("top", ())):
                found[f"{key}:weights {index}"] = whole = generator.integers(-40, 40, blob.data.shape, dtype=np.int8)
                blob.data[...] = whole / np.float32(16)
            found[f"{key}:input"] = whole = generator.integers(-40, 40, bottom, dtype=np.int8)
            net.blobs["data"].data[...] = whole / np.float32(16)
            net.forward()
            found[f"{key}:top"] = net.blobs["top"].data.copy()
            counts[family] += 1
    FOLDER.mkdir(exist_ok=True)
    for family, arrays in families.items():
        np.savez_compressed(FOLDER / f"{family}.npz", **arrays)
        print(f"{family}: {counts[family]} cases")


if __name__ == "__main__":
    main()
