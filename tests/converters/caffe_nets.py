"""Tiny Caffe networks for the tests: a prototxt and a caffemodel beside it, with seeded weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from converters.caffe.emit import Array, Shape, kinds
from converters.caffe.net import make_layer, read_network
from converters.caffe.schema import messages


def caffemodel(blobs: Mapping[str, Sequence[Array]]) -> bytes:
    """Return a binary caffemodel with packed float32 blobs, by layer name."""
    net = messages(plain=False)["NetParameter"]()
    for name, arrays in blobs.items():
        layer = net.layer.add(name=name)
        for array in arrays:
            add_blob(layer, array)
    return bytes(net.SerializeToString())


def add_blob(layer: Any, array: Array) -> None:
    """Add a blob with its shape and packed numbers to a layer."""
    blob = layer.blobs.add()
    blob.shape.dim.extend(array.shape)
    blob.data.append(array.astype("<f4").tobytes())


def seeded_weights(prototxt: Path, bottom: Shape) -> dict[str, list[Array]]:
    """Return seeded weights for the first layer of a network, if it has any."""
    op = make_layer(read_network(prototxt, prototxt.read_bytes())[1][0])
    shapes = kinds()[op.type].weights
    generator = np.random.default_rng(7)
    return {} if shapes is None else {op.name: [generator.normal(size=s).astype("f4") for s in shapes(op, bottom)]}


def write(folder: Path, text: str, bottom: Shape) -> tuple[Path, Path | None]:
    """Write a network whose first layer may have weights. Returns prototxt and caffemodel (None without weights)."""
    prototxt, binary = folder / "tiny.prototxt", folder / "tiny.caffemodel"
    prototxt.write_text(text)
    weights = seeded_weights(prototxt, bottom)
    if not weights:
        return prototxt, None
    binary.write_bytes(caffemodel(weights))
    return prototxt, binary


def feed(bottom: Shape, batch: int | None = None) -> dict[str, Array]:
    """Return a seeded input for ``data``; ``batch`` instead of the shape's own."""
    shape = (bottom[0] if batch is None else batch, *bottom[1:])
    return {"data": np.random.default_rng(11).normal(size=shape).astype(np.float32)}
