"""SimpleRNN, LSTM and GRU, step by step: the number of steps has to be known.

ONNX has all three, but OpenCV runs them for one batch size or not at all. The gates of LSTM come in the order input,
forget, new cell, output; those of GRU update, reset, new state. ``reset_after`` applies the reset gate behind the
product with the recurrent kernel, whose bias is a second row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Array, Cases, Layer, Tensor, layer
from converters.keras.layers.activation import activate

CASES: Cases = (
    ("SimpleRNN", {"units": 4}, (5, 3)),
    ("SimpleRNN", {"units": 4, "return_sequences": True, "go_backwards": True, "use_bias": False}, (5, 3)),
    ("LSTM", {"units": 4}, (5, 3)),
    ("LSTM", {"units": 4, "return_sequences": True}, (5, 3)),
    ("LSTM", {"units": 4, "go_backwards": True, "use_bias": False}, (5, 3)),
    ("LSTM", {"units": 4, "recurrent_activation": "hard_sigmoid", "activation": "relu"}, (5, 3)),
    ("LSTM", {"units": 4, "return_state": True, "return_sequences": True}, (5, 3)),
    ("LSTM", {"units": 4}, (1, 3)),
    ("GRU", {"units": 4}, (5, 3)),
    ("GRU", {"units": 4, "reset_after": False, "return_sequences": True}, (5, 3)),
    ("GRU", {"units": 4, "go_backwards": True, "use_bias": False}, (5, 3)),
    ("GRU", {"units": 4, "return_state": True}, (5, 3)),
)
MOST_STEPS = 512
"""More would make a graph that no runtime loads in a sensible time."""


@dataclass(frozen=True, eq=False)
class Cell:
    """The weights of a cell and its activations. ``bias`` lies on the inputs, ``behind`` on the recurrent product."""

    units: int
    kernel: Array
    recurrent: Array
    bias: Array | None
    behind: Array | None
    gate: Callable[[str], str]
    new: Callable[[str], str]


Step = Callable[[Emit, Cell, str, Sequence[str]], tuple[str, ...]]


def _simple(emit: Emit, cell: Cell, inputs: str, states: Sequence[str]) -> tuple[str, ...]:
    return (cell.new(_and_recurrent(emit, cell, inputs, states)),)


def _lstm(emit: Emit, cell: Cell, inputs: str, states: Sequence[str]) -> tuple[str, ...]:
    i, f, g, o = emit.nodes_of("Split", (_and_recurrent(emit, cell, inputs, states),), 4, axis=2)
    c = emit.node("Mul", (cell.gate(i), cell.new(g)))
    if states:
        c = emit.node("Add", (emit.node("Mul", (cell.gate(f), states[1])), c))
    return emit.node("Mul", (cell.gate(o), cell.new(c))), c


def _gru(emit: Emit, cell: Cell, inputs: str, states: Sequence[str], *, reset_after: bool) -> tuple[str, ...]:
    z, r, g = emit.nodes_of("Split", (inputs,), 3, axis=2)
    units = cell.units
    if reset_after and states:
        product = emit.node("MatMul", (states[0], emit.constant("recurrent", cell.recurrent)))
        if cell.behind is not None:
            product = emit.node("Add", (product, emit.constant("bias", cell.behind)))
        to_z, to_r, to_g = emit.nodes_of("Split", (product,), 3, axis=2)
        z, r = (cell.gate(emit.node("Add", pair)) for pair in ((z, to_z), (r, to_r)))
        g = emit.node("Add", (g, emit.node("Mul", (r, to_g))))
    elif reset_after and cell.behind is not None:  # the first state is 0
        parts = [emit.constant("bias", part) for part in np.split(cell.behind, 3)]
        z, r = (cell.gate(emit.node("Add", pair)) for pair in ((z, parts[0]), (r, parts[1])))
        g = emit.node("Add", (g, emit.node("Mul", (r, parts[2]))))
    elif states:
        two, last = (emit.constant("recurrent", part) for part in np.split(cell.recurrent, [2 * units], axis=1))
        to_z, to_r = emit.nodes_of("Split", (emit.node("MatMul", (states[0], two)),), 2, axis=2)
        z, r = (cell.gate(emit.node("Add", pair)) for pair in ((z, to_z), (r, to_r)))
        g = emit.node("Add", (g, emit.node("MatMul", (emit.node("Mul", (r, states[0])), last))))
    else:
        z = cell.gate(z)
    new = emit.node("Mul", (emit.node("Sub", (emit.scalar(1.0), z)), cell.new(g)))
    return (emit.node("Add", (emit.node("Mul", (z, states[0])), new)) if states else new,)


def _and_recurrent(emit: Emit, cell: Cell, inputs: str, states: Sequence[str]) -> str:
    if not states:
        return inputs
    return emit.node("Add", (inputs, emit.node("MatMul", (states[0], emit.constant("recurrent", cell.recurrent)))))


@dataclass(frozen=True, eq=False)
class Run:
    """What a recurrent layer made: the output of each step it took, (N, 1, units) each, and the last states."""

    steps: list[str]
    states: tuple[str, ...]
    units: int


def run(op: Layer, emit: Emit, x: Tensor, within: Sequence[str] = ()) -> Run:
    """Add the steps of a recurrent layer; ``within`` says where its weights are, for one inside another layer."""
    if x.rank != 3 or x.shape[1] is None or x.shape[2] is None or x.shape[1] > MOST_STEPS:
        raise op.unsupported(f"an input of shape {x.shape}", f"up to {MOST_STEPS} steps, as many as the file says, are")
    if op.flag("stateful", default=False):
        raise op.unsupported("stateful", "a state that starts at 0 is")
    op.setting("dropout", "recurrent_dropout", "dropout_W", "dropout_U", "zero_output_for_mask", "consume_less")
    op.setting("reset_after" if op.type != "GRU" else "", "unit_forget_bias", "time_major")
    cell, step = _cell(op, emit, x.shape[2], within)
    plain = emit.plain(x)
    inputs = emit.node("MatMul", (plain.name, emit.constant("kernel", cell.kernel)))
    if cell.bias is not None:
        inputs = emit.node("Add", (inputs, emit.constant("bias", cell.bias)))
    each = emit.nodes_of("Split", (inputs,), x.shape[1], axis=1) if x.shape[1] > 1 else [inputs]
    states: tuple[str, ...] = ()
    steps = []
    for one in each[::-1] if op.flag("go_backwards", default=False) else each:
        states = step(emit, cell, one, states)
        steps.append(states[0])
    return Run(steps, states, cell.units)


GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def _cell(op: Layer, emit: Emit, inputs: int, within: Sequence[str]) -> tuple[Cell, Step]:
    units, gates = op.integer("units", "output_dim"), GATES[op.type]
    kernel = op.weight("kernel", (inputs, gates * units), within=within)
    recurrent = op.weight("recurrent_kernel", (units, gates * units), within=within)
    reset_after = op.type == "GRU" and op.flag("reset_after", default=False)
    bias = behind = None
    if op.flag("use_bias", default=True):
        shape = (2, gates * units) if reset_after else (gates * units,)
        bias = op.weight("bias", shape, within=within)
        bias, behind = bias if reset_after else (bias, None)

    def activation(*names: str, default: str) -> Callable[[str], str]:
        given = op.setting(*names, default=default)
        return lambda name: activate(op, emit, Tensor(name, (None, 1, units), (0, 1, 2)), given).name

    gate = activation("recurrent_activation", "inner_activation", default="sigmoid")
    found = Cell(units, kernel, recurrent, bias, behind, gate, activation("activation", default="tanh"))
    steps: dict[str, Step] = {"SimpleRNN": _simple, "LSTM": _lstm, "GRU": partial(_gru, reset_after=reset_after)}
    return found, steps[op.type]


def sequence(emit: Emit, steps: Sequence[str], units: int) -> Tensor:
    """Join the outputs of all steps to (N, steps, units)."""
    name = emit.node("Concat", steps, axis=1) if len(steps) > 1 else steps[0]
    return Tensor(name, (None, len(steps), units), (0, 1, 2))


def last(emit: Emit, state: str, units: int) -> Tensor:
    """Return a state, (N, 1, units), as (N, units)."""
    return emit.reshape(Tensor(state, (None, 1, units), (0, 1, 2)), (None, units))


@layer("SimpleRNN", "LSTM", "GRU")
def recurrent(op: Layer, emit: Emit) -> Tensor | list[Tensor]:
    """Add a MatMul for the inputs of all steps, and some nodes a step."""
    sequences, states = (op.flag(f"return_{what}", default=False) for what in ("sequences", "state"))
    made = run(op, emit, op.input)
    first = sequence(emit, made.steps, made.units) if sequences else last(emit, made.steps[-1], made.units)
    return [first, *(last(emit, state, made.units) for state in made.states)] if states else first
