"""AlexNet and CaffeNet, whose only difference is the order of pooling and normalisation. 227x227, 1000 classes."""

from __future__ import annotations

from architectures.blocks import Network


def network(*, pooled_first: bool = False) -> Network:
    """Return AlexNet, or CaffeNet, which pools before it normalises."""
    net = Network("CaffeNet" if pooled_first else "AlexNet", {"data": (10, 3, 227, 227)})

    def reduce(number: int, blob: str) -> str:
        if pooled_first:
            return net.lrn(f"norm{number}", net.pooling(f"pool{number}", blob, "MAX", 3, 2))
        return net.pooling(f"pool{number}", net.lrn(f"norm{number}", blob), "MAX", 3, 2)

    blob = reduce(1, net.relu("relu1", net.convolution("conv1", "data", 96, 11, stride=4)))
    blob = reduce(2, net.relu("relu2", net.convolution("conv2", blob, 256, 5, pad=2, group=2)))
    blob = net.relu("relu3", net.convolution("conv3", blob, 384, 3, pad=1))
    blob = net.relu("relu4", net.convolution("conv4", blob, 384, 3, pad=1, group=2))
    blob = net.relu("relu5", net.convolution("conv5", blob, 256, 3, pad=1, group=2))
    blob = net.pooling("pool5", blob, "MAX", 3, 2)
    for number, inputs in ((6, 256 * 6 * 6), (7, 4096)):
        blob = net.relu(f"relu{number}", net.inner_product(f"fc{number}", blob, 4096, inputs))
        net.dropout(f"drop{number}", blob)
    net.layer("Softmax", "prob", net.inner_product("fc8", blob, 1000, 4096))
    return net
