"""The judge without a runtime: every layer by its numpy reference, in double precision."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from converters.caffe.emit import Array, kinds
from converters.caffe.net import Net
from converters.errors import BadInput


def run(net: Net, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Run a network on inputs of any batch size. Returns every blob (float64), named as in ``net.shapes``.

    Raises BadInput when the inputs are not those of the network.
    """
    if feeds.keys() != net.inputs.keys():
        raise BadInput(f"network {net.name!r} needs the inputs {', '.join(net.inputs)}, not {', '.join(feeds)}")
    blobs: dict[str, Array] = {}
    for name, feed in feeds.items():
        if feed.shape[1:] != net.inputs[name][1:] or feed.ndim != len(net.inputs[name]):
            raise BadInput(f"input {name!r} has the shape {feed.shape}; the network needs (N, *{net.inputs[name][1:]})")
        blobs[name] = feed.astype(np.float64)
    if len({len(blob) for blob in blobs.values()}) > 1:
        sizes = ", ".join(f"{name!r} {len(blob)}" for name, blob in blobs.items())
        raise BadInput(f"inputs of different batch sizes: {sizes}; network {net.name!r} needs the same for all")
    for op in net.layers:
        tops = kinds()[op.type].reference(op, *(blobs[bottom] for bottom in op.bottoms))
        blobs.update(zip(op.tops, tops, strict=True))
    return blobs
