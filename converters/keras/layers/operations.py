"""Arithmetic in a Functional model, as ``x + 1`` and ``keras.ops.mean(x)``: Keras 3 saves each as an operation.

Numbers beside a tensor broadcast as in numpy; tensors have to have as many axes each, with the batch in front.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers.activation import TABLE, activate, log_softmax_along, softmax_along
from converters.keras.layers.merge import joined_shape, together
from converters.keras.layers.normalization import mean
from converters.keras.layers.rescaling import broadcast, numbers

PICTURE, TWO = (7, 9, 3), [(7, 9, 3), (7, 9, 3)]
CASES: Cases = (
    ("ops.add", {"behind": (1.5,)}, PICTURE),
    ("ops.subtract", {"before": (2,)}, PICTURE),
    ("ops.multiply", {}, TWO),
    ("ops.multiply", {}, [(7, 9, 3), (7, 1, 3)]),
    ("ops.divide", {"behind": (0.75,)}, PICTURE),
    ("ops.maximum", {"behind": (0.5,)}, PICTURE),
    ("ops.minimum", {}, TWO),
    ("ops.square", {}, PICTURE),
    ("ops.negative", {}, PICTURE),
    ("ops.absolute", {}, PICTURE),
    ("ops.exp", {}, PICTURE),
    ("ops.tanh", {}, PICTURE),
    ("ops.relu", {}, PICTURE),
    ("ops.silu", {}, PICTURE),
    ("ops.hard_sigmoid", {}, PICTURE),
    ("ops.leaky_relu", {"negative_slope": 0.3}, PICTURE),
    ("ops.softmax", {"axis": -1}, PICTURE),
    ("ops.softmax", {"axis": 1}, PICTURE),
    ("ops.clip", {"x_min": -0.5, "x_max": 1.25}, PICTURE),
    ("ops.mean", {"axis": (1, 2)}, PICTURE),
    ("ops.mean", {"axis": -1, "keepdims": True}, PICTURE),
    ("ops.sum", {"axis": 1}, PICTURE),
    ("ops.max", {"axis": (1, 3), "keepdims": True}, PICTURE),
    ("ops.min", {"axis": 2}, PICTURE),
)
Values = list[Any]


def values(op: Layer, count: int, *names: str) -> Values:
    """Return what an operation works on, by position or by these names."""
    found = [*op.args, *(op.call[name] for name in names[len(op.args) :] if name in op.call)]
    if len(found) != count:
        raise op.bad(f"works on {len(found)} values; it needs {count}")
    return found


def tensor(op: Layer, emit: Emit) -> Tensor:
    """Return the only tensor of an operation, in the order that Keras has it."""
    return emit.unfolded(op.input)


BINARY = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul", "TrueDivide": "Div", "Divide": "Div"} | {
    "Maximum": "Max",
    "Minimum": "Min",
}


@layer(*(f"ops.{name}" for name in BINARY), call=("x1", "x2", "x", "y"))
def binary(op: Layer, emit: Emit) -> Tensor:
    """Add the node of two tensors, or of one and a constant."""
    pair = values(op, 2, "x1", "x2")
    node = BINARY[op.type.removeprefix("ops.")]
    tensors = [emit.unfolded(value) for value in pair if isinstance(value, Tensor)]
    if len(tensors) == 2:
        if tensors[0].rank != tensors[1].rank:
            shapes = " and ".join(str(t.shape) for t in tensors)
            raise op.unsupported(f"inputs of shape {shapes}", "inputs of as many axes are")
        first, second = together(op, emit, tensors)
        return replace(first, name=emit.node(node, (first.name, second.name)), shape=joined_shape(op, (first, second)))
    if not tensors:
        raise op.bad("works on no tensor")
    x = tensors[0]
    names = [
        x.name if isinstance(v, Tensor) else broadcast(op, emit, x, "value", numbers(op, "value", v)) for v in pair
    ]
    return x.named(emit.node(node, names))


SINGLE = {"Negative": "Neg", "Absolute": "Abs", "Abs": "Abs", "Sqrt": "Sqrt", "Exp": "Exp", "Log": "Log"} | {
    "Floor": "Floor",
    "Ceil": "Ceil",
    "Sin": "Sin",
    "Cos": "Cos",
    "Erf": "Erf",
    "Reciprocal": "Reciprocal",
}


@layer(*(f"ops.{name}" for name in SINGLE))
def single(op: Layer, emit: Emit) -> Tensor:
    """Add the node of one tensor."""
    return emit.like(SINGLE[op.type.removeprefix("ops.")], op.input)


@layer("ops.Square")
def square(op: Layer, emit: Emit) -> Tensor:
    """Add a Mul with itself."""
    return emit.like("Mul", op.input, op.input.name)


@layer("ops.Power", call=("x1", "x2"))
def power(op: Layer, emit: Emit) -> Tensor:
    """Add a Pow; the exponent is a number."""
    x, exponent = values(op, 2, "x1", "x2")
    if not isinstance(x, Tensor) or isinstance(exponent, Tensor):
        raise op.unsupported("an exponent that is a tensor", "a number is")
    number = float(numbers(op, "exponent", exponent))
    return emit.like("Mul", x, x.name) if number == 2 else emit.like("Pow", x, emit.scalar(number))


ACTIVATIONS = {"".join(word.capitalize() for word in name.split("_")): name for name in (*TABLE, "hard_sigmoid")}


@layer(*(f"ops.{name}" for name in ACTIVATIONS if name not in ("Linear", "Swish", "HardSwish", "Exponential")))
def activation(op: Layer, emit: Emit) -> Tensor:
    """Add an activation."""
    name = ACTIVATIONS[op.type.removeprefix("ops.")]
    if name in ("softmax", "log_softmax"):
        x = tensor(op, emit)
        axes = op.axes("axis", rank=x.rank, default=-1)
        if len(axes) != 1:
            raise op.unsupported(f"axis {axes}", "one axis is")
        return (softmax_along if name == "softmax" else log_softmax_along)(emit, x, axes[0])
    if name == "leaky_relu":
        return emit.like("LeakyRelu", op.input, alpha=op.number("negative_slope", default=0.2))
    known = {"alpha": 1.0, "approximate": False, "axis": -1, "threshold": 0.5, "b": 4.0}
    for setting, value in known.items():
        if op.setting(setting, default=value) != value:
            raise op.unsupported(f"{setting} {op.setting(setting)!r:.60}", f"{value!r} is")
    return activate(op, emit, op.input, name)


@layer("ops.Clip")
def clip(op: Layer, emit: Emit) -> Tensor:
    """Add a Clip."""
    low, high = (emit.scalar(op.number(name)) for name in ("x_min", "x_max"))
    return emit.like("Clip", op.input, low, high)


def without(emit: Emit, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return a tensor without Keras axes of size 1."""
    return emit.reshape(x, tuple(size for axis, size in enumerate(x.shape) if axis not in axes))


