"""Which weights a layer gets: by its name from the caffemodel, shared with another layer, or made up.

Layers share a weight by giving it one name (``param { name: "w" }``). In Caffe they share its memory too, so the last
of them in the caffemodel decides what it is. A network without any weights gets seeded ones: enough to measure speed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from converters.caffe.fillers import filled
from converters.caffe.kind import Layer, Shape, kinds
from converters.caffe.weights import Floats


@dataclass(frozen=True)
class Weights:
    """The weights of a network.

    ``blobs`` are those of the caffemodel by layer name, in its order; ``shared`` those that have a name of their own;
    ``seeded``: no file has any, so they are made up.
    """

    caffemodel: Path | None
    blobs: Mapping[str, tuple[Floats, ...]]
    shared: Mapping[str, Floats]
    seeded: bool

    def of(self, op: Layer, expected: Sequence[Shape]) -> tuple[Floats, ...]:
        """Return the layer's blobs in the shapes that it expects. Raises BadInput when they are others."""
        if self.seeded:
            return tuple(self._made_up(op, index, shape) for index, shape in enumerate(expected))
        found = list(self.blobs.get(op.name, op.blobs))
        source = self.caffemodel if op.name in self.blobs else "the network file"
        if not found and expected and all(name in self.shared for name in (*op.shared, "")[: len(expected)]):
            found = [self.shared[name] for name in op.shared[: len(expected)]]
        if expected and not found and self.caffemodel is None:
            raise op.bad("needs weights, and the network file holds those of other layers only; give the .caffemodel")
        if expected and not found:
            others = ", ".join(self.blobs) or "no layer"
            raise op.bad(f"{self.caffemodel} has no weights for it; it has those of: {others}")
        if len(found) != len(expected):
            raise op.bad(f"{len(found)} blobs of weights in {source}; the layer has {len(expected)}")
        found = [
            self.shared.get(name, blob) for name, blob in zip((*op.shared, *[""] * len(found)), found, strict=False)
        ]
        for index, (blob, shape) in enumerate(zip(found, expected, strict=True)):
            if blob.shape[blob.ndim - len(shape) :] != shape or blob.size != prod(shape):
                raise op.bad(f"blob {index} in {source} has the shape {blob.shape}; the layer needs {shape}")
            if not np.isfinite(blob).all():
                raise op.bad(f"blob {index} in {source} holds numbers that are not finite; get the file again")
        return tuple(blob.reshape(shape) for blob, shape in zip(found, expected, strict=True))

    def _made_up(self, op: Layer, index: int, shape: Shape) -> Floats:
        name = op.shared[index] if index < len(op.shared) and op.shared[index] else f"{op.name}\n{index}"
        generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
        return filled(op, index, shape, generator, positive=index in kinds()[op.type].positive)


def given_weights(caffemodel: Path | None, blobs: Mapping[str, tuple[Floats, ...]], ops: Sequence[Layer]) -> Weights:
    """Return the weights of a network with these layers; ``blobs`` are those of the caffemodel, none without one."""
    inside = {op.name: op.blobs for op in ops if op.blobs}
    names = {op.name: op.shared for op in ops}
    shared = {}
    for layer, arrays in {**inside, **blobs}.items():
        for name, blob in zip(names.get(layer, ()), arrays, strict=False):
            if name:
                shared[name] = blob
    return Weights(caffemodel, blobs, shared, seeded=caffemodel is None and not inside)
