"""FCN-8s for the 21 classes of PASCAL VOC: VGG-16 by convolutions alone, its scores scaled up and cropped to the image.

The first convolution pads by 100, so that any image is large enough; the offsets of the Crop layers undo it.
"""

from __future__ import annotations

from architectures.blocks import Network
from architectures.vgg16 import convolutions

CLASSES = 21


def network(height: int = 64, width: int = 80) -> Network:
    """Return FCN-8s for images of one size."""
    net = Network("FCN8s", {"data": (1, 3, height, width)})
    blob = convolutions(net, first_pad=100)
    for number, kernel in ((6, 7), (7, 1)):
        blob = net.relu(f"relu{number}", net.convolution(f"fc{number}", blob, 4096, kernel))
        net.dropout(f"drop{number}", blob)
    blob = net.deconvolution("upscore2", net.convolution("score_fr", blob, CLASSES, 1), 4, 2)
    for pool, offset, scaled in (("pool4", 5, "upscore_pool4"), ("pool3", 9, "upscore8")):
        score = net.convolution(f"score_{pool}", pool, CLASSES, 1)
        cropped = net.layer("Crop", f"score_{pool}c", (score, blob), f"crop_param {{ axis: 2 offset: {offset} }}")
        fused = net.sum(f"fuse_{pool}", (blob, cropped))
        blob = net.deconvolution(scaled, fused, *((4, 2) if pool == "pool4" else (16, 8)))
    net.layer("Crop", "score", (blob, "data"), "crop_param { axis: 2 offset: 31 }")
    return net
