"""Power, (shift + scale * x)^power: in most files a plain scale or shift, such as pixels to [-1, 1]."""

from __future__ import annotations

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer, same_shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter("power_param", 122, 21, "1 float power = 1; 2 float scale = 1; 3 float shift = 0")

CASES = (
    ("", (2, 7, 5, 3)),
    ("power_param { scale: 0.25 shift: -1.5 }", (2, 7, 5, 3)),
    ("power_param { shift: 0.75 }", (3, 11)),
    ("power_param { power: 2 scale: -0.5 shift: 0.3 }", (2, 7, 5, 3)),
    ("power_param { power: 3 }", (2, 7, 5, 3)),
    ("power_param { power: -1.3 scale: 0.5 shift: 4 }", (2, 7, 5, 3)),
    ("power_param { power: 0.5 shift: 7 }", (3, 11)),
    ("power_param { power: 0 shift: 0.1 }", (2, 7, 5, 3)),
    ("power_param { power: 2 scale: 0 shift: 3 }", (2, 7, 5, 3)),
)

NUMBERS = {"Mul": ("scale", 1), "Add": ("shift", 0), "Sub": ("shift", 0), "Pow": ("power", 1)}
"""What a node's number is called, and the one that changes nothing."""


def reference(op: Layer, bottom: Array) -> tuple[Array]:
    """Return (shift + scale * x)^power; like Caffe's it is not a number for a fraction's power of a negative one."""
    return ((op.param.shift + op.param.scale * bottom) ** op.param.power,)


def chain(op: Layer, emit: Emit, *steps: tuple[str, float | None]) -> None:
    """Add a node a step, operator and its number if it takes one, from bottom to top; without those of no effect."""
    tensor = op.bottoms[0]
    needed = [(kind, number) for kind, number in steps if number is None or number != NUMBERS[kind][1]]
    needed = needed or [("Identity", None)]
    for place, (kind, number) in enumerate(needed, start=1):
        inputs = [tensor]
        if number is not None:
            inputs.append(emit.constant(NUMBERS[kind][0], np.array(number, dtype=np.float32)))
        tensor = emit.node(kind, inputs, op.tops if place == len(needed) else ())


def affine(op: Layer, bottom: Shape) -> tuple[Array, Array] | None:
    """Return the same factor and shift for each channel; None where there is a power, or there are no channels."""
    if op.param.power != 1 or len(bottom) < 2:
        return None
    return np.full(bottom[1], op.param.scale), np.full(bottom[1], op.param.shift)


def identity(op: Layer, bottom: Shape, top: Shape) -> bool:
    """Say that nothing is changed without a parameter."""
    return (op.param.power, op.param.scale, op.param.shift) == (1, 1, 0)


@layer("Power", shape=same_shape, reference=reference, parameter=PARAMETER, affine=affine, identity=identity)
def power(op: Layer, emit: Emit) -> None:
    """Mul, Add and Pow."""
    chain(op, emit, ("Mul", op.param.scale), ("Add", op.param.shift), ("Pow", op.param.power))
