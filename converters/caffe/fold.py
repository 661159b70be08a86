"""A network with less in it that computes the same; what is folded away has no tensor in the ONNX file.

Layers that no output needs are gone, and those that change nothing; constants are computed, and a layer that only
scales and shifts channels goes into the one before it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from math import prod

import numpy as np

from converters.caffe.kind import Array, Layer, kinds
from converters.caffe.net import Net
from converters.errors import Unsupported
from converters.onnx_file import unique

LARGEST = 2**26
"""How many numbers the constants of a network may have: they are all written into the file (256 MiB)."""


def fold(net: Net) -> tuple[Net, dict[str, Array]]:
    """Return what is left of a network, and the blobs whose numbers are known (float32).

    Raises Unsupported for constants that are too large for a file.
    """
    net = _apart(net)
    layers, constants = _constants(net)
    layers = _channels(net, _needed(net, _plain(net, layers)))
    read = {bottom for op in layers for bottom in _read(op)} | set(net.outputs)
    return replace(net, layers=tuple(layers)), {name: value for name, value in constants.items() if name in read}


def _apart(net: Net) -> Net:
    """Take layers apart of which a part can perhaps be folded; a blob between two is as the bottom before it."""
    shapes, symbols = dict(net.shapes), dict(net.symbols)
    taken, layers = dict.fromkeys(net.shapes, 1), list[Layer]()
    for op in net.layers:
        apart = kinds()[op.type].apart
        parts = apart(op, partial(unique, taken, f"{op.name}/term")) if apart else (op,)
        for part in parts[:-1]:
            shapes.update(dict.fromkeys(part.tops, shapes[part.bottoms[0]]))
            symbols.update(dict.fromkeys(part.tops, symbols[part.bottoms[0]]))
        layers += parts
    return replace(net, layers=tuple(layers), shapes=shapes, symbols=symbols)


def _constants(net: Net) -> tuple[list[Layer], dict[str, Array]]:
    """Run the layers whose tops do not depend on the inputs. Returns the other layers, and the tops' numbers."""
    layers: list[Layer] = []
    values: dict[str, Array] = {}
    count = 0
    for op in net.layers:
        kind = kinds()[op.type]
        if not op.tops or not (kind.constant or (op.bottoms and all(name in values for name in op.bottoms))):
            layers.append(op)
            continue
        count += sum(prod(net.shapes[top]) for top in op.tops)
        if count > LARGEST:
            raise Unsupported(f"{op.where}: constants of {count} numbers; at most {LARGEST} go into a file")
        bottoms = [values.get(name, np.broadcast_to(0.0, net.shapes[name])) for name in op.bottoms]
        tops = kind.reference(op, *bottoms)
        values.update((top, value.astype(np.float64)) for top, value in zip(op.tops, tops, strict=True))
    return layers, {name: value.astype(np.float32) for name, value in values.items()}


def _plain(net: Net, layers: list[Layer]) -> list[Layer]:
    """Let whoever reads a top that is its layer's bottom read that one; a layer is left where such a top is an output.

    Layers that only arrange numbers read past each other, so that two may cancel out.
    """
    sources: dict[str, str] = {}
    makers: dict[str, Layer] = {}
    kept = []
    for op in layers:
        kind = kinds()[op.type]
        op = replace(op, bottoms=tuple(sources.get(bottom, bottom) for bottom in op.bottoms))
        before = makers.get(op.bottoms[0]) if op.bottoms else None
        op = (kind.past(op, before) if kind.past and before else None) or op
        if _changes_nothing(net, op):
            sources.update(dict.fromkeys(op.tops, op.bottoms[0]))
            outputs = tuple(top for top in op.tops if top in net.outputs)
            op = replace(op, type="Split", bottoms=op.bottoms[:1], tops=outputs)
        makers.update(dict.fromkeys(op.tops, op))
        kept.append(op)
    return kept


def _changes_nothing(net: Net, op: Layer) -> bool:
    if not op.bottoms or not op.tops:
        return False
    identity = kinds()[op.type].identity
    return identity if isinstance(identity, bool) else identity(op, net.shapes[op.bottoms[0]], net.shapes[op.tops[0]])


def _needed(net: Net, layers: list[Layer]) -> list[Layer]:
    """Return the layers that some output depends on."""
    needed, kept = set(net.outputs), []
    for op in reversed(layers):
        if needed.intersection(op.tops):
            needed.update(_read(op))
            kept.append(op)
    return kept[::-1]


def _read(op: Layer) -> list[str]:
    """Return the bottoms of which the numbers are read."""
    return [bottom for index, bottom in enumerate(op.bottoms) if index not in kinds()[op.type].only_shape]


def _channels(net: Net, layers: list[Layer]) -> list[Layer]:
    """Fold each layer that is ``x * factors + shifts`` into the layer before it, where nobody else reads that one."""
    readers = Counter(bottom for op in layers for bottom in _read(op)) + Counter(net.outputs)
    kept: dict[str, Layer] = {}  # by first top, in order
    for op in layers:
        before = kept.get(op.bottoms[0]) if len(op.bottoms) == len(op.tops) == 1 else None
        whole = None
        if before and len(before.tops) == 1 and readers[op.bottoms[0]] == 1:
            whole = before if op.type == "Split" else _absorbed(net, before, op)
        if whole is not None:
            del kept[op.bottoms[0]]
        kept[op.tops[0]] = op if whole is None else replace(whole, tops=op.tops)
    return list(kept.values())


def _absorbed(net: Net, before: Layer, op: Layer) -> Layer | None:
    """Return the layer that does what both do, None where there is none."""
    absorb, affine = kinds()[before.type].absorb, kinds()[op.type].affine
    channels = affine(op, net.shapes[op.bottoms[0]]) if absorb and affine else None
    whole = absorb(before, net.shapes[before.bottoms[0]], *channels) if absorb and channels else None
    return whole if whole is not None and all(np.isfinite(blob).all() for blob in whole.blobs) else None
