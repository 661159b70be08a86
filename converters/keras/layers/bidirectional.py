"""Bidirectional: a recurrent layer run forwards and one run backwards, with weights of their own.

What the backward one makes is turned round before both are joined.
"""

from __future__ import annotations

from typing import Any

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers.recurrent import GATES, last, run, sequence
from converters.keras.origin import class_of

CASES: Cases = (
    ("Bidirectional", {"layer": ("LSTM", {"units": 4})}, (5, 3)),
    ("Bidirectional", {"layer": ("GRU", {"units": 4, "return_sequences": True})}, (5, 3)),
    ("Bidirectional", {"layer": ("SimpleRNN", {"units": 4, "return_sequences": True}), "merge_mode": "sum"}, (5, 3)),
    ("Bidirectional", {"layer": ("LSTM", {"units": 4}), "merge_mode": "mul"}, (5, 3)),
    ("Bidirectional", {"layer": ("LSTM", {"units": 4}), "merge_mode": "ave"}, (5, 3)),
)


@layer("Bidirectional")
def bidirectional(op: Layer, emit: Emit) -> Tensor:
    """Add both, and a Concat, Add or Mul."""
    mode = op.choice("merge_mode", known=("concat", "sum", "mul", "ave"), default="concat")
    op.setting("return_sequences", "return_state", "stateful", "zero_output_for_mask")  # the layer inside has them
    forward = _inner(op, op.setting("layer"))
    given = op.setting("backward_layer")
    backwards = not forward.flag("go_backwards", default=False)
    backward = _inner(op, given) if given else _inner(op, op.setting("layer"), go_backwards=backwards)
    if backward.flag("go_backwards", default=False) is not backwards or forward.flag("return_state", default=False):
        raise op.unsupported("return_state, or two layers that run the same way", "one layer run both ways is")
    sequences = forward.flag("return_sequences", default=False)
    halves = []
    for inner, word in ((forward, "forward"), (backward, "backward")):
        name = str(inner.setting("name", default=inner.type.lower()))
        made = run(inner, emit, op.input, within=(f"{word}_layer", f"{word}_{name}", name))
        steps = made.steps[::-1] if word == "backward" else made.steps
        halves.append(sequence(emit, steps, made.units) if sequences else last(emit, made.steps[-1], made.units))
        inner.setting("return_sequences", "return_state")
        inner.check_all_read()
    names, shape = [half.name for half in halves], halves[0].shape
    if mode == "concat":
        whole = (*shape[:-1], sum(half.shape[-1] or 0 for half in halves))
        return Tensor(emit.node("Concat", names, axis=len(shape) - 1), whole, halves[0].order)
    joined = halves[0].named(emit.node("Mul" if mode == "mul" else "Add", names))
    return emit.like("Mul", joined, emit.scalar(0.5)) if mode == "ave" else joined


def _inner(op: Layer, given: Any, **changed: Any) -> Layer:
    """Return the layer inside, as the file describes it."""
    if not isinstance(given, dict) or not isinstance(given.get("config"), dict):
        raise op.bad(f"layer is {given!r:.100}; it has to be a layer with class_name and config")
    kind = class_of(given)
    if kind not in GATES:
        raise op.unsupported(f"a layer of class {kind!r:.60} in it", f"there are: {', '.join(GATES)}")
    return Layer(op.name, kind, {**given["config"], **changed}, op.inputs, op.where, op.weights, keras=op.keras)
