"""Tiny Caffe networks for the tests: a prototxt and a caffemodel beside it, with seeded weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from layer_cases import Shapes, names, several

from converters.caffe.kind import Array, Layer, Shape, kinds
from converters.caffe.net import make_layer, read_network
from converters.caffe.schema import messages


def caffemodel(blobs: Mapping[str, Sequence[Array]]) -> bytes:
    """Return a binary caffemodel with packed float32 blobs, by layer name."""
    net = messages()["NetParameter"]()
    for name, arrays in blobs.items():
        layer = net.layer.add(name=name)
        for array in arrays:
            add_blob(layer, array)
    return bytes(net.SerializeToString())


def add_blob(layer: Any, array: Array) -> None:
    """Add a blob with its shape and packed numbers to a layer."""
    blob = layer.blobs.add()
    blob.shape.dim.extend(array.shape)
    blob.data.extend(array.ravel().astype(np.float32).tolist())


def seeded_weights(prototxt: Path, bottoms: Shape | Shapes, positive: Sequence[int] = ()) -> dict[str, list[Array]]:
    """Return seeded weights for the first layer of a network, if it has any; ``positive`` lists which are above 0."""
    op = replace(make_layer(read_network(prototxt, prototxt.read_bytes())[1][0]), fixed=True)  # any axis may be 0
    shapes = kinds()[op.type].weights
    generator = np.random.default_rng(7)
    weights = [] if shapes is None else [generator.normal(size=s).astype("f4") for s in shapes(op, *several(bottoms))]
    weights = [np.abs(blob) + np.float32(0.5) if i in positive else blob for i, blob in enumerate(weights)]
    return {op.name: weights} if weights else {}


def write(folder: Path, text: str, bottoms: Shape | Shapes, positive: Sequence[int] = ()) -> tuple[Path, Path | None]:
    """Write a network whose first layer may have weights. Returns prototxt and caffemodel (None without weights)."""
    prototxt, binary = folder / "tiny.prototxt", folder / "tiny.caffemodel"
    prototxt.write_text(text)
    weights = seeded_weights(prototxt, bottoms, positive)
    if not weights:
        return prototxt, None
    binary.write_bytes(caffemodel(weights))
    return prototxt, binary


def feed(bottoms: Shape | Shapes, batch: int | None = None, op: Layer | None = None) -> dict[str, Array]:
    """Return a seeded input for ``data`` (``data_2`` and so on); ``batch`` instead of the shape's own.

    ``op`` is the layer that reads them, in this order: some take certain numbers only.
    """
    generator, shapes = np.random.default_rng(11), several(bottoms)
    sized = [shape if batch is None else (batch, *shape[1:]) for shape in shapes]
    holds = kinds()[op.type].holds if op is not None else None
    inputs = {}
    for index, shape in enumerate(sized):
        numbers = holds(op, index, generator, shape) if holds is not None else None
        inputs[names("data", len(sized))[index]] = generator.normal(size=shape) if numbers is None else numbers
    return {name: numbers.astype(np.float32) for name, numbers in inputs.items()}
