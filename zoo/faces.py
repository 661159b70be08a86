"""Labelled faces for training and calibration, prepared as a card says.

The only door from the zoo to the benchmark: a split and its preparation are what they are when a network is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import datasets
from bench.preprocess import prepare, read_image
from zoo.fields import InputSpec

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Faces:
    """``images`` (N, height, width, 3), BGR, 8 bits, of ``spec.resize``; ``ages`` (N,) in years; ``genders`` (N,)."""

    images: Array
    ages: Array
    genders: tuple[str, ...]
    fingerprint: str


def load(data: str, split: str, spec: InputSpec) -> Faces:
    """Read a split of ``NAME[=PATH]`` into memory. Raises BadInput for an unknown dataset, split or path."""
    import cv2

    name, path, _ = datasets.parse_data(data)
    found = datasets.load(name, path, split)
    images = np.empty((len(found.samples), spec.resize[1], spec.resize[0], 3), dtype=np.uint8)
    for image, sample in zip(images, found.samples, strict=True):
        image[:] = cv2.resize(read_image(sample.path), spec.resize, interpolation=cv2.INTER_LINEAR)
    ages = np.asarray([sample.age for sample in found.samples], dtype=np.float32)
    return Faces(images, ages, tuple(sample.gender or "" for sample in found.samples), datasets.fingerprint(found))


def tensors(images: Array, spec: InputSpec) -> dict[str, Array]:
    """Prepare ``images`` (N, height, width, 3) as the network's inputs: name -> (N, C, height, width), float32."""
    prepared = [prepare(image, spec) for image in images]
    return {crop.name: np.stack([tensor[crop.name] for tensor in prepared]) for crop in spec.tensors}
