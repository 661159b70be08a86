"""Layers that make pictures larger or smaller, as TensorFlow does: pixels are squares, whose centres lie at a half.

``bicubic``, ``lanczos`` and ``antialias`` become one product with a matrix an axis: ONNX has other kernels.
"""

from __future__ import annotations

import numpy as np

from converters.keras.emit import Emit
from converters.keras.kind import Cases, Layer, Tensor, layer
from converters.keras.layers._kernels import KERNELS, matrix
from converters.keras.layers.convolution import plane_of, with_plane

CASES: Cases = (
    ("UpSampling1D", {"size": 3}, (9, 3)),
    ("UpSampling2D", {}, (7, 9, 3)),
    ("UpSampling2D", {"size": (3, 2)}, (7, 9, 3)),
    ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear"}, (7, 9, 3)),
    ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear"}, (4, 1, 3)),
    ("UpSampling2D", {"size": (2, 3), "interpolation": "bicubic"}, (7, 9, 3)),
    ("UpSampling2D", {"size": 2, "interpolation": "lanczos3"}, (7, 9, 3)),
    ("UpSampling3D", {"size": (2, 1, 3)}, (4, 7, 9, 3)),
    ("Resizing", {"height": 5, "width": 13}, (7, 9, 3)),
    ("Resizing", {"height": 14, "width": 4, "interpolation": "nearest"}, (7, 9, 3)),
    ("Resizing", {"height": 5, "width": 4, "antialias": True}, (7, 9, 3)),
    ("Resizing", {"height": 11, "width": 4, "interpolation": "bicubic"}, (7, 9, 3)),
    ("Resizing", {"height": 6, "width": 5, "interpolation": "lanczos5", "antialias": True}, (7, 9, 3)),
    ("Resizing", {"height": 5, "width": 10, "crop_to_aspect_ratio": True}, (7, 9, 3)),
    ("Resizing", {"height": 5, "width": 12, "pad_to_aspect_ratio": True, "fill_value": 0.5}, (7, 9, 3)),
    ("CenterCrop", {"height": 4, "width": 5}, (7, 9, 3)),
    ("CenterCrop", {"height": 7, "width": 6}, (7, 9, 3)),
    ("CenterCrop", {"height": 10, "width": 5}, (7, 9, 3)),
)


def _resized(op: Layer, emit: Emit, x: Tensor, target: tuple[int, int], mode: str, *, antialias: bool) -> str:
    """Add the nodes that bring the plane of (N, C, H, W) to another size; returns the tensor's name."""
    height, width = x.sizes[2:]
    if height is None or width is None:
        raise op.unsupported(f"an input of shape {x.shape}", "one of known size is")
    if mode == "nearest":
        name = x.name
        for axis, (size, wanted) in enumerate(zip((height, width), target, strict=True), start=2):
            places = ((np.arange(wanted, dtype=np.float32) + np.float32(0.5)) * np.float32(size / wanted)).astype(int)
            if size != wanted:
                name = emit.node("Gather", (name, emit.constant("places", places.clip(0, size - 1))), axis=axis)
        return name
    if mode == "bilinear" and not antialias and min(height, width) > 1:  # OpenCV 5 reads beyond a single row or column
        scales = [_scale(height, target[0]), _scale(width, target[1])]
        sizes = emit.constant("scales", np.array([1, 1, *scales], dtype=np.float32))
        words = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return x.name if target == (height, width) else emit.node("Resize", (x.name, "", sizes), **words)
    rows, columns = (
        matrix(mode, size, wanted, antialias=antialias).astype(np.float32)
        for size, wanted in zip((height, width), target, strict=True)
    )
    narrow = emit.node("MatMul", (x.name, emit.constant("columns", columns.T)))
    turned = emit.node("MatMul", (emit.node("Transpose", (narrow,), perm=[0, 1, 3, 2]), emit.constant("rows", rows.T)))
    return emit.node("Transpose", (turned,), perm=[0, 1, 3, 2])


def _scale(size: int, wanted: int) -> np.float32:
    """Return the factor by which ONNX makes one size of another: it rounds down what comes out."""
    scale = np.float32(wanted / size)
    return scale if int(size * float(scale)) == wanted else np.nextafter(scale, np.float32(np.inf))


def _slice(emit: Emit, name: str, box: tuple[int, int, int, int]) -> str:
    """Add a Slice of the plane: top, left, bottom, right."""
    parts = (("starts", box[:2]), ("ends", box[2:]), ("axes", (2, 3)))
    return emit.node("Slice", (name, *(emit.constant(what, np.array(n, dtype=np.int64)) for what, n in parts)))


