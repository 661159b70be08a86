"""Ask Caffe itself about one network in files of every age and kind. Runs under Python 3.9, as ``make_layers`` does.

    PYTHONPATH=.:tests/converters python tests/golden/make_formats.py

writes ``formats/formats.npz``: ``data`` and ``<blob>`` for each blob of the end, ``weights <layer> 0`` and so on,
``network <age>`` the binary of each ``<age>.prototxt`` as Caffe's own protobuf writes it, and ``caffemodel <kind>``
the weights in every form that Caffe reads. It stops when Caffe does not give the same numbers for every pair of them.
``upgraded`` is what Caffe makes of ``v0_layers.prototxt``, and ``fields`` the description of all of Caffe's messages.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import caffe
import numpy as np
from caffe.proto import caffe_pb2
from golden_numbers import real, whole
from google.protobuf import text_format

FOLDER = Path(__file__).parent / "formats"
AGES = ("v0", "v1", "v2")


def main() -> None:
    """Write the one file."""
    net = caffe.Net(str(FOLDER / "v2.prototxt"), caffe.TEST)
    generator = np.random.default_rng(2013)
    found = {"data": whole(generator, net.blobs["data"].data.shape)}
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            found[f"weights {name} {index}"] = whole(generator, blob.data.shape)
    weights = {
        name: [real(found[f"weights {name} {i}"], fan_in=True) for i in range(len(b))] for name, b in net.params.items()
    }
    models = caffemodels(weights)
    networks = {
        age: text_format.Parse((FOLDER / f"{age}.prototxt").read_text(), caffe_pb2.NetParameter()) for age in AGES
    }
    files = {f"{age}.prototxt": (FOLDER / f"{age}.prototxt").read_bytes() for age in AGES}
    files.update({f"network {age}": message.SerializeToString() for age, message in networks.items()})
    tops = None
    for network in files.values():
        for kind, model in models.items():
            blobs = answers(network, model, real(found["data"]))
            tops = tops or blobs
            assert blobs.keys() == tops.keys(), kind
            for name, blob in blobs.items():
                np.testing.assert_array_equal(blob, tops[name], f"{kind} {name}")
    stored = {f"network {age}": networks[age].SerializeToString() for age in AGES}
    stored.update({f"caffemodel {kind}": model for kind, model in models.items()})
    found.update({key: np.frombuffer(data, np.uint8) for key, data in stored.items()})
    fields = caffe_pb2.DESCRIPTOR.serialized_pb
    np.savez_compressed(
        FOLDER / "formats.npz", **found, **tops, upgraded=upgraded(), fields=np.frombuffer(fields, np.uint8)
    )
    print(f"{len(files)} networks with {len(models)} caffemodels each: {len(tops)} blobs are the same")


def answers(network, model, data):
    """Return what Caffe leaves in every blob, but for the copies that it makes itself."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "tiny.prototxt", Path(folder) / "tiny.caffemodel"
        paths[1].write_bytes(model)
        message = caffe_pb2.NetParameter()
        try:  # the Python layer of Caffe opens networks in text only
            text_format.Parse(network.decode(), message)
        except (UnicodeDecodeError, text_format.ParseError):
            message = caffe_pb2.NetParameter.FromString(network)
        paths[0].write_text(text_format.MessageToString(message))
        net = caffe.Net(str(paths[0]), caffe.TEST, weights=str(paths[1]))
    net.blobs["data"].data[...] = data
    net.forward()
    return {name: blob.data.copy() for name, blob in net.blobs.items() if "_split_" not in name and name != "data"}


def upgraded():
    """Return what Caffe says that it makes a network of, before it stops at the first layer whose data it has not."""
    ask = f"import caffe; caffe.Net({str(FOLDER / 'v0_layers.prototxt')!r}, caffe.TEST)"
    log = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=False, env={"GLOG_minloglevel": "0"}
    ).stderr
    return re.split(r"\n[IWEF]\d{8} ", log.partition("Initializing net from parameters: \n")[2])[0]


def caffemodels(weights):
    """Return the weights in every form: of the three ages, and of all ways that a list of numbers is written."""
    models = {age: message(weights, age).SerializeToString() for age in AGES}
    models["v2 with num, channels, height and width"] = message(weights, "v2", legacy=True).SerializeToString()
    models["v2 double_data"] = message(weights, "v2", double=True).SerializeToString()
    models["v2 diff"] = message(weights, "v2", diff=True).SerializeToString()
    models["v2 not packed"] = by_hand(weights, lambda numbers: singles(0x2D, "<f", numbers))
    models["v2 double_data not packed"] = by_hand(weights, lambda numbers: singles(0x41, "<d", numbers))
    models["v2 in two lists"] = by_hand(weights, lambda n: packed(n[:3]) + packed(n[3:]))
    models["v2 packed and not"] = by_hand(weights, lambda n: packed(n[:2]) + singles(0x2D, "<f", n[2:]))
    old = {name: [blob + 1 for blob in blobs] for name, blobs in weights.items()}
    models["v2 layers twice"] = message(old, "v2").SerializeToString() + models["v2"]
    both = message(weights, "v2", double=True)
    for blob in (blob for layer in both.layer for blob in layer.blobs):
        blob.data.extend([7, 7])
    models["v2 data beside double_data"] = both.SerializeToString()
    models["v2 double_data of no number"] = by_hand(weights, lambda numbers: b"\x42\x00" + packed(numbers))
    models["v2 layers that the network lacks"] = (
        message({"other": [np.ones(3)]}, "v2").SerializeToString() + models["v2"]
    )
    return models


def message(weights, age, *, legacy=None, double=False, diff=False):
    """Return the weights as Caffe's message of an age; before V2 shapes were four numbers."""
    net = caffe_pb2.NetParameter(name="tiny")
    for name, blobs in weights.items():
        layer = net.layer.add() if age == "v2" else net.layers.add()
        if age == "v0":  # Caffe joins V0 layers by their bottoms before it looks at their weights
            layer = layer.layer
            layer.type = "conv" if name.startswith("conv") else "innerproduct"
        layer.name = name
        for array in blobs:
            blob = layer.blobs.add()
            if age != "v2" or legacy:
                blob.num, blob.channels, blob.height, blob.width = (1,) * (4 - array.ndim) + array.shape
            else:
                blob.shape.dim.extend(array.shape)
            (blob.double_data if double else blob.data).extend(array.ravel().tolist())
            if diff:
                blob.diff.extend(array.ravel().tolist())
    return net


def by_hand(weights, numbers):
    """Return a V2 caffemodel whose lists of numbers are written by a function."""
    data = b""
    for name, blobs in weights.items():
        layer = record(1, name.encode())
        for array in blobs:
            shape = b"".join(b"\x08" + bytes([size]) for size in array.shape)
            layer += record(7, record(7, shape) + numbers(array.ravel().tolist()))
        data += record(100, layer)
    return data


def record(number, content):
    """Return one field of so many bytes."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def packed(numbers):
    """Return floats as one list."""
    return record(5, struct.pack(f"<{len(numbers)}f", *numbers))


def singles(tag, kind, numbers):
    """Return numbers one by one."""
    return b"".join(bytes([tag]) + struct.pack(kind, number) for number in numbers)


def varint(value):
    """Return a number as protobuf writes it."""
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


if __name__ == "__main__":
    main()
