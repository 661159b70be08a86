"""Tile: the bottom several times over, side by side along one axis."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, canonical_axis, layer, same_sizes
from converters.caffe.messages import Parameter

PARAMETER = Parameter("tile_param", 138, None, "1 int32 axis = 1; 2 int32 tiles")

CASES = (
    ("tile_param { tiles: 2 }", (2, 7, 5, 3)),
    ("tile_param { tiles: 3 }", (3, 11)),
    ("tile_param { tiles: 1 }", (3, 11)),
    ("tile_param { axis: 2 tiles: 4 }", (2, 7, 5, 3)),
    ("tile_param { axis: -1 tiles: 2 }", (2, 7, 5)),
    ("tile_param { axis: 0 tiles: 3 }", (2, 7, 5, 3)),
    ("tile_param { axis: -1 tiles: 2 }", (3,)),
)


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return the bottom's shape, the axis ``tiles`` times as long."""
    axis, tiles = canonical_axis(op, op.param.axis, len(bottom)), op.param.tiles
    if tiles < 1:
        raise op.bad(f"tiles {tiles}; give how many times the bottom is repeated, at least 1")
    return ((*bottom[:axis], bottom[axis] * tiles, *bottom[axis + 1 :]),)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the bottom, repeated."""
    return (np.concatenate([bottom] * op.param.tiles, axis=op.param.axis),)


@layer("Tile", shape=shape, reference=reference, parameter=PARAMETER, in_place=False, identity=same_sizes)
def tile(op: Layer, emit: Emit) -> None:
    """Tile."""
    repeats = np.ones(len(emit.shapes[op.bottoms[0]]), dtype=np.int64)
    repeats[op.param.axis] = op.param.tiles
    emit.node("Tile", (*op.bottoms, emit.constant("repeats", repeats)), op.tops)
