"""How the layers of images are drawn that look at windows, and by Caffe's rules what shape each gives."""

from __future__ import annotations

from math import ceil, prod

from random_nets import Network, Shape, Unfit

Sides = tuple[int, int]


def window(net: Network, shape: Shape, *, dilated: bool, strides: int = 3) -> tuple[str, list[Sides]]:
    """Draw kernel, stride, pad and dilation of both sides, and the way to write them. Returns the text and the four."""
    kernel, stride = (net.whole(1, 4), net.whole(1, 4)), (net.whole(1, strides), net.whole(1, strides))
    pad, dilation = (net.whole(0, kernel[0] - 1), net.whole(0, kernel[1] - 1)), (1, 1)
    form = net.whole(0, 2)
    if form == 0:
        kernel, stride, pad = (kernel[0],) * 2, (stride[0],) * 2, (pad[0],) * 2
        text = f"kernel_size: {kernel[0]} stride: {stride[0]} pad: {pad[0]}"
    elif form == 1 and dilated:
        text = " ".join(
            f"{name}: [{values[0]}, {values[1]}]"
            for name, values in (("kernel_size", kernel), ("stride", stride), ("pad", pad))
        )
    else:
        text = " ".join(
            f"{name}_h: {values[0]} {name}_w: {values[1]}"
            for name, values in (("kernel", kernel), ("stride", stride), ("pad", pad))
        )
    if dilated and net.chance(0.25):
        dilation = (2, net.whole(1, 2)) if form == 1 else (2, 2)
        text += f" dilation: [{dilation[0]}, {dilation[1]}]" if form == 1 else " dilation: 2"
    return text, [kernel, stride, pad, dilation]


def group_of(net: Network, channels: int) -> int:
    return net.one([g for g in range(1, channels + 1) if channels % g == 0]) if net.chance(0.4) else 1


def convolved(shape: Shape, sides: list[Sides]) -> Shape:
    return tuple(
        (size + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
        for size, kernel, stride, pad, dilation in zip(shape[2:], *sides)  # noqa: B905 - not in Python 3.9
    )


def convolution(net: Network) -> None:
    """Convolution over images, now and then one that keeps the shape, for a sum to follow."""
    bottom, shape = net.image()
    channels = shape[1]
    if net.chance(0.3):
        group, outputs, text, kernel, plane = 1, channels, "kernel_size: 3 pad: 1", (3, 3), shape[2:]
    else:
        text, sides = window(net, shape, dilated=True, strides=2)
        group = group_of(net, channels)
        outputs, kernel, plane = group * net.whole(1, max(1, 9 // group)), sides[0], convolved(shape, sides)
    convolve(net, "Convolution", bottom, outputs, group, text, (outputs, channels // group, *kernel), plane)


def deconvolution(net: Network) -> None:
    bottom, shape = net.image()
    text, sides = window(net, shape, dilated=True)
    group = group_of(net, shape[1])
    outputs = group * net.whole(1, max(1, 6 // group))
    plane = tuple(
        stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * pad
        for size, kernel, stride, pad, dilation in zip(shape[2:], *sides)  # noqa: B905 - not in Python 3.9
    )
    convolve(net, "Deconvolution", bottom, outputs, group, text, (shape[1], outputs // group, *sides[0]), plane)


def convolution_of_rows(net: Network) -> None:
    """Draw a convolution of three axes: (N, C, length)."""
    bottom = net.bottom(lambda shape: len(shape) == 3)
    shape = net.blobs[bottom].shape
    kernel, pad, outputs = net.whole(1, 3), net.whole(0, 1), net.whole(2, 7)
    text = f"kernel_size: {kernel} pad: {pad}"
    length = shape[2] + 2 * pad - kernel + 1
    convolve(net, "Convolution", bottom, outputs, 1, text, (outputs, shape[1], kernel), (length,))


def convolve(
    net: Network, kind: str, bottom: str, outputs: int, group: int, text: str, weights: Shape, plane: Shape
) -> None:
    bias = net.chance(0.7)
    text += "" if bias else " bias_term: false"
    text += f" group: {group}" if group > 1 else ""
    net.add(
        kind,
        bottom,
        [(net.blobs[bottom].shape[0], outputs, *plane)],
        f"convolution_param {{ num_output: {outputs} {text} }}",
        weights=[weights, (outputs,)] if bias else [weights],
    )


def pooled(shape: Shape, kernel: Sides, stride: Sides, pad: Sides) -> Shape:
    sides = []
    for size, k, s, p in zip(shape[2:], kernel, stride, pad):  # noqa: B905 - not in Python 3.9
        count = ceil((size + 2 * p - k) / s) + 1
        count -= max(pad) > 0 and (count - 1) * s >= size + p
        if (count - 1) * s - p >= size:  # Caffe makes -FLT_MAX, 0 or NaN of a window without a pixel
            raise Unfit
        sides.append(count)
    return tuple(sides)


def pooling(net: Network) -> None:
    bottom, shape = net.image()
    pool = net.one(("MAX", "AVE"))
    if net.chance(0.15):
        plane: Shape = (1, 1)
        text = "global_pooling: true"
    else:
        text, (kernel, stride, pad, _) = window(net, shape, dilated=False)
        plane = pooled(shape, kernel, stride, pad)
    text = f"pooling_param {{ pool: {pool} {text} }}"
    net.add("Pooling", bottom, [(*shape[:2], *plane)], text, never_negative=net.blobs[bottom].never_negative)


def pyramid(net: Network) -> None:
    """SPP. Its pads depend on the sizes, and Caffe refuses one as wide as its window."""
    bottom, shape = net.image()
    height, bins = net.whole(1, 3), 0
    for level in range(height):
        kernel = (ceil(shape[2] / 2**level), ceil(shape[3] / 2**level))
        pad = ((kernel[0] * 2**level - shape[2] + 1) // 2, (kernel[1] * 2**level - shape[3] + 1) // 2)
        if any(p >= k for p, k in zip(pad, kernel)):  # noqa: B905 - not in Python 3.9
            raise Unfit
        bins += prod(pooled(shape, kernel, kernel, pad))
    top = (*shape[:2], 1, 1) if height == 1 else (shape[0], shape[1] * bins)
    net.add("SPP", bottom, [top], f"spp_param {{ pyramid_height: {height} pool: {net.one(('MAX', 'AVE'))} }}")


def columns(net: Network) -> None:
    """Im2col, of which each window becomes channels."""
    bottom, shape = net.image()
    text, sides = window(net, shape, dilated=True)
    top = (shape[0], shape[1] * prod(sides[0]), *convolved(shape, sides))
    net.add("Im2col", bottom, [top], f"convolution_param {{ {text} }}")


def lrn(net: Network) -> None:
    bottom, shape = net.image()
    text = f"local_size: {net.one((3, 5))} alpha: {net.sixteenths(1, 24)} beta: {net.one((0.75, 0.5, 0.625))}"
    text += " norm_region: WITHIN_CHANNEL" if net.chance(0.4) else f" k: {net.one((1, 1.5, 2))}"
    net.add("LRN", bottom, [shape], f"lrn_param {{ {text} }}")


def mvn(net: Network) -> None:
    bottom, shape = net.image()
    if shape[2] * shape[3] < 6:
        raise Unfit
    across, scaled = (net.one(("true", "false")) for _ in range(2))
    text = f"across_channels: {across} normalize_variance: {scaled} eps: {net.sixteenths(1, 4)}"
    net.add("MVN", bottom, [shape], f"mvn_param {{ {text} }}")
