"""Networks of every kind that the zoo has, from the faces to the report: crops, gray, several heads, detectors.

The network here is written by hand and knows the answers: in the middle of a face its brightness says the age, and
whether the border is brighter says the gender. So every score is known, and every output is right or it is wrong.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import onnx
import pytest
from bench_cases import latency_case
from numpy.testing import assert_allclose
from onnx import TensorProto, helper, numpy_helper

import zoo.golden
from bench import accuracy, latency
from bench.accuracy import Network
from bench.plan import plan
from bench.process import open_worker
from bench.records import RunConfig
from bench.report.scores import score_tables
from bench.team import Team
from bench.types import Sample, Split
from zoo.card import Card, all_cards, find_card
from zoo.download import Unreachable
from zoo.fields import AGE_GROUPS
from zoo.store import build

OPENCV_4 = cv2.__version__.startswith("4.")
WIDTH, HEIGHT = 11, 7
GROUPS12 = tuple(f"{first}-{first + 4}" for first in range(0, 60, 5))
GROUPS5 = ("0-13", "14-22", "23-35", "36-56", "57-")
SPREAD = np.arange(101, dtype=np.float32)


def members(labels):
    """Return (101, groups): which group each year belongs to."""
    ends = [tuple(float(end or 200) for end in label.split("-")) for label in labels]
    return np.array([[first <= year <= last for first, last in ends] for year in SPREAD], np.float32)


@pytest.fixture
def card():
    heads = [
        {"task": "age", "output": "years", "decode": "scalar", "labels": []},
        {"task": "age", "output": "shares", "decode": "expectation", "labels": [str(i) for i in range(101)]},
        {"task": "age_group", "output": "twelve", "decode": "argmax", "labels": GROUPS12},
        {"task": "age_group", "output": "five", "decode": "argmax", "labels": GROUPS5},
        {"task": "gender", "output": "female", "decode": "scalar", "labels": ["male", "female"]},
    ]
    spec = {
        "name": "whole",
        "crops": [{"name": "middle", "share": 0.5}],
        "channels": "GRAY",
        "mean": [10],
        "scale": 0.5,
    }
    return Card.model_validate(
        {
            "name": "knowing",
            **dict.fromkeys(("title", "source", "paper", "licence", "use"), "a test's"),
            "format": "onnx",
            "weights": [{"role": "model", "file": "a.onnx", "size": 1, "sha256": "0" * 64}],
            "input": [{**spec, "size": (WIDTH, HEIGHT), "resize": (WIDTH, HEIGHT)}],
            "heads": heads,
        }
    )


def answers(whole, middle):
    """Return what the network says, in numpy."""
    years = middle.mean(axis=(2, 3)) + 5
    shares = np.maximum(1 - np.abs(years - SPREAD), 0)
    female = 1 / (1 + np.exp(-(whole.mean(axis=(2, 3)) - middle.mean(axis=(2, 3)))))
    found = {"years": years, "shares": shares, "twelve": shares @ members(GROUPS12), "five": shares @ members(GROUPS5)}
    return {name: value.astype(np.float32) for name, value in {**found, "female": female}.items()}


@pytest.fixture
def model(tmp_path):
    constants = {
        "flat": np.array([-1, 1]),
        "shift": np.float32([5]),
        "spread": SPREAD[None],
        "one": np.float32([1]),
        "to12": members(GROUPS12),
        "to5": members(GROUPS5),
    }
    node = helper.make_node
    nodes = [
        node("GlobalAveragePool", ["whole"], ["whole_mean"]),
        node("GlobalAveragePool", ["middle"], ["middle_mean"]),
        node("Reshape", ["whole_mean", "flat"], ["w"]),
        node("Reshape", ["middle_mean", "flat"], ["m"]),
        node("Add", ["m", "shift"], ["years"]),
        node("Sub", ["years", "spread"], ["apart"]),
        node("Abs", ["apart"], ["distance"]),
        node("Sub", ["one", "distance"], ["near"]),
        node("Relu", ["near"], ["shares"]),
        node("MatMul", ["shares", "to12"], ["twelve"]),
        node("MatMul", ["shares", "to5"], ["five"]),
        node("Sub", ["w", "m"], ["brighter"]),
        node("Sigmoid", ["brighter"], ["female"]),
    ]
    shapes = {"years": 1, "shares": 101, "twelve": 12, "five": 5, "female": 1}
    tensor = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "knowing",
        [tensor(name, shape=["N", 1, HEIGHT, WIDTH]) for name in ("whole", "middle")],
        [tensor(name, shape=["N", size]) for name, size in shapes.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = tmp_path / "knowing.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def network(card, model, tmp_path, monkeypatch):
    """Return the network with a golden file on disk, whose inputs have an offset and a scale as the card's have."""
    monkeypatch.setattr(zoo.golden, "FOLDER", tmp_path)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 8, 1, HEIGHT, WIDTH), dtype=np.uint8)
    fed = [(p.astype(np.float32) - 10) * np.float32(0.5) for p in pixels]
    arrays = {f"output:{name}": value for name, value in answers(*fed).items()}
    for name, values in zip(("whole", "middle"), pixels, strict=True):
        arrays |= {f"input:{name}": values, f"offset:{name}": np.float32([[[10]]]), f"scale:{name}": np.float32(0.5)}
    np.savez(tmp_path / "knowing.npz", meta=json.dumps({"framework": "numpy by hand"}), **arrays)
    return Network("knowing", card, model, card.input[0], zoo.golden.load("knowing"))


