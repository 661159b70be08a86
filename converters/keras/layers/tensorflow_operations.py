"""Arithmetic in a model of tf.keras 2, as ``x + 1``: a TFOpLambda names the function of TensorFlow.

Despite its name it holds no code. Each is done as the operation of Keras 3 that is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, kinds, layer

CASES: Cases = ()
"""Keras 3 cannot build them; the tests write files as tf.keras 2 does."""


@dataclass(frozen=True)
class Same:
    """An operation of Keras 3; ``settings`` has its name for each of TensorFlow's, ``turned``: y comes before x."""

    type: str
    settings: tuple[tuple[str, str], ...] = ()
    turned: bool = False


AXES = (("axis", "axis"), ("keepdims", "keepdims"))
FUNCTIONS = {
    **{
        f"math.{word}": Same(kind)
        for word, kind in (("add", "Add"), ("subtract", "Subtract"), ("multiply", "Multiply"))
    },
    **{f"math.{word}": Same("TrueDivide") for word in ("truediv", "divide")},
    **{
        f"math.{word}": Same(word.capitalize())
        for word in ("maximum", "minimum", "square", "sqrt", "exp", "log", "abs")
    },
    **{f"__operators__.{w}": Same(k) for w, k in (("add", "Add"), ("sub", "Subtract"), ("mul", "Multiply"))},
    **{f"__operators__.r{w}": Same(k, (), True) for w, k in (("add", "Add"), ("sub", "Subtract"), ("mul", "Multiply"))},
    **{
        f"{group}.{word}": Same(word.capitalize())
        for group in ("nn", "math")
        for word in ("sigmoid", "tanh", "softplus")
    },
    **{f"nn.{word}": Same(word.capitalize()) for word in ("relu", "relu6", "silu", "elu", "selu", "softsign")},
    "__operators__.truediv": Same("TrueDivide"),
    "__operators__.neg": Same("Negative"),
    "math.negative": Same("Negative"),
    "nn.swish": Same("Silu"),
    "nn.softmax": Same("Softmax", (("axis", "axis"),)),
    "nn.leaky_relu": Same("LeakyRelu", (("alpha", "negative_slope"),)),
    "clip_by_value": Same("Clip", (("clip_value_min", "x_min"), ("clip_value_max", "x_max"))),
    **{f"math.reduce_{word}": Same(word.capitalize(), AXES) for word in ("mean", "sum", "max", "min")},
    "reshape": Same("Reshape", (("shape", "newshape"),)),
    "transpose": Same("Transpose", (("perm", "axes"),)),
    "concat": Same("Concatenate", (("axis", "axis"),)),
    "stack": Same("Stack", (("axis", "axis"),)),
    "expand_dims": Same("ExpandDims", (("axis", "axis"),)),
    "squeeze": Same("Squeeze", (("axis", "axis"),)),
    "cast": Same("Cast", (("dtype", "dtype"),)),
    "identity": Same("Identity"),
    **dict.fromkeys(("linalg.matmul", "__operators__.matmul"), Same("Matmul")),
    "tensordot": Same("Tensordot", (("axes", "axes"),)),
    "nn.bias_add": Same("Add"),
    "nn.gelu": Same("Gelu", (("approximate", "approximate"),)),
    "reverse": Same("Flip", (("axis", "axis"),)),
    **dict.fromkeys(
        ("math.l2_normalize", "linalg.l2_normalize", "nn.l2_normalize"),
        Same("L2Normalize", (("axis", "axis"), ("epsilon", "epsilon"))),
    ),
    **dict.fromkeys(("norm", "linalg.norm"), Same("Norm", (("ord", "ord"), *AXES))),
}
OPERANDS = ("x", "a", "value", "y", "b", "bias")
"""The names of what a function works on, the first one first."""
PASSED = (
    *OPERANDS,
    "name",
    "slice_spec",
    *dict.fromkeys(name for same in FUNCTIONS.values() for name, _ in same.settings),
)


@layer("TFOpLambda", call=PASSED)
def operation(op: Layer, emit: Emit) -> Tensor:
    """Add the operation of Keras 3."""
    name = op.setting("function")
    same = FUNCTIONS.get(name) if isinstance(name, str) else None
    if same is None:
        raise op.unsupported(f"the function {name!r:.100} of TensorFlow", f"there are: {', '.join(sorted(FUNCTIONS))}")
    call = {key: value for key, value in op.call.items() if value is not None and key != "name"}
    settings = {ours: call.pop(theirs) for theirs, ours in same.settings if theirs in call}
    pair: list[Any] = [*op.args, *(call.pop(key) for key in OPERANDS if key in call)]
    if call:
        raise op.unsupported(f"called with {', '.join(call)}", "its inputs and known settings are")
    inner = replace(
        op,
        type=f"ops.{same.type}",
        config=settings,
        args=tuple(pair[::-1] if same.turned else pair),
        call={},
        _read=set(),
    )
    made = kinds()[inner.type].convert(inner, emit)
    inner.check_all_read()
    if not isinstance(made, Tensor):
        raise op.bad(f"makes {len(made)} tensors")
    return made


@layer("SlicingOpLambda", call=PASSED)
def getitem(op: Layer, emit: Emit) -> Tensor:
    """Add a Slice, as ``x[:, 1:3]``."""
    op.choice("function", known=("__operators__.getitem",))
    inner = replace(op, type="ops.GetItem", config={}, args=(op.input, op.call.get("slice_spec")), call={}, _read=set())
    made = kinds()[inner.type].convert(inner, emit)
    assert isinstance(made, Tensor)
    return made
