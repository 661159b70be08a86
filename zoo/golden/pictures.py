"""The inputs of the golden files: blocky portraits, as whole numbers.

Blocky on purpose: shrunk, and each pixel then repeated in a square. So they pack well, and no rounding of a resize
comes between them and the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo.fields import InputSpec
from zoo.golden import Arrays
from zoo.golden.make_caffe import SAMPLE, portraits

BLOCKS = 32
"""About so many blocks a side."""
CROWD = (100, 30, 12)
"""How many 320ths of the side the faces of one crowd have: a detector looks for faces of very different sizes."""


def inputs(spec: InputSpec) -> Arrays:
    """Return ``input:NAME`` (8, channels, height, width), uint8, in the spec's channels, ``offset`` and ``scale``.

    A network takes ``(input - offset) * scale``. Of several crops each shows its own part of the portrait.
    """
    widest = max(crop.share for crop in spec.tensors)
    shown = {crop.name: [_portrait(p, spec, crop.share / widest) for p in portraits()] for crop in spec.tensors}
    return _arrays(spec, shown, _block(spec))


def crowds(spec: InputSpec, count: int) -> Arrays:
    """Return ``count`` pictures for a detector as `inputs` does: three portraits on a slope of greys."""
    width, height = spec.size
    pictures = []
    for first in range(count):
        picture, corner = _slope(width // 2, height // 2), 0
        for share, path in zip(CROWD, portraits()[first:] + portraits()[:first], strict=False):
            side = share * (width // 2) // 320
            with Image.open(SAMPLE / path) as portrait:
                picture.paste(portrait.convert("RGB").resize((side, side), Image.Resampling.BOX), (corner, corner))
            corner += side
        pictures.append(picture)
    return _arrays(spec, {spec.name: pictures}, 2)


def fed(arrays: Arrays) -> Arrays:
    """Return what the network takes: name -> (8, channels, height, width), float32."""
    names = [key.removeprefix("input:") for key in arrays if key.startswith("input:")]
    return {
        name: (arrays[f"input:{name}"].astype(np.float32) - arrays[f"offset:{name}"]) * arrays[f"scale:{name}"]
        for name in names
    }


def about(spec: InputSpec) -> dict[str, Any]:
    """Return what a golden file says of its inputs."""
    text = f"area-averaged, pixels repeated, {spec.channels}; the network takes (input - offset) * scale"
    return {"portraits": [f"bench/sample/{path}" for path in portraits()], "inputs": text}


def _block(spec: InputSpec) -> int:
    return max(1, min(spec.size) // BLOCKS)


def _portrait(path: str, spec: InputSpec, share: float) -> Image.Image:
    """Return the middle ``share`` of a portrait with one pixel for each block."""
    with Image.open(SAMPLE / path) as picture:
        right, down = (round(side * (1 - share) / 2) for side in picture.size)
        middle = picture.convert("RGB").crop((right, down, picture.width - right, picture.height - down))
        return middle.resize([-(-side // _block(spec)) for side in spec.size], Image.Resampling.BOX)


def _slope(width: int, height: int) -> Image.Image:
    """Return greys that rise to the right and, more slowly, downwards: on one grey a detector sees all things twice."""
    greys = np.add.outer(np.linspace(0, 50, height), np.linspace(64, 142, width)).astype(np.uint8)
    return Image.fromarray(greys).convert("RGB")


def _arrays(spec: InputSpec, shown: Mapping[str, Sequence[Image.Image]], block: int) -> Arrays:
    offset = np.asarray(spec.mean or (0,) * spec.depth, dtype=np.float32).reshape(-1, 1, 1)
    arrays: dict[str, Any] = {}
    for name, pictures in shown.items():
        arrays[f"input:{name}"] = np.stack([_blown_up(picture, spec, block) for picture in pictures])
        arrays[f"offset:{name}"] = offset
        arrays[f"scale:{name}"] = np.float32(spec.scale)
    return arrays


def _blown_up(picture: Image.Image, spec: InputSpec, block: int) -> NDArray[np.uint8]:
    pixels = np.asarray(picture.convert("L"))[:, :, None] if spec.channels == "GRAY" else np.asarray(picture)
    if spec.channels == "BGR":
        pixels = pixels[:, :, ::-1]
    width, height = spec.size
    large = pixels.repeat(block, axis=0).repeat(block, axis=1)[:height, :width]
    return np.ascontiguousarray(large.transpose(2, 0, 1))
