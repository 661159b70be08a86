"""The mistakes that converters make, each as a layer that makes it: where it gives the wrong numbers, it is that one.

A guess that is tried out in double precision, not a proof: two mistakes may have the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from converters.caffe.bisection.patterns import CLOSE, pattern
from converters.caffe.bisection.segments import Segment
from converters.caffe.kind import Array, Layer, kinds
from converters.errors import BadInput

Altered = Callable[..., tuple[Array, ...]]
"""Like a layer's reference, without the layer: bottoms in, tops out."""
EPSILONS = (0.0, 1e-10, 1e-8, 1e-7, 1e-6, 1e-5, 2e-5, 1e-4, 1e-3, 1e-2)


def explain(part: Segment, blobs: Mapping[str, Array], expected: Array, found: Array) -> tuple[str, str]:
    """Say which layer of a segment makes which mistake; else (no layer named) what else can be told, or nothing.

    ``expected`` is what the layers give on ``blobs``, ``found`` what the file gives.
    """
    if found.shape == expected.shape and not np.isfinite(found).all():
        count = int((~np.isfinite(found)).sum())
        return "", f"{count} of {found.size} numbers are not finite"
    tried = [(op, mistake) for kind in (of_type, of_any) for op in part.layers for mistake in kind(op)]
    for op, (what, altered) in tried:
        given = _run(part, op, altered, blobs)
        if given is not None and given.shape == found.shape and _nearer(expected, found, given):
            return op.name, what
    if strange := sorted(set(part.sources) - set(part.bottoms)):
        return "", f"the file makes it from {', '.join(strange)}, Caffe from {', '.join(part.bottoms)}"
    return "", pattern(expected, found)


def _run(part: Segment, wrong: Layer, altered: Altered, blobs: Mapping[str, Array]) -> Array | None:
    """Run a segment with one layer altered; None where that does not fit together."""
    known = {name: blobs[name].astype(np.float64) for name in part.bottoms}
    try:
        for op in part.layers:
            bottoms = [known[bottom] for bottom in op.bottoms]
            tops = altered(*bottoms) if op is wrong else kinds()[op.type].reference(op, *bottoms)
            known.update(zip(op.tops, tops, strict=True))
    except (ValueError, IndexError, ZeroDivisionError, BadInput):
        return None
    return known[part.blob]


def _nearer(expected: Array, found: Array, given: Array) -> bool:
    """Whether an altered layer explains what was found much better than the right one does."""
    if not np.isfinite(given).all():
        return False
    scale = float(np.abs(found).max(initial=0.0))
    apart = float(np.abs(found - expected).max(initial=0.0)) if found.shape == expected.shape else scale
    return float(np.abs(found - given).max(initial=0.0)) <= max(CLOSE * apart, 1e-6 * scale)


def _right(op: Layer) -> Altered:
    return lambda *bottoms: kinds()[op.type].reference(op, *bottoms)


def of_type(op: Layer) -> Iterator[tuple[str, Altered]]:
    """Yield the mistakes that are made with layers of a type, and with weights."""
    right, variants = _right(op), _OF_TYPE.get(kinds()[op.type].name)
    yield from ((what, _right(other)) for what, other in (variants(op) if variants else ()))
    for index, blob in enumerate(op.blobs):
        if blob.ndim > 1 and blob.shape[-1] == blob.shape[-2]:
            turned = _with_blob(op, index, blob.swapaxes(-1, -2))
            yield f"its weights (blob {index}) are transposed", _right(turned)
    if op.type == "Pooling":
        yield "its padding counts as zeros", lambda bottom: (_zero_padded(op, bottom),)
        yield "its average leaves the padding out", lambda bottom: (right(bottom)[0] / right(bottom * 0 + 1)[0],)
    if len(op.bottoms) > 1:
        yield "its bottoms are in reverse order", lambda *bottoms: right(*bottoms[::-1])


def of_any(op: Layer) -> Iterator[tuple[str, Altered]]:
    """Yield the mistakes that can be made with any layer."""
    right = _right(op)
    yield "the layer is missing", lambda *bottoms: bottoms[: len(op.tops)]
    yield "it reads height and width swapped", lambda *bottoms: right(*(b.swapaxes(2, 3) for b in bottoms))
    yield "it reads the channels last, (N, H, W, C)", lambda *bottoms: right(*map(_channels_last, bottoms))
    yield "it reads the channels in reverse order", lambda *bottoms: right(*(b[:, ::-1] for b in bottoms))
    yield "it gives the channels in reverse order", lambda *bottoms: tuple(top[:, ::-1] for top in right(*bottoms))


def _channels_last(bottom: Array) -> Array:
    return np.moveaxis(bottom, 1, -1).reshape(bottom.shape)


