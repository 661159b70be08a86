"""ResNet-50 by its authors' deploy file: BatchNorm, Scale and ReLU in place, strides in the first 1x1. 224x224.

Its first convolution has a bias, which those of the deeper ResNets have not.
"""

from __future__ import annotations

from architectures.blocks import Network

STAGES = ((2, "abc", 64), (3, "abcd", 128), (4, "abcdef", 256), (5, "abc", 512))
"""number, blocks, channels of the first two convolutions; the third has four times as many"""


def normalised(net: Network, name: str, bottom: str, factor: float = 0.8) -> str:
    """Add BatchNorm and Scale in place; ``res2a_branch1`` has ``bn2a_branch1`` and ``scale2a_branch1``."""
    short = name.removeprefix("res") if name.startswith("res") else f"_{name}"
    return net.batch_norm(
        f"bn{short}", f"scale{short}", bottom, text="use_global_stats: true", top=bottom, factor=factor
    )


def block(net: Network, name: str, bottom: str, channels: int, stride: int, *, first: bool) -> str:
    """Add a block: three convolutions, and beside them the bottom, through a convolution in a stage's first block."""

    def convolution(branch: str, blob: str, outputs: int, kernel: int = 1, step: int = 1, factor: float = 0.8) -> str:
        layer = f"{name}_branch{branch}"
        top = net.convolution(layer, blob, outputs, kernel, stride=step, pad=kernel // 2, bias=False)
        return normalised(net, layer, top, factor)

    shortcut = convolution("1", bottom, 4 * channels, step=stride) if first else bottom
    blob = net.relu(f"{name}_branch2a_relu", convolution("2a", bottom, channels, step=stride))
    blob = net.relu(f"{name}_branch2b_relu", convolution("2b", blob, channels, 3))
    blob = convolution("2c", blob, 4 * channels, factor=0.5)
    return net.relu(f"{name}_relu", net.sum(name, (shortcut, blob)))


def network() -> Network:
    """Return ResNet-50."""
    net = Network("ResNet-50", {"data": (1, 3, 224, 224)})
    blob = normalised(net, "conv1", net.convolution("conv1", "data", 64, 7, stride=2, pad=3))
    blob = net.pooling("pool1", net.relu("conv1_relu", blob), "MAX", 3, 2)
    for stage, letters, channels in STAGES:
        for letter in letters:
            stride = 2 if stage > 2 and letter == "a" else 1
            blob = block(net, f"res{stage}{letter}", blob, channels, stride, first=letter == "a")
    blob = net.pooling("pool5", blob, "AVE", 7)
    net.layer("Softmax", "prob", net.inner_product("fc1000", blob, 1000, 2048, gain=1))
    return net
