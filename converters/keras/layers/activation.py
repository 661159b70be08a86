"""Activations: as a layer, and as ``activation=`` of any other one, by the same table.

``hard_sigmoid`` changed: Keras 1 and 2 have ``clip(0.2 x + 0.5)``, Keras 3 has ``clip(x / 6 + 0.5)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod, sqrt
from typing import Any

import numpy as np

from converters.errors import Unsupported
from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.origin import class_of, is_kerass_function

# fmt: off
NAMES = (
    "relu", "relu6", "sigmoid", "hard_sigmoid", "tanh", "softmax", "log_softmax", "elu", "selu", "celu", "silu",
    "hard_silu", "gelu", "softplus", "softsign", "exponential", "linear", "leaky_relu", "mish", "log_sigmoid",
    "hard_tanh", "hard_shrink", "soft_shrink", "tanh_shrink", "squareplus", "sparse_plus", "sparse_sigmoid",
)
# fmt: on
CASES: Cases = (
    *((("Activation", {"activation": name}, (7, 9, 6))) for name in NAMES),
    ("Activation", {"activation": "softmax"}, (5,)),
    ("Activation", {"activation": "softmax"}, (7, 5)),
    ("ReLU", {}, (7, 9, 3)),
    ("ReLU", {"max_value": 1.5}, (7, 9, 3)),
    ("ReLU", {"negative_slope": 0.2}, (7, 9, 3)),
    ("ReLU", {"threshold": 0.3}, (7, 9, 3)),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.2, "threshold": 0.3}, (7, 9, 3)),
    ("LeakyReLU", {"negative_slope": 0.25}, (7, 9, 3)),
    ("PReLU", {"shared_axes": (1, 2)}, (7, 9, 3)),
    ("PReLU", {}, (7, 9, 3)),
    ("PReLU", {"shared_axes": (1,)}, (7, 9, 3)),
    ("PReLU", {"shared_axes": (3,)}, (7, 9, 3)),
    ("PReLU", {}, (5,)),
    ("ELU", {"alpha": 0.7}, (7, 9, 3)),
    ("Softmax", {}, (7, 9, 3)),
    ("Softmax", {"axis": 1}, (7, 9, 3)),
    ("Softmax", {"axis": (1, 2)}, (7, 9, 3)),
)
Form = Callable[[Emit, Tensor], Tensor]


def _node(op_type: str, **attributes: Any) -> Form:
    return lambda emit, x: emit.like(op_type, x, **attributes)


def _clip(emit: Emit, x: Tensor, low: float, high: float) -> Tensor:
    return emit.like("Clip", x, emit.scalar(low), emit.scalar(high))


def _scaled(emit: Emit, x: Tensor, factor: float, shift: float) -> Tensor:
    return emit.like("Add", emit.like("Mul", x, emit.scalar(factor)), emit.scalar(shift))


def _line(emit: Emit, x: Tensor, slope: float) -> Tensor:
    """Clip(slope * x + 0.5, 0, 1). Not HardSigmoid: OpenCV takes that and any Mul behind it for HardSwish."""
    return _clip(emit, _scaled(emit, x, slope, 0.5), 0.0, 1.0)


def _gated(emit: Emit, x: Tensor) -> Tensor:
    return emit.like("Mul", x, emit.node("Sigmoid", (x.name,)))


def _gelu(emit: Emit, x: Tensor) -> Tensor:
    """0.5 x (1 + erf(x / sqrt 2)), in the order of nodes that runtimes know as one."""
    ratio = emit.like("Div", x, emit.scalar(sqrt(2)))
    sums = emit.like("Add", emit.like("Erf", ratio), emit.scalar(1.0))
    return emit.like("Mul", emit.like("Mul", x, sums.name), emit.scalar(0.5))


def _tanh(emit: Emit, x: Tensor) -> Tensor:
    """Tanh between -20 and 20, where it is 1 already: OpenCV 5 has no number for it from 45 on."""
    return emit.like("Tanh", _clip(emit, x, -20.0, 20.0))


def _softplus(emit: Emit, x: Tensor) -> Tensor:
    """Relu(x) + Softplus(-|x|), in which nothing overflows: OpenCV has no number for Softplus from 89 on."""
    small = emit.like("Softplus", emit.like("Neg", emit.like("Abs", x)))
    return emit.like("Add", emit.like("Relu", x), small.name)


def _mish(emit: Emit, x: Tensor) -> Tensor:
    return emit.like("Mul", x, _tanh(emit, _softplus(emit, x)).name)


def _log_sigmoid(emit: Emit, x: Tensor) -> Tensor:
    return emit.like("Neg", _softplus(emit, emit.like("Neg", x)))


def _squareplus(emit: Emit, x: Tensor) -> Tensor:
    root = emit.like("Sqrt", emit.like("Add", emit.like("Mul", x, x.name), emit.scalar(4.0)))
    return emit.like("Mul", emit.like("Add", x, root.name), emit.scalar(0.5))


def _sparse_plus(emit: Emit, x: Tensor) -> Tensor:
    """0 up to -1, (x + 1)^2 / 4 between, x from 1 on: the middle part clipped, and what is above 1."""
    half = _scaled(emit, _clip(emit, x, -1.0, 1.0), 0.5, 0.5)
    above = emit.like("Relu", emit.like("Sub", x, emit.scalar(1.0)))
    return emit.like("Add", emit.like("Mul", half, half.name), above.name)


def softmax_along(emit: Emit, x: Tensor, axis: int) -> Tensor:
    """Add Softmax along a Keras axis."""
    x = emit.unfolded(x)
    return emit.like("Softmax", x, axis=x.axis(axis))


def log_softmax_along(emit: Emit, x: Tensor, axis: int) -> Tensor:
    """Add the parts of LogSoftmax along a Keras axis, Neg and Add for the last Sub.

    OpenCV takes the logarithm of a Softmax, which may be 0, and knows the parts when they end in Sub.
    """
    x = emit.unfolded(x)
    place = x.axis(axis)
    x = emit.like("Sub", x, emit.node("ReduceMax", (x.name,), axes=[place], keepdims=1))
    axes = emit.constant("axes", np.array([place], dtype=np.int64))
    total = emit.node("ReduceSum", (emit.node("Exp", (x.name,)), axes), keepdims=1)
    return emit.like("Add", x, emit.node("Neg", (emit.node("Log", (total,)),)))


TABLE: dict[str, Form] = {
    "linear": lambda emit, x: x,
    "relu": _node("Relu"),
    "relu6": partial(_clip, low=0.0, high=6.0),
    "sigmoid": _node("Sigmoid"),
    "tanh": _tanh,
    "softmax": partial(softmax_along, axis=-1),
    "log_softmax": partial(log_softmax_along, axis=-1),
    "elu": _node("Elu", alpha=1.0),
    "selu": _node("Selu", alpha=1.6732632423543772, gamma=1.0507009873554805),
    "celu": _node("Celu", alpha=1.0),
    "silu": _gated,
    "swish": _gated,
    "hard_silu": _node("HardSwish"),
    "hard_swish": _node("HardSwish"),
    "gelu": _gelu,
    "softplus": _softplus,
    "softsign": _node("Softsign"),
    "exponential": _node("Exp"),
    "leaky_relu": _node("LeakyRelu", alpha=0.2),
    "mish": _mish,
    "log_sigmoid": _log_sigmoid,
    "hard_tanh": partial(_clip, low=-1.0, high=1.0),
    "hard_shrink": _node("Shrink", lambd=0.5, bias=0.0),
    "soft_shrink": _node("Shrink", lambd=0.5, bias=0.5),
    "tanh_shrink": lambda emit, x: emit.like("Sub", x, _tanh(emit, x).name),
    "squareplus": _squareplus,
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": partial(_line, slope=0.5),
}


def activate(op: Layer, emit: Emit, x: Tensor, given: Any) -> Tensor:
    """Add an activation by what the file says of it: a name, a layer with its settings, or nothing."""
    if given is None:
        return x
    if isinstance(given, dict) and given.get("class_name") in ("function", "Function") and "config" in given:
        if not is_kerass_function(given):
            known = "its code is not in the file; use one of Keras, or export a SavedModel and convert it --via tf2onnx"
            raise Unsupported(f"{op.where}: activation {given['config']!r:.100} is somebody's own function, {known}")
        given = given["config"]
    if isinstance(given, dict) and isinstance(given.get("config"), dict):
        return _as_layer(op, emit, x, given)
    if given == "hard_sigmoid":
        return _line(emit, x, 1 / 6 if op.keras >= 3 else 0.2)
    if not isinstance(given, str) or given not in TABLE:
        known = f"there are: {', '.join(sorted((*TABLE, 'hard_sigmoid')))}; code of one's own is never run"
        raise op.unsupported(f"activation {given!r:.100}", known)
    return TABLE[given](emit, x)


def _as_layer(op: Layer, emit: Emit, x: Tensor, given: dict[str, Any]) -> Tensor:
    """Add an activation that is a layer itself, as ``Dense(activation=LeakyReLU())``."""
    kind = class_of(given)
    form = LAYERS.get(kind)
    if form is None:
        raise op.unsupported(f"activation {kind!r:.100}", f"there are: {', '.join(LAYERS)} and names")
    if kind == "PReLU" and not op.weights.has("alpha"):
        known = "Keras stores none for one inside another layer; make it a layer of its own"
        raise Unsupported(f"{op.where}: activation PReLU has no slopes in the file: {known}")
    inner = Layer(op.name, kind, given["config"], (x,), op.where, op.weights, keras=op.keras)
    made = form(inner, emit)
    inner.check_all_read()
    return made


@layer("Activation")
def activation(op: Layer, emit: Emit) -> Tensor:
    """Add the activation."""
    return activate(op, emit, op.input, op.setting("activation"))


@layer("ReLU")
def relu(op: Layer, emit: Emit) -> Tensor:
    """Add ``x`` between threshold and max_value, ``slope * (x - threshold)`` below, ``max_value`` above."""
    high = None if op.setting("max_value") is None else op.number("max_value")
    slope = 0.0 if op.setting("negative_slope") is None else op.number("negative_slope")
    low = 0.0 if op.setting("threshold") is None else op.number("threshold")
    x = op.input
    if low == 0.0 and high is None:
        return emit.like("LeakyRelu", x, alpha=slope) if slope else emit.like("Relu", x)
    if low == 0.0 and high is not None:
        clipped = _clip(emit, x, 0.0, high)
        return clipped if not slope else _with_slope(emit, x, clipped, 0.0, slope)
    above = emit.like("Mul", x, _step(emit, x, low))
    if high is not None:
        above = emit.like("Min", above, emit.scalar(high))
    return _with_slope(emit, x, above, low, slope) if slope else above


def _step(emit: Emit, x: Tensor, low: float) -> str:
    """Return the tensor that is 1 where x is at least ``low`` (Keras counts equal as above), else 0."""
    below = emit.node("Less", (x.name, emit.scalar(low)))
    return emit.node("Cast", (emit.node("Not", (below,)),), to=1)


def _with_slope(emit: Emit, x: Tensor, above: Tensor, low: float, slope: float) -> Tensor:
    below = emit.like("Min", emit.like("Sub", x, emit.scalar(low)), emit.scalar(0.0))
    return emit.like("Add", above, emit.like("Mul", below, emit.scalar(slope)).name)


@layer("ThresholdedReLU")
def thresholded_relu(op: Layer, emit: Emit) -> Tensor:
    """Add ``x`` where it is above theta, else 0."""
    return emit.like("ThresholdedRelu", op.input, alpha=op.number("theta", default=1.0))


@layer("LeakyReLU")
def leaky_relu(op: Layer, emit: Emit) -> Tensor:
    """Add LeakyRelu."""
    return emit.like("LeakyRelu", op.input, alpha=op.number("negative_slope", "alpha", default=0.3))


@layer("ELU")
def elu(op: Layer, emit: Emit) -> Tensor:
    """Add Elu."""
    return emit.like("Elu", op.input, alpha=op.number("alpha", default=1.0))


@layer("PReLU")
def prelu(op: Layer, emit: Emit) -> Tensor:
    """Add PRelu, or its parts, its slopes laid out as the input is: they have all axes but the batch."""
    x = op.input
    shared = op.axes("shared_axes", rank=x.rank) if op.setting("shared_axes") is not None else ()
    sizes = [1 if axis in shared else size for axis, size in enumerate(x.shape) if axis]
    if None in sizes:
        raise op.bad(f"slopes for each place need a known size; the input is {x.shape}")
    alpha = op.weight("alpha", [size or 0 for size in sizes], fan=None)
    alpha = alpha[..., x.places] if x.places is not None and alpha.shape[-1] > 1 else alpha
    slopes = emit.constant("slopes", alpha.transpose([axis - 1 for axis in x.order[1:]]))
    if max(emit.constants[slopes].shape[1:], default=1) == 1:
        return emit.like("PRelu", x, slopes)
    above = emit.like("Relu", x)  # OpenCV 5 knows slopes of channels only, behind a convolution
    below = emit.node("Mul", (emit.node("Sub", (x.name, above.name)), slopes))
    return emit.like("Add", above, below)


@layer("Softmax", call=("mask",))
def softmax(op: Layer, emit: Emit) -> Tensor:
    """Add Softmax over an axis; over several they are made one first."""
    if op.call.get("mask") is not None:
        raise op.unsupported("a mask", "only the input may be given")
    x = emit.unfolded(op.input)
    axes = op.axes("axis", rank=x.rank, default=-1)
    if len(axes) == 1:
        return emit.like("Softmax", x, axis=x.axis(axes[0]))
    return _softmax_of_several(emit, x, axes)


def _softmax_of_several(emit: Emit, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Add a Softmax over several axes, which a Reshape makes one: OpenCV 4 reduces one axis only."""
    places = sorted(map(x.axis, axes))
    if places != list(range(places[0], places[-1] + 1)) or None in x.shape[1:]:
        x = emit.ordered(x, (*(axis for axis in x.order if axis not in axes), *axes))
        places = sorted(map(x.axis, axes))
    sizes = [size or 0 for size in x.sizes]
    joined = [*sizes[: places[0]], prod(sizes[place] for place in places), *sizes[places[-1] + 1 :]]
    name = emit.node("Reshape", (x.name, emit.constant("sizes", np.array(joined, dtype=np.int64))))
    name = emit.node("Softmax", (name,), axis=places[0])
    return x.named(emit.node("Reshape", (name, emit.constant("sizes", np.array(sizes, dtype=np.int64)))))


LAYERS: dict[str, Callable[[Layer, Emit], Tensor]] = {
    "ReLU": relu,
    "ThresholdedReLU": thresholded_relu,
    "LeakyReLU": leaky_relu,
    "ELU": elu,
    "PReLU": prelu,
    "Softmax": softmax,
}
