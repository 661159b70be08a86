"""Pooling. Caffe rounds the output's size up, so the last window may hang over the edge.

A window that would start in the padding behind the image is dropped, and an average is divided by the part of the
window that lies on image or padding, not by what hangs over. In ONNX every pad is written out, rounding down: the
meaning of ``ceil_mode`` with padding differs from runtime to runtime.

MAX may have a second top, the mask: where in its plane each number lies, the first one of equal ones. ONNX counts from
the start of the blob instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from converters.caffe.emit import Emit
from converters.caffe.kind import Array, Layer, Shape, layer
from converters.caffe.messages import Parameter

PARAMETER = Parameter(
    "pooling_param",
    121,
    19,
    """
    1 PoolMethod pool; 2 uint32 kernel_size; 3 uint32 stride = 1; 4 uint32 pad = 0; 5 uint32 kernel_h; 6 uint32 kernel_w
    7 uint32 stride_h; 8 uint32 stride_w; 9 uint32 pad_h; 10 uint32 pad_w; 11 Engine engine; 12 bool global_pooling
    13 RoundMode round_mode
    """,
    {"PoolMethod": "MAX AVE STOCHASTIC", "RoundMode": "CEIL FLOOR"},
)
MAX, AVE, STOCHASTIC = 0, 1, 2

CASES = tuple(
    (f"pooling_param {{ pool: {pool} {text} }}", bottom)
    for pool in ("MAX", "AVE")
    for text, bottom in (
        ("kernel_size: 3 stride: 2", (2, 5, 11, 13)),
        ("kernel_size: 3 stride: 2", (2, 5, 12, 10)),
        ("kernel_size: 3 stride: 2 pad: 1", (2, 5, 11, 12)),
        ("kernel_size: 2 stride: 2 pad: 1", (2, 5, 11, 12)),
        ("kernel_size: 5 stride: 4 pad: 2", (2, 5, 11, 14)),
        ("kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR", (2, 5, 12, 10)),
        ("kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 3 pad_h: 2 pad_w: 0", (2, 5, 7, 9)),
        ("kernel_size: 3 stride: 2", (2, 5, 2, 4)),
        ("global_pooling: true", (2, 5, 7, 3)),
    )
) + tuple(
    (f"pooling_param {{ pool: MAX {text} }}", bottom, 2)
    for text, bottom in (
        ("kernel_size: 2 stride: 2", (2, 5, 8, 6)),
        ("kernel_size: 3 stride: 2 pad: 1", (2, 5, 11, 12)),
        ("kernel_h: 3 kernel_w: 2 stride_h: 1 stride_w: 3 pad_h: 2 pad_w: 0", (2, 5, 7, 9)),
        ("global_pooling: true", (2, 5, 7, 3)),
    )
)

Sides = tuple[int, int]


def geometry(op: Layer, bottom: Shape) -> tuple[Sides, Sides, Sides]:
    """Return kernel, stride and pad, each (height, width), by Caffe's rules on which fields go together."""
    p = op.param
    if p.global_pooling:
        if p.HasField("kernel_size") or p.HasField("kernel_h") or p.HasField("kernel_w"):
            raise op.bad("global_pooling and a kernel size exclude each other")
        kernel: Sides = (bottom[2], bottom[3])
    elif p.HasField("kernel_size") == (p.HasField("kernel_h") and p.HasField("kernel_w")):
        raise op.bad("give kernel_size, or kernel_h and kernel_w, not both")
    else:
        kernel = (p.kernel_size, p.kernel_size) if p.HasField("kernel_size") else (p.kernel_h, p.kernel_w)
    both = {}
    for name in ("stride", "pad"):
        high, wide = f"{name}_h", f"{name}_w"
        apart = p.HasField(high), p.HasField(wide)
        if any(apart) and (p.HasField(name) or not all(apart)):
            raise op.bad(f"give {name}, or {high} and {wide}, not both")
        both[name] = (getattr(p, high), getattr(p, wide)) if all(apart) else (getattr(p, name),) * 2
    stride, pad = both["stride"], both["pad"]
    if p.global_pooling and (stride != (1, 1) or pad != (0, 0)):
        raise op.bad("global_pooling goes with stride 1 and pad 0 only")
    if min(kernel) < 1 or min(stride) < 1 or pad[0] >= kernel[0] or pad[1] >= kernel[1]:
        raise op.bad(
            f"kernel {kernel}, stride {stride}, pad {pad}: none but pad may be 0, and pad is less than the kernel"
        )
    return kernel, stride, pad


