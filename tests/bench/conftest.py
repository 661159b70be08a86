"""A golden file, a network and images that need no weights: the faulty backend answers the means of blue and green."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.accuracy import Network
from bench.records import Case
from bench.types import Sample, Split
from zoo.card import Card
from zoo.golden import Golden

FAULTY = str(Path(__file__).parent / "backends" / "faulty.py")


@pytest.fixture
def golden() -> Golden:
    inputs = np.random.default_rng(11).normal(size=(8, 3, 7, 11)).astype(np.float32)
    return Golden("tiny", {"data": inputs}, {"prob": inputs[:, :2].mean(axis=(2, 3))}, {}, {"framework": "numpy"})


@pytest.fixture
def card() -> Card:
    """Return a gender network whose two outputs are the means of blue and of green."""
    weights = {"size": 1, "sha256": "0" * 64}
    return Card.model_validate(
        {
            "name": "tiny",
            "title": "Tiny",
            "source": "here",
            "paper": "none",
            "licence": "none",
            "use": "tests",
            "format": "caffe",
            "weights": [
                {"role": "prototxt", "file": "a.prototxt", **weights},
                {"role": "caffemodel", "file": "a.caffemodel", **weights},
            ],
            "input": [{"name": "data", "size": (11, 7), "resize": (11, 7), "channels": "BGR"}],
            "heads": [{"task": "gender", "output": "prob", "decode": "argmax", "labels": ["male", "female"]}],
        }
    )


@pytest.fixture
def network(card: Card, golden: Golden) -> Network:
    return Network("tiny", card, Path("none"), card.input[0], golden)


@pytest.fixture
def split(tmp_path: Path) -> Split:
    """Return 13 faces: blue ones are men, green ones women."""
    samples = []
    for number in range(13):
        gender = "male" if number % 3 == 0 else "female"
        image = np.zeros((9, 17, 3), np.uint8)
        image[..., 0 if gender == "male" else 1] = 100 + number
        path = tmp_path / f"{number:02}.png"
        cv2.imwrite(str(path), image)
        samples.append(Sample(path.name, path, float(5 * number), gender))
    return Split("own", "all", "colour", tuple(samples))


def latency_case(backend: str = FAULTY, **changes: object) -> Case:
    values = {"network": "tiny", "backend": backend, "device": "cpu", "precision": "fp32", "batch": 3, "threads": 1}
    return Case.model_validate({**values, "kind": "latency", **changes})

