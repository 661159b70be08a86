"""SPP: pooling into 1, 4, 16 .. windows, the levels of a pyramid, all flattened into one row a sample.

Caffe rounds the windows of a level up and pads both sides alike, so that there may be more windows than the level says.
A pyramid of one level is not flattened.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, kinds, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "spp_param",
    132,
    None,
    "1 uint32 pyramid_height; 2 PoolMethod pool; 6 Engine engine",
    {"PoolMethod": "MAX AVE STOCHASTIC"},
)

CASES = (
    ("spp_param { pyramid_height: 1 }", (2, 5, 7, 3)),
    ("spp_param { pyramid_height: 2 }", (2, 5, 7, 6)),
    ("spp_param { pyramid_height: 3 }", (2, 5, 13, 11)),
    ("spp_param { pyramid_height: 3 pool: MAX }", (3, 2, 8, 4)),
    ("spp_param { pyramid_height: 1 pool: AVE }", (2, 5, 7, 3)),
    ("spp_param { pyramid_height: 3 pool: AVE }", (2, 5, 13, 11)),
    ("spp_param { pyramid_height: 2 pool: AVE engine: CAFFE }", (3, 2, 8, 5)),
    ("spp_param { pyramid_height: 4 pool: AVE }", (2, 3, 16, 23)),
)


def levels(op: Layer, bottom: Shape) -> Iterator[Layer]:
    """Yield the Pooling layer of each level. Raises BadInput for a pyramid without any."""
    from converters.caffe.schema import messages

    if len(bottom) != 4:
        raise op.bad(f"the bottom has the shape {bottom}; it needs 4 axes")
    if op.param.pyramid_height < 1:
        raise op.bad("pyramid_height is missing or 0")
    for level in range(op.param.pyramid_height):
        kernel = [-(-size // 2**level) for size in bottom[2:]]
        pad = [(k * 2**level - size + 1) // 2 for k, size in zip(kernel, bottom[2:], strict=True)]
        if any(p >= k for p, k in zip(pad, kernel, strict=True)):
            raise op.bad(f"{bottom[2:]} pixels cannot be cut into {2**level} by {2**level}; lower pyramid_height")
        sides = {"kernel_h": kernel[0], "kernel_w": kernel[1], "stride_h": kernel[0], "stride_w": kernel[1]}
        param = messages()["pooling_param"](pool=op.param.pool, pad_h=pad[0], pad_w=pad[1], **sides)
        yield replace(op, type="Pooling", param=param)


def planes(op: Layer, bottom: Shape) -> list[Shape]:
    """Return the shape of each level before it is flattened."""
    return [kinds()["Pooling"].shape(level, bottom)[0] for level in levels(op, bottom)]


def shape(op: Layer, bottom: Shape) -> tuple[Shape]:
    """Return (N, numbers of all levels), or (N, C, height, width) of the only one."""
    pooled = planes(op, bottom)
    return (pooled[0] if len(pooled) == 1 else (bottom[0], sum(prod(plane[1:]) for plane in pooled)),)


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return the levels one behind the other."""
    pooled = [kinds()["Pooling"].reference(level, bottom)[0] for level in levels(op, bottom.shape)]
    if len(pooled) == 1:
        return (pooled[0],)
    return (np.concatenate([plane.reshape(len(bottom), -1) for plane in pooled], axis=1),)


@layer("SPP", shape=shape, reference=reference, parameter=PARAMETER, in_place=False)
def spp(op: Layer, emit: Emit) -> None:
    """Add the nodes of Pooling and a Reshape for each level, and Concat."""
    bottom, convert = emit.shapes[op.bottoms[0]], kinds()["Pooling"].convert
    pyramid = list(levels(op, bottom))
    if len(pyramid) == 1:
        convert(pyramid[0], emit)
        return
    rows = []
    for number, (level, plane) in enumerate(zip(pyramid, planes(op, bottom), strict=True)):
        pooled = emit.blob(f"level{number}", plane, emit.symbols[op.bottoms[0]])
        convert(replace(level, tops=(pooled,)), emit)
        rows.append(emit.node("Reshape", (pooled, emit.rows(pooled, 1))))
    emit.node("Concat", rows, op.tops, axis=1)
