"""The cases of PriorBox and DetectionOutput as small networks. Runs with OpenCV 4 too, for the goldens.

A detector's maps are its inputs: ``data`` the offsets, ``data_2`` the scores, for each place of the plane its boxes.
"""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

import numpy as np
from layer_cases import Shape, network, one_layer

PLANE = (3, 4)
IMAGES = 2

DEFAULTS = {
    "prior_box_param": "clip: false variance: 0.1",
    "detection_output_param": "share_location: true background_label_id: 0 code_type: CORNER nms_param { }",
    "nms_param": "nms_threshold: 0.3",
}
"""What Caffe takes for fields that are missing, and OpenCV does not."""

PRIORS = "min_size: 1 max_size: 3 aspect_ratio: 2 clip: false variance: [0.1, 0.2, 0.3, 0.4]"
"""Four boxes a place, of an image as small as the plane."""
CENTRES = "code_type: CENTER_SIZE confidence_threshold: 0.2 "


def spelled_out(text: str) -> str:
    """Return the text of a network with the defaults written where OpenCV needs them."""
    for block, defaults in DEFAULTS.items():
        for field in re.findall(r"\w+: \S+|\w+ {.*?}", defaults):
            name = field.split(":")[0].split(" ")[0]
            text = re.sub(rf"({block} {{)(?!(?:[^{{}}]|{{[^{{}}]*}})*\b{name}\b)", rf"\1 {field}", text)
    return text


class Boxes(NamedTuple):
    """A PriorBox; ``differs`` says why OpenCV does not judge it."""

    text: str
    differs: str = ""
    feature: Shape = (2, 5, 3, 4)
    image: Shape = (2, 3, 20, 30)

    @property
    def network(self) -> str:
        """The text of its network."""
        return one_layer("PriorBox", f"prior_box_param {{ {self.text} }}", (self.feature, self.image))


class Detector(NamedTuple):
    """A DetectionOutput; ``differs`` says why OpenCV does not judge it, ``cannot`` why OpenCV 5 does not run it."""

    text: str
    classes: int = 4
    differs: str = ""
    cannot: str = ""
    places: int = 4
    priors: str = PRIORS
    spread: float = 1.0

    @property
    def bottoms(self) -> tuple[Shape, Shape]:
        """The shapes of the offsets and of the scores."""
        labels = self.classes if "share_location: false" in self.text else 1
        return (IMAGES, self.places * labels * 4, *PLANE), (IMAGES, self.places * self.classes, *PLANE)

    @property
    def network(self) -> str:
        """The text of its network."""
        layers = [
            f'layer {{ name: "{name}_{what}" type: "{kind}" bottom: "{bottom}" top: "{name}_{what}" {text} }}'
            for name, data in (("loc", "data"), ("conf", "data_2"))
            for what, kind, bottom, text in (
                ("perm", "Permute", data, "permute_param { order: [0, 2, 3, 1] }"),
                ("flat", "Flatten", f"{name}_perm", ""),
            )
        ]
        param = f"prior_box_param {{ {self.priors} }}"
        layers.append(
            f'layer {{ name: "priors" type: "PriorBox" bottom: "data" bottom: "data" top: "priors" {param} }}'
        )
        if "variance_encoded_in_target" in self.text:  # OpenCV then takes priors without variances only
            cut = "slice_param { axis: 1 slice_point: 1 }"
            layers.append(f'layer {{ name: "cut" type: "Slice" bottom: "priors" top: "corners" top: "rest" {cut} }}')
            layers.append('layer { name: "silence" type: "Silence" bottom: "rest" }')
        priors = "corners" if "variance_encoded_in_target" in self.text else "priors"
        bottoms = f'bottom: "loc_flat" bottom: "conf_flat" bottom: "{priors}"'
        param = f"detection_output_param {{ num_classes: {self.classes} {self.text} }}"
        layers.append(f'layer {{ name: "top" type: "DetectionOutput" {bottoms} top: "top" {param} }}')
        return network("\n".join(layers), self.bottoms)

    def feed(self, images: int = IMAGES) -> dict[str, np.ndarray]:
        """Return seeded offsets, and scores of which no two are the same."""
        generator = np.random.default_rng(zlib.crc32(self.text.encode()))
        offsets, scores = ((images, *shape[1:]) for shape in self.bottoms)
        count = int(np.prod(scores))
        return {
            "data": (generator.normal(size=offsets) * self.spread).astype(np.float32),
            "data_2": ((generator.permutation(count) + 0.5) / count).reshape(scores).astype(np.float32),
        }


IMAGE_SIZE = "OpenCV takes the size of the second bottom"
BOXES = (
    Boxes("min_size: 9 clip: false variance: 0.2"),
    Boxes("min_size: 9 max_size: 16 clip: false variance: 0.2"),
    Boxes("min_size: 9 max_size: 16 aspect_ratio: 2 clip: true variance: 0.3"),
    Boxes("min_size: 9 aspect_ratio: 2 aspect_ratio: 3 flip: false clip: false variance: [0.1, 0.1, 0.2, 0.4]"),
    Boxes("min_size: 9 aspect_ratio: [2, 0.5, 1, 3, 2] clip: false variance: 0.2"),
    Boxes("min_size: 9 min_size: 5 max_size: 16 max_size: 11 aspect_ratio: 2 clip: false variance: 0.2"),
    Boxes("min_size: 9 clip: false variance: 0.2 img_size: 40", IMAGE_SIZE),
    Boxes("min_size: 9 clip: false variance: 0.2 img_h: 40 img_w: 25 step: 7", IMAGE_SIZE),
    Boxes("min_size: 9 clip: false variance: 0.2 step_h: 6 step_w: 8 offset: 0.25"),
    Boxes("min_size: 9 clip: false variance: 0.2 offset: 0"),
    Boxes("min_size: 19 max_size: 26"),
    Boxes(
        "min_size: 9.84 max_size: 16.8 clip: false variance: 0.2", "OpenCV takes sizes as they are, Caffe whole pixels"
    ),
)

