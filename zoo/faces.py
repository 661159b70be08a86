"""Labelled faces for training, calibration and the accuracy of variants, prepared as a card says.

The only door from the zoo to the benchmark: a split and its preparation are what they are when a network is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import datasets
from bench.heads import decode
from bench.metrics import scores
from bench.preprocess import Unreadable, prepare, read_image
from bench.records import Score
from bench.types import Sample, Split
from converters.errors import BadInput
from zoo.fields import Head, InputSpec

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


def chosen(data: str | None, count: int | None, split: str | None = None) -> Split:
    """Return ``count`` faces (None: all) of ``NAME[=PATH][:SPLIT]``, always the same ones; None: the built-in sample.

    ``split`` is the one to take when ``data`` names none and the dataset has it. Raises BadInput for an unknown
    dataset, split or path.
    """
    name, path, named = datasets.parse_data("sample" if data is None else data)
    if named is None and split in datasets.describe(name)["splits"]:
        named = split
    found = datasets.load(name, path, named)
    return found if count is None else datasets.limited(found, count)


def fingerprint(split: Split) -> str:
    """Return the sha256 of the names and labels of a split."""
    return datasets.fingerprint(split)


def batches(split: Split, spec: InputSpec, size: int) -> Iterator[dict[str, Array]]:
    """Yield the faces of a split as the network's inputs, ``size`` at a time, the last batch shorter.

    Raises BadInput for an image that cannot be read.
    """
    for start in range(0, len(split.samples), size):
        prepared = [_prepared(sample, spec) for sample in split.samples[start : start + size]]
        yield {crop.name: np.stack([tensor[crop.name] for tensor in prepared]) for crop in spec.tensors}


def _prepared(sample: Sample, spec: InputSpec) -> dict[str, Array]:
    try:
        return dict(prepare(read_image(sample.path), spec))
    except Unreadable as error:
        raise BadInput(f"{sample.path}: {error}; every face has to be readable here") from error


def measured(heads: Sequence[Head], outputs: Mapping[str, Array], split: Split) -> dict[tuple[str, str, str], Score]:
    """Score what a network said of the faces of a split as the benchmark does, by (output, task, metric)."""
    found = [score for head in heads for score in scores(head, decode(head, outputs[head.output]), split.samples)]
    return {(score.head or "", score.task, score.metric): score for score in found}