@layer("ops.Mean", "ops.Sum", "ops.Max", "ops.Min")
def reduction(op: Layer, emit: Emit) -> Tensor:
    """Add a node for each axis: OpenCV 4 is wrong for several at once."""
    x = tensor(op, emit)
    given = op.setting("axis")
    axes = op.axes("axis", rank=x.rank) if given is not None else tuple(range(x.rank))
    if 0 in axes or op.setting("initial") is not None:
        raise op.unsupported(f"axis {given!r:.60} or an initial value", "axes behind the batch are")
    name, kind = x.name, op.type.removeprefix("ops.")
    places = sorted(x.axis(axis) for axis in axes)
    if kind == "Mean":
        name = mean(emit, name, places)
    for place in places if kind != "Mean" else ():
        if kind == "Sum":
            name = emit.node("ReduceSum", (name, emit.constant("axes", np.array([place]))), keepdims=1)
        else:
            name = emit.node(f"Reduce{kind}", (name,), axes=[place], keepdims=1)
    kept = replace(x, name=name, shape=tuple(1 if axis in axes else size for axis, size in enumerate(x.shape)))
    return kept if op.flag("keepdims", default=False) else without(emit, kept, axes)


@layer("ops.Cast", "ops.Identity", "ops.StopGradient", "ops.ConvertToTensor")
def nothing(op: Layer, emit: Emit) -> Tensor:
    """Return the input; every tensor is float32."""
    if op.setting("dtype", default="float32") not in ("float32", None):
        raise op.unsupported(f"dtype {op.setting('dtype')!r:.60}", "float32 is")
    return op.input