def _zero_padded(op: Layer, bottom: Array) -> Array:
    """Pool with zeros around the image, and behind it as many as the last windows need."""
    (top,) = kinds()[op.type].reference(op, bottom)
    pad = [_side(op.param, "pad", side) for side in "hw"]
    kernel = [_side(op.param, "kernel", side) for side in "hw"]
    around = ((0, 0), (0, 0), *((p, p + k) for p, k in zip(pad, kernel, strict=True)))
    param = type(op.param)()
    param.CopyFrom(op.param)
    for name in ("pad", "pad_h", "pad_w"):
        param.ClearField(name)
    wide = kinds()[op.type].reference(replace(op, param=param), np.pad(bottom, around))[0]
    return np.asarray(wide[:, :, : top.shape[2], : top.shape[3]])


def _side(param: Any, name: str, side: str) -> int:
    """Return one side of a pooling's kernel or pad."""
    both = "kernel_size" if name == "kernel" else name
    given = param.HasField(f"{name}_{side}")
    return int(getattr(param, f"{name}_{side}") if given else getattr(param, both))


def _with(op: Layer, **fields: Any) -> Layer:
    """Return a layer with other parameters."""
    param = type(op.param)()
    param.CopyFrom(op.param)
    for name, value in fields.items():
        setattr(param, name, value)
    return replace(op, param=param)


def _with_blob(op: Layer, index: int, blob: Array) -> Layer:
    blobs = (*op.blobs[:index], np.ascontiguousarray(blob), *op.blobs[index + 1 :])
    return replace(op, blobs=blobs)


Variants = Iterator[tuple[str, Layer]]


def _pooling(op: Layer) -> Variants:
    yield "its size is rounded down", _with(op, round_mode=1)
    yield "its size is rounded up", _with(op, round_mode=0)
    yield "it takes the largest for the mean, or the other way round", _with(op, pool=1 - op.param.pool)


def _lrn(op: Layer) -> Variants:
    p = op.param
    count = p.local_size ** (1 if p.norm_region == 0 else 2)
    yield "alpha is not divided by the size", _with(op, alpha=p.alpha * count)
    yield "alpha is divided by the size twice", _with(op, alpha=p.alpha / count)
    yield "k is left out", _with(op, k=1)
    yield "it works within channels for across, or the other way round", _with(op, norm_region=1 - p.norm_region)


def _batch_norm(op: Layer) -> Variants:
    yield from ((f"its eps is {eps:g}, not {op.param.eps:g}", _with(op, eps=eps)) for eps in EPSILONS)
    yield "its sums are not divided by the third weight", _with_blob(op, 2, np.ones_like(op.blobs[2]))


def _softmax(op: Layer) -> Variants:
    for axis in (1, 2, 3, 0):
        if axis != op.param.axis:
            yield f"it works along axis {axis}", _with(op, axis=axis)


def _biased(op: Layer) -> Variants:
    if op.param.bias_term and len(op.blobs) > 1:
        yield "its bias is left out", _with_blob(op, 1, np.zeros_like(op.blobs[1]))


def _convolution(op: Layer) -> Variants:
    yield from _biased(op)
    kernel, group = op.blobs[0], op.param.group
    yield "its kernels are turned round", _with_blob(op, 0, np.flip(kernel, tuple(range(2, kernel.ndim))))
    if group > 1:
        first, parts = kernel.shape[1], np.split(kernel, group)
        one = np.concatenate(
            [np.pad(part, [(0, 0), (0, first * (group - 1)), *[(0, 0)] * (kernel.ndim - 2)]) for part in parts]
        )
        yield (
            f"group {group} is ignored: all read the first channels",
            replace(_with(op, group=1), blobs=(one, *op.blobs[1:])),
        )
        tiled = np.concatenate([kernel] * group, axis=1)
        yield (
            f"group {group} is ignored: all read every channel",
            replace(_with(op, group=1), blobs=(tiled, *op.blobs[1:])),
        )


def _relu(op: Layer) -> Variants:
    yield "negative_slope is left out", _with(op, negative_slope=0)


def _eltwise(op: Layer) -> Variants:
    yield "its coefficients are left out", _with(op, coeff=[])


def _power(op: Layer) -> Variants:
    yield "shift is left out", _with(op, shift=0)
    yield "scale is left out", _with(op, scale=1)
    yield "power is left out", _with(op, power=1)


_OF_TYPE: Mapping[str, Callable[[Layer], Variants]] = {
    "Pooling": _pooling,
    "LRN": _lrn,
    "BatchNorm": _batch_norm,
    "Softmax": _softmax,
    "InnerProduct": _biased,
    "Scale": _biased,
    "Convolution": _convolution,
    "Deconvolution": _biased,
    "ReLU": _relu,
    "Power": _power,
}
