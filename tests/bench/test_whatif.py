"""The usual mistakes in feeding a network: what each one does to a tensor, and what the table says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from bench import whatif
from bench.cli import main
from bench.columns import Column
from bench.contract import known_picture
from bench.run import network_of
from bench.types import Sample
from zoo.card import find_card
from zoo.fields import InputSpec


def tensors(network):
    return {name: feeder.tensors(known_picture())["data"] for name, feeder in whatif.feeders(network)}


@pytest.fixture
def tiny(tiny_zoo):
    return network_of("tiny", find_card("tiny"), tiny_zoo.mirror)


def test_each_mistake_is_what_it_says(tiny):
    made = tensors(tiny)
    right = made.pop(whatif.RIGHT)
    assert list(made) == [
        "RGB instead of BGR",
        "mean not subtracted",
        "scaled to 0..1",
        "margin 0.2 instead of 0",
        "margin 0.4 instead of 0",
        "resized by nearest instead of linear",
        "resized by area instead of linear",
        "resized by cubic instead of linear",
        "resized by Pillow instead of OpenCV",
        "RGB instead of BGR, margin 0.2 instead of 0",
        "RGB instead of BGR, margin 0.4 instead of 0",
        "NHWC handed over as NCHW",
    ]
    both = made["RGB instead of BGR, margin 0.2 instead of 0"]
    assert_array_equal(both, made["margin 0.2 instead of 0"][:, ::-1])
    assert_array_equal(made["RGB instead of BGR"], right[:, ::-1])  # its means are alike
    assert_allclose(made["mean not subtracted"], right + 100, atol=1e-4)
    assert_allclose(made["scaled to 0..1"], right / 255, atol=1e-6)
    flat = right.transpose(0, 2, 3, 1).ravel()
    assert_array_equal(made["NHWC handed over as NCHW"].ravel(), flat)
    assert all(tensor.shape == (1, 3, 7, 11) and np.abs(tensor - right).max() > 0.2 for tensor in made.values())


def test_a_mean_image_becomes_the_mean_of_each_channel(tiny):
    mean = np.random.default_rng(4).uniform(0, 255, (3, 9, 13)).astype(np.float32)
    given = InputSpec(name="data", size=(11, 7), resize=(13, 9), channels="RGB", mean_image="mean", scale=0.5)
    made = tensors(replace(tiny, spec=given, mean_image=mean))
    whole = tensors(replace(tiny, spec=given.model_copy(update={"mean_image": None}), mean_image=None))
    flat = made["each channel's mean instead of the mean image"]
    assert_allclose(flat, whole[whatif.RIGHT] - mean.mean(axis=(1, 2))[:, None, None] / 2, atol=1e-3)
    assert_allclose(made["mean not subtracted"], whole[whatif.RIGHT], atol=1e-4)
    assert_allclose(made["not scaled"], made[whatif.RIGHT] * 2, atol=1e-4)


def test_crops_move_with_the_margin(tiny):
    crops = ({"name": "near", "share": 0.7},)
    given = InputSpec(name="data", share=1.4, crops=crops, size=(11, 7), resize=(11, 7), channels="GRAY")
    found = dict(whatif.feeders(replace(tiny, spec=given)))
    assert found["margin 0 instead of 0.2"].spec.crops[0].share == pytest.approx(0.5)
    assert not any("instead of GRAY" in name for name in found)


def test_the_table_has_every_way_with_its_change(tiny_zoo, capsys):
    assert main(["whatif", "tiny", "--data", f"csv={tiny_zoo.faces}", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["data"], len(told["split_sha256"])) == (11, "csv:all", 64)
    values = {way["fed"]: way["scores"][0]["value"] for way in told["ways"]}
    assert main(["run", "--zoo", "tiny", "--only", "accuracy", "--data", f"csv={tiny_zoo.faces}", "--backend", "opencv",
                 "--threads", "1", "--out", str(tiny_zoo.home / "out")]) == 0  # fmt: skip
    from bench.results import read_results

    (measured,) = read_results(tiny_zoo.home / "out")
    assert values[whatif.RIGHT] == measured.scores[0].value
    assert len(set(values.values())) > 1
    capsys.readouterr()
    assert main(["whatif", "tiny", "--data", f"csv={tiny_zoo.faces}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + len(values)
    change = values["mean not subtracted"] - values[whatif.RIGHT]
    assert any("mean not subtracted" in line and f"{change:+.3f} [" in line for line in lines)
    changes = {way["fed"]: way["changes"] for way in told["ways"]}
    assert changes[whatif.RIGHT] == []
    assert changes["mean not subtracted"][0]["value"] == pytest.approx(change)


def test_changes_are_judged_by_pairs():
    """A year more for every face is found for certain, where the two means' own intervals would overlap."""
    errors = np.random.default_rng(5).gamma(2, 5, 211)
    samples = tuple(Sample(f"{n}.png", Path(f"{n}.png"), 30.0, None) for n in range(211))
    ways = {whatif.RIGHT: errors, "one more": errors + 1, "the same": errors, "a little": errors + 0.01}
    fed = [
        whatif.Fed(name, (), {("age", "age", "mae"): Column("age", "mae", np.arange(211), values)}, samples)
        for name, values in ways.items()
    ]
    found = {name: told["age", "age", "mae"] for name, told in whatif.changes(fed).items()}
    assert {name: change.verdict for name, change in found.items()} == {
        "one more": "different",
        "the same": "equal",
        "a little": "equal",
    }
    assert_allclose(found["one more"].difference.interval, (1, 1), atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("nothing",), "no network 'nothing'"),
        (("tiny", "--data", "imagenet"), "no dataset 'imagenet'"),
        (("tiny", "--limit", "0"), "--limit 0: must be 1 or more"),
        (("tiny", "--backend", "none"), "no backend 'none'; there are"),
    ],
)
def test_bad_input_is_one_line(tiny_zoo, capsys, arguments, wanted):
    assert main(["whatif", *arguments]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert wanted in line