def shape(op: Layer, bottom: Shape) -> tuple[Shape, ...]:
    """Return (N, C, height, width), for the mask too. Raises for STOCHASTIC, and for windows that hold no pixel."""
    if op.param.pool == STOCHASTIC:
        raise op.unsupported("pool STOCHASTIC", "MAX and AVE are")
    if len(bottom) != 4:
        raise op.bad(f"the bottom has the shape {bottom}; it needs 4 axes")
    if len(op.tops) == 2 and op.param.pool != MAX:
        raise op.bad("2 tops; only MAX has a second one, the mask")
    kernel, stride, pad = geometry(op, bottom)
    planes = []
    for size, k, s, p in zip(bottom[2:], kernel, stride, pad, strict=True):
        span = size + 2 * p - k
        count = (span // s if op.param.round_mode else -(-span // s)) + 1
        if any(pad) and (count - 1) * s >= size + p:
            count -= 1
        if (count - 1) * s - p >= size:
            raise op.unsupported(f"kernel {k} with stride {s} on {size} pixels", "each window must hold a pixel")
        planes.append(count)
    return ((*bottom[:2], *planes),) * len(op.tops)


def overhang(op: Layer, bottom: Shape, top: Shape) -> list[int]:
    """Return how far the last windows reach beyond the image, padding included: (height, width), never negative."""
    sizes = zip(bottom[2:], top[2:], *geometry(op, bottom), strict=True)
    return [max((count - 1) * s + k - p - size, 0) for size, count, k, s, p in sizes]


def divisors(op: Layer, bottom: Shape, top: Shape) -> tuple[Array, Array]:
    """Return how many numbers each window holds, and what Caffe divides their sum by: float64 (height, width) each."""
    held, divided = [], []
    for size, count, k, s, p in zip(bottom[2:], top[2:], *geometry(op, bottom), strict=True):
        start = np.arange(count) * s - p
        held.append(np.minimum(start + k, size) - np.maximum(start, 0.0))
        divided.append(np.minimum(start + k, size + p) - np.asarray(start, dtype=np.float64))
    return np.multiply.outer(*held), np.multiply.outer(*divided)


def reference(op: Layer, bottom: Array) -> tuple[Array, ...]:
    """Return the largest or the mean number of each window; and where the largest lies."""
    top = shape(op, bottom.shape)[0]
    (kernel_h, kernel_w), (stride_h, stride_w), (pad_h, pad_w) = geometry(op, bottom.shape)
    behind_h, behind_w = overhang(op, bottom.shape, top)
    edge = -np.inf if op.param.pool == MAX else 0.0
    padded = np.pad(bottom, ((0, 0), (0, 0), (pad_h, behind_h), (pad_w, behind_w)), constant_values=edge)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_h, kernel_w), axis=(2, 3))
    windows = windows[:, :, ::stride_h, ::stride_w]
    if op.param.pool == MAX:
        flat = windows.reshape(*top, kernel_h * kernel_w)
        high, wide = np.divmod(flat.argmax(axis=-1), kernel_w)
        rows = np.arange(top[2])[:, None] * stride_h - pad_h + high
        mask = rows * bottom.shape[3] + np.arange(top[3]) * stride_w - pad_w + wide
        return (flat.max(axis=-1), mask.astype(np.float64))[: len(op.tops)]
    return (windows.sum(axis=(-2, -1)) / divisors(op, bottom.shape, top)[1],)


@layer("Pooling", shape=shape, reference=reference, parameter=PARAMETER, tops=(1, 2))
def pooling(op: Layer, emit: Emit) -> None:
    """MaxPool, or AveragePool, its edges scaled to Caffe's divisor: OpenCV 4 reads ``count_include_pad`` wrongly."""
    bottom, top = emit.shapes[op.bottoms[0]], emit.shapes[op.tops[0]]
    kind = "Max" if op.param.pool == MAX else "Average"
    if op.param.global_pooling and len(op.tops) == 1:
        emit.node(f"Global{kind}Pool", op.bottoms, op.tops)
        return
    kernel, stride, pad = geometry(op, bottom)
    window: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "pads": [*pad, *overhang(op, bottom, top)]}
    if len(op.tops) == 2:
        places = emit.name("places")
        emit.node("MaxPool", op.bottoms, (op.tops[0], places), **window)
        plane = emit.constant("plane", np.array(bottom[2] * bottom[3], dtype=np.int64))
        emit.node("Cast", (emit.node("Mod", (places, plane)),), op.tops[1:], to=1)  # float
        return
    if kind == "Max":
        emit.node("MaxPool", op.bottoms, op.tops, **window)
        return
    held, divided = divisors(op, bottom, top)
    if np.array_equal(held, divided):
        emit.node("AveragePool", op.bottoms, op.tops, **window, count_include_pad=0)
    else:
        means = emit.node("AveragePool", op.bottoms, **window, count_include_pad=0)
        edges = emit.constant("edges", (held / divided).astype(np.float32)[None, None])
        emit.node("Mul", (means, edges), op.tops)
