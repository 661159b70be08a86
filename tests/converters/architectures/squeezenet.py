"""SqueezeNet 1.0 and 1.1, without a dense layer. 227x227, 1000 classes; 1.0 pads the 1x1 convolution at its end."""

from __future__ import annotations

from architectures.blocks import Network

FIRST = {"1.0": (96, 7), "1.1": (64, 3)}
"""outputs and kernel of the first convolution"""
POOLED_AFTER = {"1.0": (4, 8), "1.1": (3, 5)}
"""the fire modules that a pooling follows"""


def fire(net: Network, number: int, bottom: str) -> str:
    """Add a fire module: squeezed to few channels, then widened by 1x1 and 3x3 side by side."""
    name, squeezed = f"fire{number}", 16 * (number // 2)
    blob = net.relu(f"{name}/relu_squeeze1x1", net.convolution(f"{name}/squeeze1x1", bottom, squeezed, 1))
    tops = [
        net.relu(
            f"{name}/relu_expand{kernel}x{kernel}",
            net.convolution(f"{name}/expand{kernel}x{kernel}", blob, 4 * squeezed, kernel, pad=kernel // 2),
        )
        for kernel in (1, 3)
    ]
    return net.concat(f"{name}/concat", tops)


def network(version: str = "1.1") -> Network:
    """Return SqueezeNet."""
    net = Network(f"SqueezeNet_v{version}", {"data": (10, 3, 227, 227)})
    outputs, kernel = FIRST[version]
    blob = net.relu("relu_conv1", net.convolution("conv1", "data", outputs, kernel, stride=2))
    blob = net.pooling("pool1", blob, "MAX", 3, 2)
    for number in range(2, 10):
        blob = fire(net, number, blob)
        if number in POOLED_AFTER[version]:
            blob = net.pooling(f"pool{number}", blob, "MAX", 3, 2)
    blob = net.dropout("drop9", blob)
    blob = net.relu("relu_conv10", net.convolution("conv10", blob, 1000, 1, pad=1 if version == "1.0" else 0, gain=8))
    net.layer("Softmax", "prob", net.pooling("pool10", blob, "AVE", 0))
    return net
