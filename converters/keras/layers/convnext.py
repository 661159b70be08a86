"""Layers that ConvNeXt has as classes of its own (``keras.applications.convnext``)."""

from __future__ import annotations

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer

CASES: Cases = (
    ("LayerScale", {"init_values": 1e-6, "projection_dim": 3}, (7, 9, 3)),
    ("LayerScale", {"init_values": 1e-6, "projection_dim": 7}, (7,)),
    ("StochasticDepth", {"drop_path_rate": 0.3}, (7, 9, 3)),
)


@layer("LayerScale")
def layer_scale(op: Layer, emit: Emit) -> Tensor:
    """Add a Mul along the last axis."""
    op.setting("init_values")
    size = op.integer("projection_dim")
    if op.input.shape[-1] != size:
        raise op.bad(f"projection_dim is {size}; the input has the shape {op.input.shape}")
    return emit.like("Mul", op.input, emit.along(op.input, -1, op.weight("gamma", (size,))))


@layer("StochasticDepth")
def stochastic_depth(op: Layer, emit: Emit) -> Tensor:
    """Return the input: it leaves out blocks in training only."""
    op.setting("drop_path_rate")
    return op.input
