"""MobileNet-SSD for the 20 classes of PASCAL VOC: convolutions of single channels, and six maps of boxes. 300x300."""

from __future__ import annotations

from architectures.blocks import Network

CLASSES = 21
DEPTHS = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
"""outputs of conv1 to conv13"""
STRIDES = {2: 2, 4: 2, 6: 2, 12: 2}
EXTRA = {14: (256, 512), 15: (128, 256), 16: (128, 256), 17: (64, 128)}
"""outputs of conv14_1 and conv14_2, and so on"""
SIZES = {
    "conv11": (60, None),
    "conv13": (105, 150),
    "conv14_2": (150, 195),
    "conv15_2": (195, 240),
    "conv16_2": (240, 285),
    "conv17_2": (285, 300),
}
"""a map, and the least and largest side of its boxes, in pixels"""


def head(net: Network, bottom: str, what: str, outputs: int, gain: float) -> str:
    """Add the convolution that says something of each box, its numbers in the order of the boxes."""
    name = f"{bottom}_mbox_{what}"
    net.convolution(name, bottom, outputs, 1, gain=gain)
    net.layer("Permute", f"{name}_perm", name, "permute_param { order: 0 order: 2 order: 3 order: 1 }")
    return net.layer("Flatten", f"{name}_flat", f"{name}_perm", "flatten_param { axis: 1 }")


def boxes(net: Network, bottom: str) -> str:
    """Add the boxes of a map."""
    least, largest = SIZES[bottom]
    sizes = f"min_size: {least}.0 " + (f"max_size: {largest}.0 aspect_ratio: 2.0 " if largest else "aspect_ratio: 2.0 ")
    ratios = "aspect_ratio: 3.0 " if largest else ""
    text = "flip: true clip: false variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 offset: 0.5"
    return net.layer(
        "PriorBox", f"{bottom}_mbox_priorbox", (bottom, "data"), f"prior_box_param {{ {sizes}{ratios}{text} }}"
    )


def network() -> Network:
    """Return MobileNet-SSD; ``detection_out`` is (1, 1, detections, 7)."""
    net = Network("MobileNet-SSD", {"data": (1, 3, 300, 300)})
    blob = net.relu("conv0/relu", net.convolution("conv0", "data", 32, 3, stride=2, pad=1))
    for number, outputs in enumerate(DEPTHS, 1):
        name, channels = f"conv{number}", net.channels[blob]
        deep = net.convolution(f"{name}/dw", blob, channels, 3, stride=STRIDES.get(number, 1), pad=1, group=channels)
        blob = net.relu(f"{name}/relu", net.convolution(name, net.relu(f"{name}/dw/relu", deep), outputs, 1))
    for number, (narrow, wide) in EXTRA.items():
        blob = net.relu(f"conv{number}_1/relu", net.convolution(f"conv{number}_1", blob, narrow, 1))
        blob = net.relu(f"conv{number}_2/relu", net.convolution(f"conv{number}_2", blob, wide, 3, stride=2, pad=1))
    counts = {name: 6 if largest else 3 for name, (_, largest) in SIZES.items()}
    net.concat("mbox_loc", [head(net, name, "loc", 4 * count, 0.5) for name, count in counts.items()])
    net.concat("mbox_conf", [head(net, name, "conf", CLASSES * count, 0.4) for name, count in counts.items()])
    net.concat("mbox_priorbox", [boxes(net, name) for name in SIZES], "concat_param { axis: 2 }")
    net.layer(
        "Reshape", "mbox_conf_reshape", "mbox_conf", f"reshape_param {{ shape {{ dim: 0 dim: -1 dim: {CLASSES} }} }}"
    )
    net.layer("Softmax", "mbox_conf_softmax", "mbox_conf_reshape", "softmax_param { axis: 2 }")
    net.layer("Flatten", "mbox_conf_flatten", "mbox_conf_softmax", "flatten_param { axis: 1 }")
    text = f"num_classes: {CLASSES} share_location: true background_label_id: 0 code_type: CENTER_SIZE"
    text += " nms_param { nms_threshold: 0.45 top_k: 100 } keep_top_k: 100 confidence_threshold: 0.25"
    bottoms = ("mbox_loc", "mbox_conf_flatten", "mbox_priorbox")
    net.layer("DetectionOutput", "detection_out", bottoms, f"detection_output_param {{ {text} }}")
    return net
