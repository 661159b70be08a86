"""RNN, the plain recurrent layer: a state, tanh of what comes in, and a top, tanh of the state.

Only the state passes from step to step, so the tops of all steps are made of all states at once.
"""

from __future__ import annotations

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

STATES = 1
"""h"""

CASES = (
    ("recurrent_param { num_output: 4 }", ((5, 3, 7), (5, 3))),
    ("recurrent_param { num_output: 4 }", ((5, 3, 7, 2), (5, 3), (3, 11))),
    ("recurrent_param { num_output: 4 }", ((1, 3, 7), (1, 3))),
    ("recurrent_param { num_output: 4 expose_hidden: true }", ((5, 3, 7), (5, 3), (1, 3, 4)), 2),
    ("recurrent_param { num_output: 4 expose_hidden: true }", ((5, 3, 7), (5, 3), (3, 11), (1, 3, 4)), 2),
    ("recurrent_param { num_output: 4 expose_hidden: true }", ((1, 3, 7), (1, 3), (1, 3, 4)), 2),
)


def shape(op: Layer, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return (T, N, outputs), and (1, N, outputs) for h behind the last step."""
    return tops(op, STATES, *bottoms)


def weights(op: Layer, *bottoms: Shape) -> tuple[Shape, ...]:
    """Return the shapes of what is laid on the bottoms, on the state, and on the state for the top, with its bias."""
    outputs = op.param.num_output
    return *input_weights(op, STATES, outputs, *bottoms), (outputs, outputs), (outputs, outputs), (outputs,)


def reference(op: Layer, *bottoms: Array) -> tuple[Array, ...]:
    """Return the tops of all steps; h of the last one."""
    recurrent, output, bias = op.blobs[-3:]
    states = []
    (h,) = first_state(op, STATES, *bottoms)
    for inputs, cont in zip(step_inputs(op, STATES, *bottoms), bottoms[1][..., None], strict=True):
        h = np.tanh(inputs + (cont * h) @ recurrent.T)
        states.append(h)
    return (np.tanh(np.stack(states) @ output.T + bias), h[None])[: len(op.tops)]


@layer(
    "RNN",
    shape=shape,
    reference=reference,
    weights=weights,
    parameter=PARAMETER,
    bottoms=(2, 4),
    tops=(1, 2),
    samples=no_samples,
    holds=continues,
    in_place=False,
)
def rnn(op: Layer, emit: Emit) -> None:
    """Five nodes a step, and five for the tops."""
    *blobs, recurrent, output, bias = (blob.T for blob in op.blobs)
    inputs = emit_step_inputs(op, emit, STATES, blobs)
    h = op.bottoms[-1] if op.param.expose_hidden else ""
    cont = emit_cont(op, emit) if h or len(inputs) > 1 else [""]
    states: list[str] = []
    for step, total in enumerate(inputs):
        if h:
            kept = emit.node("Mul", (h, cont[step]))
            total = emit.node("Add", (total, emit.node("MatMul", (kept, emit.constant("recurrent", recurrent)))))
        h = limited_tanh(emit, total, op.tops[1:] if step == len(inputs) - 1 else ())
        states.append(h)
    whole = emit_whole(emit, states)
    product = emit.node("MatMul", (whole, emit.constant("output", output)))
    limited_tanh(emit, emit.node("Add", (product, emit.constant("output_bias", bias))), op.tops[:1])
