"""GoogLeNet, the first Inception network, without the two heads that only training has. 224x224, 1000 classes."""

from __future__ import annotations

from architectures.blocks import Network

INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
"""outputs: 1x1, 3x3 reduced, 3x3, 5x5 reduced, 5x5, of the pooling"""


def inception(net: Network, name: str, bottom: str) -> str:
    """Add four branches side by side."""
    one, three_reduced, three, five_reduced, five, projected = INCEPTIONS[name]

    def branch(what: str, blob: str, outputs: int, kernel: int = 1, pad: int = 0) -> str:
        top = net.convolution(f"inception_{name}/{what}", blob, outputs, kernel, pad=pad)
        return net.relu(f"inception_{name}/relu_{what}", top)

    tops = [branch("1x1", bottom, one)]
    tops.append(branch("3x3", branch("3x3_reduce", bottom, three_reduced), three, 3, 1))
    tops.append(branch("5x5", branch("5x5_reduce", bottom, five_reduced), five, 5, 2))
    pooled = net.pooling(f"inception_{name}/pool", bottom, "MAX", 3, 1, 1)
    tops.append(branch("pool_proj", pooled, projected))
    return net.concat(f"inception_{name}/output", tops)


def network() -> Network:
    """Return GoogLeNet."""
    net = Network("GoogleNet", {"data": (10, 3, 224, 224)})
    blob = net.relu("conv1/relu_7x7", net.convolution("conv1/7x7_s2", "data", 64, 7, stride=2, pad=3))
    blob = net.lrn("pool1/norm1", net.pooling("pool1/3x3_s2", blob, "MAX", 3, 2))
    blob = net.relu("conv2/relu_3x3_reduce", net.convolution("conv2/3x3_reduce", blob, 64, 1))
    blob = net.relu("conv2/relu_3x3", net.convolution("conv2/3x3", blob, 192, 3, pad=1))
    blob = net.pooling("pool2/3x3_s2", net.lrn("conv2/norm2", blob), "MAX", 3, 2)
    for name in INCEPTIONS:
        if name in {"4a", "5a"}:
            blob = net.pooling(f"pool{int(name[0]) - 1}/3x3_s2", blob, "MAX", 3, 2)
        blob = inception(net, name, blob)
    blob = net.dropout("pool5/drop_7x7_s1", net.pooling("pool5/7x7_s1", blob, "AVE", 7), 0.4)
    net.layer("Softmax", "prob", net.inner_product("loss3/classifier", blob, 1000, 1024, gain=8))
    return net
