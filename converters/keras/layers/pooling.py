"""Pooling over one, two or three axes, and over all of them. An average leaves out what lies in the padding."""

from __future__ import annotations

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers._windows import windows
from converters.keras.layers.convolution import plane_of, with_plane

CASES: Cases = tuple(
    (f"{kind}Pooling{len(shape) - 1}D", settings, shape)
    for kind in ("Max", "Average")
    for settings, shape in (
        ({"pool_size": 2}, (7, 9, 3)),
        ({"pool_size": 3, "strides": 2}, (7, 10, 3)),
        ({"pool_size": (3, 2), "strides": (2, 3), "padding": "same"}, (8, 10, 3)),
        ({"pool_size": 3, "strides": 1, "padding": "same"}, (7, 9, 3)),
        ({"pool_size": 2, "padding": "same"}, (7, 9, 3)),
        ({"pool_size": 3, "strides": 2}, (9, 3)),
        ({"pool_size": 2, "padding": "same"}, (9, 3)),
        ({"pool_size": (2, 3, 1), "strides": (1, 2, 3), "padding": "same"}, (4, 7, 9, 3)),
        ({"pool_size": 2}, (4, 7, 9, 3)),
    )
) + tuple(
    (f"Global{kind}Pooling{len(shape) - 1}D", {"keepdims": keep}, shape)
    for kind in ("Max", "Average")
    for keep in (False, True)
    for shape in ((9, 3), (7, 9, 3), (4, 7, 9, 3))
)


def _pool(op: Layer, emit: Emit, kind: str, dimensions: int) -> Tensor:
    x, channels, _ = plane_of(op, emit, dimensions)
    kernel = op.integers("pool_size", "pool_length", count=dimensions, default=2)
    given = op.setting("strides", "stride")
    stride = kernel if given is None else op.integers("strides", "stride", count=dimensions)
    padding = op.choice("padding", "border_mode", known=("valid", "same"), default="valid")
    taken = windows(op, x.sizes[2:], kernel, stride, (1,) * dimensions, padding)
    if dimensions == 1 and taken.before != taken.behind:  # OpenCV 4 pads rows at both ends or not at all
        row = emit.reshaped(x.name, (None, channels, 1, x.sizes[2]))
        name = emit.node(f"{kind}Pool", (row,), **taken.on_rows().attributes())
        name = emit.reshaped(name, (None, channels, *taken.counts))
    else:
        name = emit.node(f"{kind}Pool", (x.name,), **taken.attributes())
    return with_plane(name, x, channels, taken.counts)


@layer("MaxPooling1D", "MaxPool1D")
def max_pooling1d(op: Layer, emit: Emit) -> Tensor:
    """Add a MaxPool over rows."""
    return _pool(op, emit, "Max", 1)


@layer("MaxPooling2D", "MaxPool2D")
def max_pooling2d(op: Layer, emit: Emit) -> Tensor:
    """Add a MaxPool over pictures."""
    return _pool(op, emit, "Max", 2)


@layer("MaxPooling3D", "MaxPool3D")
def max_pooling3d(op: Layer, emit: Emit) -> Tensor:
    """Add a MaxPool over volumes."""
    return _pool(op, emit, "Max", 3)


@layer("AveragePooling1D", "AvgPool1D")
def average_pooling1d(op: Layer, emit: Emit) -> Tensor:
    """Add an AveragePool over rows."""
    return _pool(op, emit, "Average", 1)


@layer("AveragePooling2D", "AvgPool2D")
def average_pooling2d(op: Layer, emit: Emit) -> Tensor:
    """Add an AveragePool over pictures."""
    return _pool(op, emit, "Average", 2)


@layer("AveragePooling3D", "AvgPool3D")
def average_pooling3d(op: Layer, emit: Emit) -> Tensor:
    """Add an AveragePool over volumes."""
    return _pool(op, emit, "Average", 3)


@layer("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalMaxPool2D")
def global_max_pooling(op: Layer, emit: Emit) -> Tensor:
    """Add a GlobalMaxPool."""
    return _whole(op, emit, "GlobalMaxPool")


@layer("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalAvgPool2D")
def global_average_pooling(op: Layer, emit: Emit) -> Tensor:
    """Add a GlobalAveragePool."""
    return _whole(op, emit, "GlobalAveragePool")


def _whole(op: Layer, emit: Emit, op_type: str) -> Tensor:
    """Pool over all axes but the channels; without ``keepdims`` only (N, C) is left."""
    x, channels, _ = plane_of(op, emit, int(op.type[-2]))  # Global..Pooling2D
    ones = (1,) * (x.rank - 2)
    name, whole = x.name, None not in x.shape[1:]
    if x.rank == 5 and whole:  # OpenCV 5 pools no whole volume
        _, _, depth, height, width = (size or 0 for size in x.sizes)
        name = emit.reshaped(x.name, (None, channels, depth, height * width))
    name = emit.node(op_type, (name,))
    made = with_plane(
        emit.reshaped(name, (None, channels, *ones)) if x.rank == 5 and whole else name, x, channels, ones
    )
    return made if op.flag("keepdims", default=False) else emit.reshape(made, (None, channels))