AGES = (1, 5, 9, 17, 30, 40, 50, 61, 21, 35, 58, 77, 64)
"""Of these 21, 35 and 58 lie between two of the eight groups, and 61, 64 and 77 beyond the last of the twelve."""


@pytest.fixture
def split(tmp_path):
    samples = []
    for number, age in enumerate(AGES):
        gender = "female" if number % 3 else "male"
        face = np.full((40, 24, 3), 200 if gender == "female" else 0, np.uint8)
        face[10:30, 6:18] = 2 * age
        path = tmp_path / f"{number:02}.png"
        cv2.imwrite(str(path), face)
        samples.append(Sample(path.name, path, float(age), gender))
    return Split("own", "all", "brightness", tuple(samples))


def measured(network, split, backend="onnxruntime", batch=4):
    case = latency_case(backend, network=network.name, kind="accuracy", dataset="own", split="all", batch=batch)
    with team_of(network.model) as team:
        return accuracy.measure(case, network, split, team, lambda _: None)


def team_of(model):
    return Team(_start, lambda _: str(model))


def timed(cases, model, golden):
    with team_of(model) as team:
        return latency.measure(cases, team, golden, lambda _: None, budget=0.02)


def _start(case):
    return open_worker(case.backend, case.device, case.threads, 60)


@pytest.mark.parametrize("backend", ["onnxruntime", "opencv"])
def test_every_head_is_scored_by_its_own_output_crop_and_labels(network, split, backend):
    result = measured(network, split, backend)
    assert (result.status, result.reason) == ("ok", None)
    assert result.parity.max_abs < 1e-4
    found = {(s.head, s.task, s.metric): s for s in result.scores if s.groups is None}
    assert {s.head: (s.n, s.value) for s in result.scores if s.groups == "twelve" and s.metric == "accuracy"} == {
        "years": (10, 1.0),
        "shares": (10, 1.0),
    }
    assert {key: s.n for key, s in found.items() if key[2] in ("accuracy", "mae")} == {
        ("years", "age_group", "accuracy"): 10,
        ("years", "age", "mae"): 13,
        ("shares", "age_group", "accuracy"): 10,
        ("shares", "age", "mae"): 13,
        ("twelve", "age_group", "accuracy"): 10,
        ("five", "age_group", "accuracy"): 13,
        ("female", "gender", "accuracy"): 13,
    }
    assert {s.value for key, s in found.items() if key[2] == "accuracy"} == {1.0}
    assert_allclose([s.value for key, s in found.items() if key[2] == "mae"], 0, atol=1e-3)
    assert {key[0]: s.decode for key, s in found.items() if key[2] == "accuracy"} == {
        "years": "borders",
        "shares": "mass",
        "twelve": "argmax",
        "five": "argmax",
        "female": "scalar",
    }
    assert {key[:2] for key, s in found.items() if s.derived} == {("years", "age_group"), ("shares", "age_group")}