@layer("UpSampling1D", "UpSampling2D", "UpSampling3D")
def up_sampling(op: Layer, emit: Emit) -> Tensor:
    """Add Resize; rows and volumes are laid out as pictures for it, one axis or two at a time."""
    dimensions = op.input.rank - 2
    x, channels, _ = plane_of(op, emit, dimensions)
    factors = op.integers("size", "length", count=dimensions, default=2)
    mode = op.choice("interpolation", known=("nearest", *KERNELS), default="nearest")
    sizes = x.sizes[2:]
    counts = tuple(None if n is None else n * factor for n, factor in zip(sizes, factors, strict=True))
    if mode != "nearest":
        target = (sizes[0] or 0) * factors[0], (sizes[1] or 0) * factors[1]
        return with_plane(_resized(op, emit, x, target, mode, antialias=False), x, channels, counts)
    if dimensions == 2:
        return with_plane(_repeated(emit, x.name, factors), x, channels, counts)
    if None in sizes:
        raise op.unsupported(f"an input of shape {x.shape}", "one of known size is")
    known = [size or 0 for size in sizes]
    if dimensions == 1:
        name = _repeated(emit, emit.reshaped(x.name, (None, channels, *known, 1)), (factors[0], 1))
    else:
        flat = emit.reshaped(x.name, (None, channels, known[0], known[1] * known[2]))
        deep = _repeated(emit, flat, (factors[0], 1))
        name = _repeated(emit, emit.reshaped(deep, (None, channels * known[0] * factors[0], *known[1:])), factors[1:])
    return with_plane(emit.reshaped(name, (None, channels, *counts)), x, channels, counts)


def _repeated(emit: Emit, name: str, factors: tuple[int, ...]) -> str:
    """Add a Resize that makes a rectangle of each pixel of (N, C, H, W)."""
    if set(factors) == {1}:
        return name
    scales = emit.constant("scales", np.array([1, 1, *factors], dtype=np.float32))
    words = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return emit.node("Resize", (name, "", scales), **words)


@layer("Resizing", call=("training",))
def resizing(op: Layer, emit: Emit) -> Tensor:
    """Add Resize, two MatMul, or for ``nearest`` two Gather; behind a Slice or Pad to keep the aspect ratio."""
    x, channels, _ = plane_of(op, emit, 2)
    target = op.integer("height"), op.integer("width")
    mode = op.choice("interpolation", known=("nearest", *KERNELS), default="bilinear")
    antialias, fill = op.flag("antialias", default=False), op.number("fill_value", default=0.0)
    op.choice("fill_mode", known=("constant",), default="constant")
    if op.flag("crop_to_aspect_ratio", default=False):
        x = _cropped(op, emit, x, target)
    if op.flag("pad_to_aspect_ratio", default=False):
        x = _padded(op, emit, x, target, fill)
    return with_plane(_resized(op, emit, x, target, mode, antialias=antialias), x, channels, target)


def _cropped(op: Layer, emit: Emit, x: Tensor, target: tuple[int, int]) -> Tensor:
    """Cut the middle of a picture that has the aspect ratio of the target."""
    height, width = _known(op, x)
    tall = max(min(height, int(np.float32(width * target[0]) / np.float32(target[1]))), 1)
    wide = max(min(width, int(np.float32(height * target[1]) / np.float32(target[0]))), 1)
    top, left = (height - tall) // 2, (width - wide) // 2
    if (tall, wide) == (height, width):
        return x
    return with_plane(_slice(emit, x.name, (top, left, top + tall, left + wide)), x, x.sizes[1] or 0, (tall, wide))


def _padded(op: Layer, emit: Emit, x: Tensor, target: tuple[int, int], fill: float) -> Tensor:
    """Put as much above as below, or left as right, that a picture has the aspect ratio of the target."""
    height, width = _known(op, x)
    tall = max(height, int(np.float32(width * target[0]) / np.float32(target[1])))
    wide = max(width, int(np.float32(height * target[1]) / np.float32(target[0])))
    top, left = (tall - height) // 2, (wide - width) // 2
    if not top and not left:
        return x
    pads = emit.constant("pads", np.array([0, 0, top, left, 0, 0, top, left], dtype=np.int64))
    name = emit.node("Pad", (x.name, pads, emit.scalar(fill)), mode="constant")
    return with_plane(name, x, x.sizes[1] or 0, (height + 2 * top, width + 2 * left))


def _known(op: Layer, x: Tensor) -> tuple[int, int]:
    height, width = x.sizes[2:]
    if height is None or width is None:
        raise op.unsupported(f"an input of shape {x.shape}", "one of known size is")
    return height, width


@layer("CenterCrop", call=("training",))
def center_crop(op: Layer, emit: Emit) -> Tensor:
    """Add a Slice; a picture that is too small is cut to the aspect ratio and resized instead."""
    x, channels, _ = plane_of(op, emit, 2)
    target = op.integer("height"), op.integer("width")
    height, width = _known(op, x)
    if height < target[0] or width < target[1]:
        x = _cropped(op, emit, x, target)
        return with_plane(_resized(op, emit, x, target, "bilinear", antialias=False), x, channels, target)
    top, left = (height - target[0]) // 2, (width - target[1]) // 2
    if (height, width) == target:
        return x
    name = _slice(emit, x.name, (top, left, top + target[0], left + target[1]))
    return with_plane(name, x, channels, target)
