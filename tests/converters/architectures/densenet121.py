"""DenseNet-121: every layer reads all earlier ones of its stage; BatchNorm stands before its convolution. 224x224."""

from __future__ import annotations

from architectures.blocks import Network

STAGES = {2: 6, 3: 12, 4: 24, 5: 16}
"""number, layers"""
GROWTH = 32


def normalised(net: Network, name: str, bottom: str, relu: str, *, in_place: bool = False) -> str:
    """Add BatchNorm, and Scale and ReLU in place."""
    top = bottom if in_place else ""
    return net.relu(relu, net.batch_norm(f"{name}/bn", f"{name}/scale", bottom, text="eps: 1e-5", top=top))


def network() -> Network:
    """Return DenseNet-121; its last layer is a convolution, and there is no Softmax."""
    net = Network("DENSENET_121", {"data": (1, 3, 224, 224)})
    blob = net.convolution("conv1", "data", 64, 7, stride=2, pad=3, bias=False)
    blob = net.pooling("pool1", normalised(net, "conv1", blob, "relu1"), "MAX", 3, 2, 1)
    for stage, layers in STAGES.items():
        for number in range(1, layers + 1):
            name, relu = f"conv{stage}_{number}", f"relu{stage}_{number}"
            top = normalised(net, f"{name}/x1", blob, f"{relu}/x1")
            top = net.convolution(f"{name}/x1", top, 4 * GROWTH, 1, bias=False)
            top = normalised(net, f"{name}/x2", top, f"{relu}/x2")
            top = net.convolution(f"{name}/x2", top, GROWTH, 3, pad=1, bias=False)
            blob = net.concat(f"concat_{stage}_{number}", (blob, top))
        blob = normalised(net, f"conv{stage}_blk", blob, f"relu{stage}_blk")
        if stage < max(STAGES):
            blob = net.convolution(f"conv{stage}_blk", blob, net.channels[blob] // 2, 1, bias=False)
            blob = net.pooling(f"pool{stage}", blob, "AVE", 2, 2)
    blob = net.pooling("pool5", blob, "AVE", 0)
    net.convolution("fc6", blob, 1000, 1)
    return net
