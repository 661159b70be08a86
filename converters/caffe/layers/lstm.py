"""LSTM, the recurrent layer with a memory cell. Its weights hold four blocks of rows: input, forget, output, new cell.

``cont`` multiplies the state and the cell of the step before, not only the state. A number between 0 and 1 works too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer, no_samples
from converters.caffe.layers._recurrent import (
    PARAMETER,
    continues,
    emit_cont,
    emit_step_inputs,
    emit_whole,
    first_state,
    input_weights,
    limited_tanh,
    step_inputs,
    tops,
)

STATES = 2
"""h and c"""

STATE = (1, 3, 4)
CASES = (
    ("recurrent_param { num_output: 4 }", ((5, 3, 7), (5, 3))),
    ("recurrent_param { num_output: 4 }", ((5, 3, 2, 7), (5, 3))),
    ("recurrent_param { num_output: 4 debug_info: false }", ((1, 3, 7), (1, 3))),
    ("recurrent_param { num_output: 4 }", ((5, 3, 7), (5, 3), (3, 11))),
    ("recurrent_param { num_output: 4 }", ((5, 3, 7), (5, 3), (3, 2, 11))),
    ("recurrent_param { num_output: 4 expose_hidden: true }", ((5, 3, 7), (5, 3), STATE, STATE), 3),
    ("recurrent_param { num_output: 4 expose_hidden: true }", ((5, 3, 7), (5, 3), (3, 11), STATE, STATE), 3),
    ("recurrent_param { num_output: 4 expose_hidden: true }", ((1, 3, 7), (1, 3), STATE, STATE), 3),
)


def shape(op: Layer, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return (T, N, outputs), and (1, N, outputs) for h and c behind the last step."""
    return tops(op, STATES, *bottoms)


def weights(op: Layer, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return the shapes of what is laid on the bottoms, and (4 outputs, outputs) for the state."""
    outputs = op.param.num_output
    return *input_weights(op, STATES, 4 * outputs, *bottoms), (4 * outputs, outputs)


def reference(op: Layer, *bottoms: Array) -> tuple[Array, ...]:
    """Return h of all steps; h and c of the last one."""
    steps = []
    h, c = first_state(op, STATES, *bottoms)
    for inputs, cont in zip(step_inputs(op, STATES, *bottoms), bottoms[1][..., None], strict=True):
        gates = inputs + (cont * h) @ op.blobs[-1].T
        i, f, o, g = np.split(gates, 4, axis=-1)
        c = sigmoid(f) * (cont * c) + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        steps.append(h)
    return (np.stack(steps), h[None], c[None])[: len(op.tops)]


def sigmoid(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)), by way of tanh, which no x overflows."""
    return np.asarray(0.5 * np.tanh(0.5 * x) + 0.5)


@layer(
    "LSTM",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    bottoms=(2, 5),
    tops=(1, 3),
    samples=no_samples,
    holds=continues,
    in_place=False,
)
def lstm(op: Layer, emit: Emit) -> None:
    """Fourteen nodes a step. One Sigmoid makes all four gates: tanh(x) is 2 sigmoid(2x) - 1."""
    doubled = np.repeat(np.array([1, 1, 1, 2], dtype=np.float32), op.param.num_output)
    *blobs, recurrent = (blob.T * doubled for blob in op.blobs)
    inputs = emit_step_inputs(op, emit, STATES, blobs)
    h, c = op.bottoms[-2:] if op.param.expose_hidden else ("", "")
    cont = emit_cont(op, emit) if h or len(inputs) > 1 else [""]
    steps: list[str] = []
    for step, gates in enumerate(inputs):
        tops_h, tops_c = (op.tops[1:2], op.tops[2:]) if step == len(inputs) - 1 else ((), ())
        if h:
            h, c = (emit.node("Mul", (state, cont[step])) for state in (h, c))
            product = emit.node("MatMul", (h, emit.constant("recurrent", recurrent)))
            gates = emit.node("Add", (gates, product))
        h, c = _unit(emit, gates, c, tops_h, tops_c)
        steps.append(h)
    emit_whole(emit, steps, op.tops[:1])


def _unit(emit: Emit, gates: str, c: str, top_h: Sequence[str], top_c: Sequence[str]) -> tuple[str, str]:
    """Add what makes h and c of the gates and the last c (none: zeros), by these names. Returns the tensors' names."""
    two, one = (emit.constant(name, np.array(n, dtype=np.float32)) for name, n in (("two", 2), ("one", 1)))
    i, f, o, g = names = [emit.name(f"gate_{gate}") for gate in "ifog"]
    emit.node("Split", (emit.node("Sigmoid", (gates,)),), names, axis=2)
    new = emit.node("Sub", (emit.node("Mul", (g, two)), one))
    added = emit.node("Mul", (i, new), () if c else top_c)
    c = emit.node("Add", (emit.node("Mul", (f, c)), added), top_c) if c else added
    return emit.node("Mul", (o, limited_tanh(emit, c)), top_h), c
