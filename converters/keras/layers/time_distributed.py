"""TimeDistributed: a layer done for each step. The steps become samples for it, and steps again behind it.

A layer that works on the last axis alone is done for all steps at once, without that.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, channels_first, kinds, layer
from converters.keras.origin import class_of
from converters.keras.walk import run_layer, unknown

CASES: Cases = (
    ("TimeDistributed", {"layer": ("Dense", {"units": 4, "activation": "softmax"})}, (5, 3)),
    ("TimeDistributed", {"layer": ("Dense", {"units": 4})}, (2, 5, 3)),
    ("TimeDistributed", {"layer": ("Activation", {"activation": "tanh"})}, (2, 5, 3)),
    ("TimeDistributed", {"layer": ("Flatten", {})}, (2, 5, 3)),
    ("TimeDistributed", {"layer": ("Dropout", {"rate": 0.5})}, (5, 3)),
    ("TimeDistributed", {"layer": ("Conv2D", {"filters": 4, "kernel_size": 3, "padding": "same"})}, (2, 5, 7, 3)),
    ("TimeDistributed", {"layer": ("MaxPooling2D", {})}, (2, 5, 7, 3)),
    ("TimeDistributed", {"layer": ("GlobalAveragePooling2D", {})}, (2, 5, 7, 3)),
)
LAST_AXIS = ("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "GaussianNoise", "Rescaling")


@layer("TimeDistributed")
def time_distributed(op: Layer, emit: Emit) -> Tensor:
    """Add the layer, between two Reshape where it needs a sample a step."""
    given, x = op.setting("layer"), op.input
    if not isinstance(given, dict) or not isinstance(given.get("config"), dict):
        raise op.bad(f"layer is {given!r:.100}; it has to be a layer with class_name and config")
    kind, config = class_of(given), given["config"]
    if kind not in kinds():
        raise unknown(replace(op, type=kind, where=f"{op.where}: the {kind} in it"))
    if x.rank < 3 or None in x.shape[1:]:
        raise op.unsupported(f"an input of shape {x.shape}", "one of known size, with a step a row, is")
    if kind == "Flatten":
        return emit.reshape(x, (None, x.shape[1], prod(size or 0 for size in x.shape[2:])))
    if kind in LAST_AXIS:
        return _inside(op, emit, kind, config, x)
    plain = emit.plain(x)
    sample = (None, *x.shape[2:])
    order = channels_first(len(sample))
    moved = emit.ordered(plain, (0, 1, *(axis + 1 for axis in order[1:])))
    name = emit.node("Reshape", (moved.name, _sizes(emit, [sample[axis] or 0 for axis in order[1:]])))
    made = emit.unfolded(_inside(op, emit, kind, config, Tensor(name, sample, order)))
    name = emit.node("Reshape", (made.name, _sizes(emit, [x.shape[1] or 0, *(size or 0 for size in made.sizes[1:])])))
    return Tensor(name, (None, x.shape[1], *made.shape[1:]), (0, 1, *(axis + 1 for axis in made.order[1:])))


def _inside(op: Layer, emit: Emit, kind: str, config: dict[str, object], x: Tensor) -> Tensor:
    """Add the layer inside."""
    inner = Layer(op.name, kind, config, (x,), op.where, op.weights, keras=op.keras)
    made = run_layer(inner, emit)
    if len(made) != 1 or made[0].shape[0] is not None:
        raise op.unsupported(f"a layer of class {kind!r:.60} in it", "layers that make one tensor are")
    return made[0]


def _sizes(emit: Emit, sizes: list[int]) -> str:
    """Add the sizes of a Reshape behind a number of samples that follows from them."""
    return emit.constant("sizes", np.array([-1, *sizes], dtype=np.int64))
