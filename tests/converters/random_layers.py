"""How each other layer of a random network is drawn, and by Caffe's rules what shape it gives: a function a family."""

from __future__ import annotations

from math import prod

from random_nets import Network, Shape, Unfit
from random_shapes import concat, crop, flatten, permute, reshape, slices, split, tile
from random_windows import columns, convolution, convolution_of_rows, deconvolution, lrn, mvn, pooling, pyramid


def inner_product(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape, outputs = net.blobs[bottom].shape, net.whole(3, 13)
    axis = net.whole(1, len(shape) - 1) if net.chance(0.3) else 1
    matrix, text = (outputs, prod(shape[axis:])), f"num_output: {outputs}"
    text += f" axis: {axis - net.one((0, len(shape)))}" if axis != 1 or net.chance(0.2) else ""
    if net.chance(0.3):
        matrix, text = matrix[::-1], f"{text} transpose: true"
    bias = net.chance(0.8)
    text += "" if bias else " bias_term: false"
    weights = [matrix, (outputs,)] if bias else [matrix]
    net.add("InnerProduct", bottom, [(*shape[:axis], outputs)], f"inner_product_param {{ {text} }}", weights=weights)


def batch_norm(net: Network) -> None:
    """BatchNorm, mostly with the Scale that follows it in every trained network."""
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[bottom].shape
    text = net.one(("", "batch_norm_param { use_global_stats: true eps: 0.001 }"))
    weights = [shape[1:2], shape[1:2], (1,)]
    (top,) = net.add("BatchNorm", bottom, [shape], text, weights=weights, positive=(1, 2), may_be_in_place=True)
    if net.chance(0.7):
        net.add(
            "Scale", top, [shape], "scale_param { bias_term: true }", weights=[shape[1:2]] * 2, may_be_in_place=True
        )


def scale(net: Network) -> None:
    """Scale or Bias, the factors learnt or those of another bottom, which has the first axes of this one."""
    kind = net.one(("Scale", "Bias"))
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[bottom].shape
    others = [name for name, blob in net.blobs.items() if name != bottom and shape[: len(blob.shape)] == blob.shape]
    if others and net.chance(0.7):
        net.add(kind, [bottom, net.one(others)], [shape], f"{kind.lower()}_param {{ axis: 0 }}")
        return
    axis = net.whole(1, len(shape) - 1)
    count = net.whole(1, len(shape) - axis)
    factors = shape[axis : axis + count]
    bias = kind == "Scale" and net.chance(0.5)
    text = f"axis: {axis} num_axes: {count}" + (" bias_term: true" if bias else "")
    weights = [factors] * (1 + bias)
    net.add(kind, bottom, [shape], f"{kind.lower()}_param {{ {text} }}", weights=weights, may_be_in_place=True)


def activation(net: Network) -> None:
    bottom = net.bottom()
    blob = net.blobs[bottom]
    kind, text, never_negative, in_place = net.one(
        (
            ("ReLU", "", True, True),
            ("ReLU", "", True, True),
            ("ReLU", f"relu_param {{ negative_slope: {net.sixteenths(1, 6)} }}", False, True),
            ("PReLU", net.one(("", "prelu_param { channel_shared: true }")), False, True),
            ("ELU", f"elu_param {{ alpha: {net.sixteenths(4, 24)} }}", False, True),
            ("Sigmoid", "", True, True),
            ("TanH", "", False, True),
            ("Swish", f"swish_param {{ beta: {net.sixteenths(4, 24)} }}", False, False),
            ("AbsVal", "", True, False),
            ("BNLL", "", True, False),
            ("Dropout", "", blob.never_negative, True),
            ("Threshold", f"threshold_param {{ threshold: {net.sixteenths(-8, 8)} }}", True, False),
            (
                "Power",
                f"power_param {{ scale: {net.sixteenths(-24, 24)} shift: {net.sixteenths(-16, 16)} }}",
                False,
                True,
            ),
            ("Power", f"power_param {{ power: 2 shift: {net.sixteenths(-16, 16)} }}", True, True),
            ("Exp", f"exp_param {{ base: {net.one((2, 3, -1))} scale: {net.sixteenths(-6, 6)} }}", True, False),
        )
    )
    weights: list[Shape] = []
    if kind == "PReLU":
        if len(blob.shape) < 2:
            raise Unfit
        weights = [() if text else blob.shape[1:2]]
    net.add(kind, bottom, [blob.shape], text, weights=weights, may_be_in_place=in_place, never_negative=never_negative)


def of_positive(net: Network) -> None:
    """Log, and a power that is no whole number."""
    bottom = net.bottom(never_negative=True)
    kind, text = net.one(
        (
            ("Log", f"log_param {{ base: {net.one((2, 10, -1))} scale: {net.sixteenths(4, 24)} shift: 0.5 }}"),
            ("Power", f"power_param {{ power: {net.one((0.5, 1.5, -0.5))} scale: 0.75 shift: 0.5 }}"),
        )
    )
    net.add(kind, bottom, [net.blobs[bottom].shape], text)


def eltwise(net: Network) -> None:
    first = net.bottom()
    shape = net.blobs[first].shape
    same = [name for name, blob in net.blobs.items() if blob.shape == shape and name != first]
    bottoms = [first, net.one(same)] + [name for name in same[:1] if net.chance(0.3)]
    operation = net.one(("PROD", "SUM", "SUM", "MAX"))
    text = f"operation: {operation}"
    if operation == "SUM" and net.chance(0.5):
        text += "".join(f" coeff: {net.sixteenths(-24, 24)}" for _ in bottoms)
    net.add("Eltwise", bottoms, [shape], f"eltwise_param {{ {text} }}")


def reduction(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[bottom].shape
    axis = net.whole(1, len(shape) - 1)
    text = f"operation: {net.one(('MEAN', 'MEAN', 'SUM', 'ASUM', 'SUMSQ'))} axis: {axis - net.one((0, len(shape)))}"
    text += f" coeff: {net.sixteenths(-16, 16)}" if net.chance(0.4) else ""
    net.add("Reduction", bottom, [shape[:axis]], f"reduction_param {{ {text} }}")


def arg_max(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[bottom].shape
    values = net.one(("true", "false"))
    if net.chance(0.6):
        axis = net.whole(1, len(shape) - 1)
        top_k = net.whole(1, min(3, shape[axis]))
        top, where = (*shape[:axis], top_k, *shape[axis + 1 :]), f" axis: {axis}"
    else:
        top_k = net.whole(1, min(3, prod(shape[1:])))
        top = (shape[0], 2 if values == "true" else 1, top_k, *[1] * (len(shape) - 3))
        where = ""
    net.add("ArgMax", bottom, [top], f"argmax_param {{ top_k: {top_k} out_max_val: {values}{where} }}")


def softmax(net: Network) -> None:
    bottom = net.bottom(lambda shape: len(shape) > 1)
    shape = net.blobs[bottom].shape
    axis = net.whole(1, len(shape) - 1)
    text = net.one((f"softmax_param {{ axis: {axis} }}", f"softmax_param {{ axis: {axis - len(shape)} }}"))
    net.add("Softmax", bottom, [shape], text, never_negative=True)


MANY = (convolution, activation, batch_norm, eltwise, concat, pooling, scale)
FEW = (arg_max, reduction, permute, pyramid, softmax, columns)
SOME = (
    *(deconvolution, convolution_of_rows, lrn, mvn, inner_product, of_positive, slices, split, flatten, reshape, crop),
    *(tile, crop),
)
FAMILIES = MANY * 4 + SOME * 2 + FEW
"""A family that stands here twice is drawn twice as often."""
