"""The judge without a runtime: every layer by its numpy reference, in double precision."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from converters.caffe.kind import Array, kinds
from converters.caffe.net import Net
from converters.errors import BadInput


def run(net: Net, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Run a network on inputs of any batch size. Returns every blob (float64), named as in ``net.shapes``.

    Raises BadInput when the inputs are not those of the network.
    """
    if feeds.keys() != net.inputs.keys():
        raise BadInput(f"network {net.name!r} needs the inputs {', '.join(net.inputs)}, not {', '.join(feeds)}")
    blobs: dict[str, Array] = {}
    lengths: dict[str, int] = {}
    for name, feed in feeds.items():
        shape, symbols = net.inputs[name], net.symbols[name]
        right: list[int | str] = [symbols.get(axis, size) for axis, size in enumerate(shape)]
        if feed.ndim != len(shape) or any(feed.shape[i] != n for i, n in enumerate(right) if isinstance(n, int)):
            wanted = f"({', '.join(map(str, right))})"
            why = f", its batch is fixed: {net.fixed}" if net.fixed else ""
            raise BadInput(f"input {name!r} has the shape {feed.shape}; the network needs {wanted}{why}")
        for axis, symbol in symbols.items():
            if lengths.setdefault(symbol, feed.shape[axis]) != feed.shape[axis]:
                sizes = ", ".join(f"{other!r} {len(feeds[other])}" for other in feeds)
                raise BadInput(f"inputs of different batch sizes: {sizes}; network {net.name!r} needs the same for all")
        blobs[name] = feed.astype(np.float64)
    for op in net.layers:
        tops = kinds()[op.type].reference(op, *(blobs[bottom] for bottom in op.bottoms))
        blobs.update(zip(op.tops, tops, strict=True))
    return blobs
