"""VGG-16, 528 MB of weights, most of them in its first dense layer. 224x224, 1000 classes."""

from __future__ import annotations

from architectures.blocks import Network

STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
"""convolutions, and the channels of each"""


def convolutions(net: Network, first_pad: int = 1) -> str:
    """Add all but the dense layers; FCN pads its first convolution by 100."""
    blob, pad = next(iter(net.inputs)), first_pad
    for stage, (count, channels) in enumerate(STAGES, 1):
        for number in range(1, count + 1):
            blob = net.convolution(f"conv{stage}_{number}", blob, channels, 3, pad=pad)
            blob, pad = net.relu(f"relu{stage}_{number}", blob), 1
        blob = net.pooling(f"pool{stage}", blob, "MAX", 2, 2)
    return blob


def network() -> Network:
    """Return VGG-16."""
    net = Network("VGG_ILSVRC_16_layers", {"data": (10, 3, 224, 224)})
    blob = convolutions(net)
    for number, inputs in ((6, 512 * 7 * 7), (7, 4096)):
        blob = net.relu(f"relu{number}", net.inner_product(f"fc{number}", blob, 4096, inputs))
        net.dropout(f"drop{number}", blob)
    net.layer("Softmax", "prob", net.inner_product("fc8", blob, 1000, 4096))
    return net
