"""A golden file, a network and images that need no weights: the faulty backend answers the means of blue and green."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench_cases import small_kernels

import zoo.card
import zoo.golden
import zoo.store
from bench import latency, roofline
from bench import run as running
from bench.accuracy import Network
from bench.types import Sample, Split
from converters.caffe.schema import messages
from zoo.card import Card
from zoo.golden import Golden


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


PROTOTXT = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 7 input_dim: 11
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


@dataclass(frozen=True)
class TinyZoo:
    """A zoo of two real, tiny Caffe networks, ``tiny`` and ``twin``: their files are in ``mirror`` alone."""

    mirror: Path
    home: Path
    faces: Path


@pytest.fixture
def tiny_zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TinyZoo:
    mirror, golden, home, faces = (tmp_path / name for name in ("mirror", "golden", "home", "faces"))
    for folder in (mirror, golden, home, faces):
        folder.mkdir()
    cards = {name: _tiny_network(name, seed, mirror, golden) for seed, name in enumerate(("tiny", "twin"))}
    _labelled_faces(faces)
    monkeypatch.setattr(zoo.card, "all_cards", lambda: cards)
    monkeypatch.setattr(zoo.store, "all_cards", lambda: cards)
    monkeypatch.setattr(zoo.golden, "FOLDER", golden)
    monkeypatch.setattr(running, "cores", lambda: 1)  # no process of its own for a network that takes no time
    monkeypatch.setattr(latency, "ROUNDS", 2)
    monkeypatch.setattr(latency, "LEAST_ROUNDS", 2)
    monkeypatch.setattr(roofline, "kernels", small_kernels)
    monkeypatch.setattr(roofline, "ROUND_SECONDS", 0.001)
    monkeypatch.setenv("ZOO_HOME", str(home))
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("BENCH_DATA", raising=False)
    return TinyZoo(mirror, home, faces / "labels.csv")


def _tiny_network(name: str, seed: int, mirror: Path, golden: Path) -> Card:
    generator = np.random.default_rng(seed)
    matrix, bias = generator.normal(size=(2, 231)).astype("f4") / 500, generator.normal(size=2).astype("f4")
    net = messages()["NetParameter"]()
    layer = net.layer.add(name="fc")
    for array in (matrix, bias):
        blob = layer.blobs.add()
        blob.shape.dim.extend(array.shape)
        blob.data.extend(array.ravel().tolist())
    files = {f"{name}.prototxt": PROTOTXT.encode(), f"{name}.caffemodel": bytes(net.SerializeToString())}
    for file, content in files.items():
        (mirror / file).write_bytes(content)
    pixels = generator.integers(0, 256, (8, 3, 7, 11), dtype=np.uint8)
    offset = np.full((3, 1, 1), 100, np.float32)
    logits = (pixels - offset).reshape(8, -1).astype(np.float64) @ matrix.T.astype(np.float64) + bias
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    arrays = {"input:data": pixels, "offset:data": offset, "output:prob": shares.astype(np.float32)}
    np.savez(golden / f"{name}.npz", meta=json.dumps({"framework": "numpy by hand"}), **arrays)
    return Card.model_validate(
        {
            "name": name,
            **dict.fromkeys(("title", "source", "paper", "licence", "use"), "a test's"),
            "format": "caffe",
            "weights": [
                {"role": role, "file": file, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for role, (file, content) in zip(("prototxt", "caffemodel"), files.items(), strict=True)
            ],
            "input": [
                {"name": "data", "size": (11, 7), "resize": (11, 7), "channels": "BGR", "mean": (100, 100, 100)},
                {"variant": "rgb", "name": "data", "size": (11, 7), "resize": (13, 9), "channels": "RGB"},
            ],
            "heads": [{"task": "gender", "output": "prob", "decode": "argmax", "labels": ["male", "female"]}],
        }
    )


def _labelled_faces(folder: Path) -> None:
    generator = np.random.default_rng(3)
    rows = ["path,age,gender"]
    for number in range(11):
        cv2.imwrite(str(folder / f"{number}.png"), generator.integers(0, 256, (9, 17, 3), dtype=np.uint8))
        rows.append(f"{number}.png,{5 * number},{'male' if number % 3 else 'female'}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
