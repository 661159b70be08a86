"""Ask Caffe itself about every layer case and network. Runs under Python 3.9, the last that Caffe's wheels are for.

    pip install 'numpy<1.24' 'protobuf<3.21' scikit-image kendryte-caffe==1.0.0.20210829
    PYTHONPATH=.:tests/converters python tests/golden/make_layers.py [FAMILY ...]

writes ``caffe/<family>.npz``, of all families or those named: for case ``i`` the keys ``i:text``, ``i:weights 0`` and
so on, and ``i:<blob>`` for each bottom and top. Of each ``nets/<name>.prototxt`` it writes ``nets/<name>.npz`` with the
keys ``weights <layer> 0`` and so on, and ``<blob>`` for each blob. Inputs and weights are whole numbers (int8), of
which the network takes `real` ones, or float32 where a layer takes certain numbers only. Each file is seeded by its own
name: a new family changes no other file.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from itertools import groupby
from pathlib import Path

import caffe
import numpy as np
from caffe.proto import caffe_pb2
from golden_numbers import real, whole
from google.protobuf import text_format
from layer_cases import cases

from converters.caffe.kind import Layer, kinds

FOLDER = Path(__file__).parent


def main(wanted: list[str]) -> None:
    """Write one file a layer family and a network."""
    judged = [case for case in cases() if case.judge == "Caffe"]
    for family, members in groupby(judged, key=lambda case: case.family):
        if not wanted or family in wanted:
            arrays = ask_family(list(members))
            np.savez_compressed(FOLDER / "caffe" / f"{family}.npz", **arrays)
            print(f"{family}: {sum(key.endswith(':text') for key in arrays)} cases")
    for prototxt in sorted((FOLDER / "nets").glob("*.prototxt")):
        if not wanted or prototxt.stem in wanted:
            arrays = ask_network(prototxt)
            np.savez_compressed(prototxt.with_suffix(".npz"), **arrays)
            print(f"{prototxt.stem}: {len(arrays)} arrays")


def ask_family(members):
    """Return Caffe's answers to the cases of a family."""
    generator, found = np.random.default_rng(zlib.crc32(members[0].family.encode())), {}
    for case in members:
        with tempfile.TemporaryDirectory() as folder:
            prototxt = Path(folder) / "tiny.prototxt"
            prototxt.write_text(case.network)
            net = caffe.Net(str(prototxt), caffe.TEST)
        key = f"{case.number}:"
        found[f"{key}text"] = case.text
        for index, blob in enumerate(net.params.get("top", ())):
            numbers = whole(generator, blob.data.shape, positive=index in case.positive)
            found[f"{key}weights {index}"] = numbers
            blob.data[...] = real(numbers)
        for index, (name, bottom) in enumerate(case.inputs.items()):
            found[f"{key}{name}"] = numbers = bottom_numbers(case, index, generator, bottom)
            net.blobs[name].data[...] = real(numbers)
        net.forward()
        found.update({f"{key}{name}": net.blobs[name].data.copy() for name in case.outputs})
    return found


def bottom_numbers(case, index, generator, shape):
    """Return numbers for a bottom: those that its layer can take (float32), else any whole ones (int8)."""
    kind = kinds()[case.type]
    if kind.holds is None:
        return whole(generator, shape)
    message = text_format.Parse(case.network, caffe_pb2.NetParameter()).layer[0]
    param = getattr(message, kind.parameter.name) if kind.parameter is not None else None
    op = Layer(message.name, message.type, tuple(message.bottom), tuple(message.top), param, (), "")
    numbers = kind.holds(op, index, generator, shape)
    return whole(generator, shape) if numbers is None else numbers.astype(np.float32)


def ask_network(prototxt):
    """Return what Caffe leaves in every blob of a network, but for the copies that it makes itself."""
    generator, found = np.random.default_rng(zlib.crc32(prototxt.stem.encode())), {}
    net = caffe.Net(str(prototxt), caffe.TEST)
    types = {name: layer.type for name, layer in net.layer_dict.items()}
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            numbers = whole(generator, blob.data.shape, positive=index in kinds()[types[name]].positive)
            found[f"weights {name} {index}"] = numbers
            blob.data[...] = real(numbers, fan_in=True)
    for name in net.inputs:
        found[name] = numbers = whole(generator, net.blobs[name].data.shape)
        net.blobs[name].data[...] = real(numbers)
    net.forward()
    made = {name for name in net.blobs if "_split_" not in name} - set(net.inputs)
    return {**found, **{name: net.blobs[name].data.copy() for name in sorted(made)}}


if __name__ == "__main__":
    main(sys.argv[1:])
