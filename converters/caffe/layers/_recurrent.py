"""What LSTM and RNN share. Axis 0 is the time, axis 1 the samples: a bottom is (T, N, ...), its ``cont`` (T, N).

``cont`` multiplies what a step gets from the step before it: 0 begins a sequence anew, 1 goes on. Caffe keeps the state
of the last step for its next call; the ONNX graph begins with zeros every time, as Caffe's first call does. To carry
the state over, expose it (``expose_hidden``): it then comes in by bottoms and goes out by tops, (1, N, outputs) each.

ONNX's own LSTM has no ``cont``, and OpenCV runs no Scan: the steps are laid out one by one, as Caffe does.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "recurrent_param",
    146,
    None,
    """
    1 uint32 num_output = 0; 2 FillerParameter weight_filler; 3 FillerParameter bias_filler; 4 bool debug_info
    5 bool expose_hidden
    """,
)

LONGEST = 1000
"""steps: each is some ten nodes of the graph"""


def bottoms_of(op: Layer, states: int) -> tuple[int, int]:
    """Return how many bottoms there are without a static one, and the index of the first state."""
    least = 2 + (states if op.param.expose_hidden else 0)
    return least, 2 + (len(op.bottoms) > least)


def tops(op: Layer, states: int, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return (T, N, outputs), and (1, N, outputs) for each state that is exposed."""
    p = op.param
    op.mix("its axis 0 is the time, which is laid out step by step")
    _check_counts(op, states)
    if p.num_output < 1:
        raise op.bad("num_output is missing or 0")
    first, cont, *others = bottoms
    if len(first) < 3:
        raise op.bad(f"bottom {op.bottoms[0]!r} has the shape {first}; it needs (T, N, ..)")
    if cont != first[:2]:
        raise op.bad(
            f"bottom {op.bottoms[1]!r}, which says where sequences go on, has the shape {cont}, not {first[:2]}"
        )
    if first[0] > LONGEST:
        raise op.unsupported(f"a sequence of {first[0]} steps", f"up to {LONGEST} are; or expose_hidden, step by step")
    start = bottoms_of(op, states)[1]
    if start == 3 and (len(others[0]) < 2 or others[0][0] != first[1]):
        raise op.bad(f"static bottom {op.bottoms[2]!r} has the shape {others[0]}; it needs ({first[1]}, ..)")
    state = (1, first[1], p.num_output)
    for name, bottom in zip(op.bottoms[start:], bottoms[start:], strict=True):
        if bottom != state:
            raise op.bad(f"bottom {name!r}, a state, has the shape {bottom}, not {state}")
    return (*first[:2], p.num_output), *(state,) * (len(op.tops) - 1)


def _check_counts(op: Layer, states: int) -> None:
    least, _ = bottoms_of(op, states)
    top_count = least - 1
    if len(op.bottoms) not in (least, least + 1) or len(op.tops) != top_count:
        exposed = "with" if op.param.expose_hidden else "without"
        raise op.bad(
            f"{len(op.bottoms)} bottoms and {len(op.tops)} tops; {exposed} expose_hidden it has {least} bottoms, one "
            f"more with a static one, and {top_count} tops"
        )


def input_weights(op: Layer, states: int, rows: int, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return the shapes of what is laid on the bottoms: (rows, numbers of a step), (rows,), and the static weights."""
    static = ((rows, prod(bottoms[2][1:])),) if bottoms_of(op, states)[1] == 3 else ()
    return (rows, prod(bottoms[0][2:])), (rows,), *static


def continues(op: Layer, index: int, generator: np.random.Generator, shape: Shape) -> Array | None:
    """Return zeros and ones for ``cont``: about one sequence in three begins anew at a step."""
    return (generator.random(shape) > 1 / 3).astype(np.float32) if index == 1 else None


def step_inputs(op: Layer, states: int, *bottoms: Array) -> Array:
    """Return what each step gets from the bottoms: (T, N, rows)."""
    matrix, bias = op.blobs[:2]
    first = bottoms[0]
    inputs = first.reshape(*first.shape[:2], -1) @ matrix.T.astype(first.dtype) + bias
    if bottoms_of(op, states)[1] == 3:
        inputs = inputs + bottoms[2].reshape(len(bottoms[2]), -1) @ op.blobs[2].T.astype(first.dtype)
    return np.asarray(inputs)


def first_state(op: Layer, states: int, *bottoms: Array) -> Sequence[Array]:
    """Return what the first step goes on from, (N, outputs) each: zeros, or the bottoms that bring it."""
    if op.param.expose_hidden:
        return [state[0] for state in bottoms[-states:]]
    return [np.zeros((bottoms[0].shape[1], op.param.num_output))] * states


def emit_step_inputs(op: Layer, emit: Emit, states: int, blobs: Sequence[Array]) -> list[str]:
    """Add the product with the weights for all steps at once. Returns the tensors of the steps, (1, N, rows) each.

    ``blobs`` are the layer's own, their matrices on end: (numbers, rows).
    """
    bottom, weights, bias = op.bottoms[0], emit.constant("weights", blobs[0]), emit.constant("bias", blobs[1])
    steps, samples, *numbers = emit.shapes[bottom]
    if len(numbers) > 1:
        bottom = _arranged(emit, bottom, (steps, samples, prod(numbers)))
    inputs = emit.node("Add", (emit.node("MatMul", (bottom, weights)), bias))
    if bottoms_of(op, states)[1] == 3:
        static = _arranged(emit, op.bottoms[2], (1, samples, prod(emit.shapes[op.bottoms[2]][1:])))
        product = emit.node("MatMul", (static, emit.constant("static", blobs[2])))
        inputs = emit.node("Add", (inputs, product))
    return _steps(emit, inputs, "inputs", steps)


def emit_cont(op: Layer, emit: Emit) -> list[str]:
    """Add what cuts ``cont`` into steps. Returns their tensors, (1, N, 1) each."""
    steps, samples = emit.shapes[op.bottoms[1]]
    return _steps(emit, _arranged(emit, op.bottoms[1], (steps, samples, 1)), "cont", steps)


def emit_whole(emit: Emit, steps: Sequence[str], top: Sequence[str] = ()) -> str:
    """Add what joins steps to (T, N, outputs), by this name. Returns the tensor's name."""
    if len(steps) > 1:
        return emit.node("Concat", steps, top, axis=0)
    return emit.node("Identity", steps, top) if top else steps[0]  # OpenCV 4 is wrong about a Concat of one


def limited_tanh(emit: Emit, tensor: str, outputs: Sequence[str] = ()) -> str:
    """Add a TanH, as `converters.caffe.layers.tanh` says. Returns the tensor's name."""
    limits = [emit.constant(name, np.array(limit, dtype=np.float32)) for name, limit in (("min", -20), ("max", 20))]
    return emit.node("Tanh", (emit.node("Clip", (tensor, *limits)),), outputs)


def _arranged(emit: Emit, tensor: str, sizes: Shape) -> str:
    return emit.node("Reshape", (tensor, emit.constant("sizes", np.array(sizes, dtype=np.int64))))


def _steps(emit: Emit, tensor: str, what: str, count: int) -> list[str]:
    if count == 1:
        return [tensor]
    names = [emit.name(f"{what}_{step + 1}") for step in range(count)]
    emit.node("Split", (tensor,), names, axis=0)
    return names