def test_the_report_tells_the_heads_apart(network, split):
    tables = {t["title"]: [row["head"] for row in t["rows"]] for t in score_tables([measured(network, split)])}
    assert tables == {
        "Age groups: the eight standard ones": ["years", "shares"],
        "Age groups: twelve of five years": ["years", "shares", "twelve"],
        "Age groups: 5 of the network's own, 0-13 to 57-": ["five"],
        "Age in years": ["years", "shares"],
        "Gender": ["female"],
    }


def test_a_crop_in_the_wrong_input_is_another_score(network, split):
    (middle,) = network.spec.crops
    spec = network.spec.model_copy(update={"share": 0.5, "crops": (middle.model_copy(update={"share": 1.0}),)})
    found = {(s.head, s.metric): s.value for s in measured(replace(network, spec=spec), split).scores}
    assert found["years", "mae"] > 5
    assert found["female", "accuracy"] < 0.5


@pytest.mark.parametrize("batch", [1, 3, 13])
def test_latency_feeds_every_input_at_the_batch_size(network, monkeypatch, batch):
    monkeypatch.setattr(latency, "ROUNDS", 2)
    cases = [latency_case(b, network="knowing", batch=batch) for b in ("onnxruntime", "opencv")]
    for result in timed(cases, network.model, network.golden):
        assert (result.status, result.reason) == ("ok", None)
        assert result.parity.max_abs < 1e-4


def planned(cards, splits):
    values = {"backends": ("onnxruntime",), "device": "cpu", "precisions": ("fp32",), "data": (), "batches": (1,)}
    config = RunConfig(networks=tuple(cards), threads=1, limit=None, only=None, **values)
    return plan(config, cards, {"onnxruntime": "cpu"}, {}, {}, splits)


def test_seeded_networks_and_detectors_are_timed_but_not_scored(split):
    cards = {name: card for name, card in all_cards().items() if card.seeded or not card.heads}
    assert len(cards) >= 5
    for case in planned(cards, [split]):
        card = cards[case.case.network]
        if case.case.kind == "latency":
            assert case.skip is None
        else:
            assert ("random (seeded)" if card.seeded else "face detection") in case.skip


def test_every_case_of_the_whole_zoo_is_planned_once(split):
    cards = {name: card for card in all_cards().values() for name in card.networks()}
    cases = [p.case for p in planned(cards, [split])]
    assert len(cases) == len(set(cases)) == len(all_cards()) + len(cards)


def test_every_head_of_the_zoo_is_read_as_its_card_says():
    """Each head gets an output that means one label, and says it."""
    from bench.heads import decode

    for card in all_cards().values():
        for head in card.heads:
            found = decode(head, np.float32([[33.0]]) if head.decode == "scalar" else np.eye(len(head.labels)))
            assert set(found.decode) >= {head.task}
            if head.task == "age_group":
                assert list(found.group) == list(range(len(head.labels)))
                assert head.labels == AGE_GROUPS or len(head.labels) != len(AGE_GROUPS)


@pytest.mark.weights
@pytest.mark.parametrize("batch", [1, 3])
def test_a_detector_whose_rows_follow_from_the_faces_is_compared_and_timed(mirror, monkeypatch, batch):
    """The rows of each face are told by their first column; how many there are depends on what it shows."""
    try:
        model = build(find_card("res10-ssd-face"), mirror)
    except Unreachable as error:
        pytest.skip(str(error))
    for name, value in (("ROUNDS", 2), ("ROUND_RUNS", 1)):
        monkeypatch.setattr(latency, name, value)
    golden = zoo.golden.load("res10-ssd-face")
    cases = [latency_case(backend, network=golden.name, batch=batch) for backend in ("onnxruntime", "opencv")]
    ours, other = timed(cases, model, golden)
    assert (ours.status, ours.reason) == ("ok", None)
    assert ours.parity.max_abs < 1e-4
    if OPENCV_4:
        assert other.status == "failed"
        assert "OpenCV(4" in other.reason
    else:
        assert (other.status, other.reason) == ("ok", None)
        assert other.parity.max_abs < 1e-4
