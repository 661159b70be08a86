"""Inception-ResNet-v2: 40 blocks whose branches are added to their bottom, scaled down. 299x299, 1000 classes.

Its kernels of 1x7, 7x1, 1x3 and 3x1 are padded on one side only.
"""

from __future__ import annotations

from collections.abc import Sequence

from architectures.blocks import Network

Step = tuple[int, "int | tuple[int, int]"]
"""outputs and kernel (height, width)"""


def convolution(
    net: Network, name: str, bottom: str, outputs: int, kernel: int | tuple[int, int], stride: int = 1, pad: bool = True
) -> str:
    """Add a convolution with BatchNorm, Scale and ReLU; padded so that it keeps the size, or not at all."""
    if isinstance(kernel, tuple):
        kept: int | tuple[int, int] = (kernel[0] // 2, kernel[1] // 2)
    else:
        kept = kernel // 2
    top = net.convolution(name, bottom, outputs, kernel, stride=stride, pad=kept if pad else 0, bias=False)
    net.batch_norm(f"{name}_bn", f"{name}_scale", top, text="use_global_stats: true eps: 0.001", top=top, factor=0.9)
    return net.relu(f"{name}_relu", top)


def branch(net: Network, name: str, bottom: str, steps: Sequence[Step], stride: int = 1) -> str:
    """Add convolutions one behind the other; the stride, unpadded, is the last one's."""
    for number, (outputs, kernel) in enumerate(steps, 1):
        last = number == len(steps) and stride > 1
        bottom = convolution(net, f"{name}_{number}", bottom, outputs, kernel, stride if last else 1, pad=not last)
    return bottom


def residual(
    net: Network, name: str, bottom: str, branches: Sequence[Sequence[Step]], share: float, *, relu: bool = True
) -> str:
    """Add a block: its branches side by side, brought back to the channels of the bottom, and added to it."""
    tops = [branch(net, f"{name}_branch{i}", bottom, steps) for i, steps in enumerate(branches)]
    up = net.convolution(f"{name}_up", net.concat(f"{name}_concat", tops), net.channels[bottom], 1, gain=1)
    top = net.sum(name, (bottom, up), (1, share))
    return net.relu(f"{name}_relu", top) if relu else top


def reduced(net: Network, name: str, bottom: str, branches: Sequence[Sequence[Step]]) -> str:
    """Add a reduction: branches whose last convolution has stride 2, beside a pooling."""
    tops = [branch(net, f"{name}_branch{i}", bottom, steps, stride=2) for i, steps in enumerate(branches)]
    return net.concat(name, (*tops, net.pooling(f"{name}_pool", bottom, "MAX", 3, 2)))


def network() -> Network:
    """Return Inception-ResNet-v2."""
    net = Network("Inception-Resnet-v2", {"data": (1, 3, 299, 299)})
    blob = convolution(net, "conv1_3x3_s2", "data", 32, 3, 2, pad=False)
    blob = convolution(net, "conv2_3x3", blob, 32, 3, pad=False)
    blob = net.pooling("pool1_3x3_s2", convolution(net, "conv3_3x3", blob, 64, 3), "MAX", 3, 2)
    blob = convolution(net, "conv4_1x1", blob, 80, 1)
    blob = net.pooling("pool2_3x3_s2", convolution(net, "conv5_3x3", blob, 192, 3, pad=False), "MAX", 3, 2)

    steps: tuple[tuple[Step, ...], ...] = (((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)))
    tops = [branch(net, f"mixed_5b_branch{i}", blob, each) for i, each in enumerate(steps)]
    pooled = net.pooling("mixed_5b_pool", blob, "AVE", 3, 1, 1)
    blob = net.concat("mixed_5b", (*tops, convolution(net, "mixed_5b_pool_1x1", pooled, 64, 1)))
    for number in range(1, 11):
        blob = residual(
            net, f"block35_{number}", blob, (((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3))), 0.17
        )
    blob = reduced(net, "mixed_6a", blob, (((384, 3),), ((256, 1), (256, 3), (384, 3))))
    for number in range(1, 21):
        blob = residual(net, f"block17_{number}", blob, (((192, 1),), ((128, 1), (160, (1, 7)), (192, (7, 1)))), 0.1)
    blob = reduced(net, "mixed_7a", blob, (((256, 1), (384, 3)), ((256, 1), (288, 3)), ((256, 1), (288, 3), (320, 3))))
    for number in range(1, 11):
        last, branches = number == 10, (((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))))
        blob = residual(net, f"block8_{number}", blob, branches, 1 if last else 0.2, relu=not last)
    blob = net.pooling("pool_8x8", convolution(net, "conv6_1x1", blob, 1536, 1), "AVE", 8)
    blob = net.dropout("pool_8x8_drop", blob, 0.2)
    net.layer("Softmax", "prob", net.inner_product("classifier", blob, 1000, 1536))
    return net