OTHER_CODE = "OpenCV takes CORNER_SIZE for CORNER"
POSITIVE = "OpenCV refuses keep_top_k -1 and nms_threshold 0"
NO_BACKGROUND = "OpenCV, like Caffe-SSD without a GPU, stops at -1 with shared locations"
NO_THRESHOLD = "refuses a confidence_threshold below 0, or none"

DETECTORS = (
    Detector(CENTRES + "nms_param { nms_threshold: 0.45 top_k: 400 } keep_top_k: 200", classes=2),
    Detector(CENTRES + "nms_param { nms_threshold: 0.45 top_k: 400 } keep_top_k: 5", classes=2),
    Detector(CENTRES + "nms_param { nms_threshold: 0.45 top_k: 7 } keep_top_k: 200", classes=2),
    Detector(CENTRES + "nms_param { nms_threshold: 0.45 top_k: 400 } keep_top_k: 400"),
    Detector(CENTRES + "nms_param { nms_threshold: 0.45 top_k: 6 } keep_top_k: 100"),
    Detector(CENTRES + "nms_param { nms_threshold: 0.45 top_k: 11 } keep_top_k: 9"),
    Detector(CENTRES + "nms_param { nms_threshold: 0.45 } keep_top_k: 13"),
    Detector(CENTRES + "nms_param { nms_threshold: 0.1 top_k: 20 eta: 1 } keep_top_k: 50"),
    Detector(CENTRES + "nms_param { nms_threshold: 1 } keep_top_k: 500"),
    Detector(CENTRES + "keep_top_k: 100", classes=3),
    Detector(CENTRES + "keep_top_k: 100 background_label_id: 2"),
    Detector(CENTRES + "keep_top_k: 100 background_label_id: -1", classes=3, differs=NO_BACKGROUND),
    Detector(CENTRES + "keep_top_k: 100 background_label_id: -2", classes=3),
    Detector(CENTRES + "keep_top_k: 100 background_label_id: -2", classes=1),
    Detector(CENTRES + "keep_top_k: 8 background_label_id: 3 nms_param { top_k: 5 }", classes=3),
    Detector(CENTRES + "keep_top_k: 100 share_location: false", classes=3),
    Detector(CENTRES + "keep_top_k: 7 share_location: false nms_param { top_k: 5 }"),
    Detector(CENTRES + "keep_top_k: 100 share_location: false background_label_id: 1", classes=3),
    Detector(CENTRES + "keep_top_k: 100 share_location: false background_label_id: -1", classes=3),
    Detector(CENTRES + "keep_top_k: 6 share_location: false background_label_id: -1 nms_param { top_k: 5 }", classes=3),
    Detector(CENTRES + "keep_top_k: 100 variance_encoded_in_target: true", spread=0.5),
    Detector(CENTRES + "keep_top_k: 100 clip: true"),
    Detector(CENTRES + "keep_top_k: 100 clip: true share_location: false"),
    Detector("keep_top_k: 100 confidence_threshold: 0.3"),
    Detector("keep_top_k: 100 confidence_threshold: 0.3 code_type: CORNER variance_encoded_in_target: true"),
    Detector("keep_top_k: 100 confidence_threshold: 0.3 share_location: false", classes=3, spread=3),
    Detector("keep_top_k: 100 confidence_threshold: 0.3 clip: true", spread=3),
    Detector("code_type: CORNER_SIZE confidence_threshold: 0.3", differs=OTHER_CODE),
    Detector("code_type: CORNER_SIZE confidence_threshold: 0.3 variance_encoded_in_target: true", differs=OTHER_CODE),
    Detector("code_type: CENTER_SIZE confidence_threshold: 0.97 keep_top_k: 20"),
    Detector("code_type: CENTER_SIZE confidence_threshold: 0.99 keep_top_k: 20 nms_param { top_k: 5 }"),
    Detector("code_type: CENTER_SIZE confidence_threshold: 1 keep_top_k: 20"),
    Detector("code_type: CENTER_SIZE confidence_threshold: 1 keep_top_k: 2 share_location: false"),
    Detector(CENTRES, differs=POSITIVE),
    Detector(CENTRES + "nms_param { nms_threshold: 0 top_k: -1 }", differs=POSITIVE),
    Detector("code_type: CENTER_SIZE keep_top_k: 100", cannot=NO_THRESHOLD),
    Detector("code_type: CENTER_SIZE keep_top_k: 100 nms_param { top_k: 9 }", cannot=NO_THRESHOLD),
    Detector("code_type: CENTER_SIZE keep_top_k: 100 confidence_threshold: -1", cannot=NO_THRESHOLD),
)
