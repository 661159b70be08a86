"""Predictions by real networks: those of the accuracy pass for the same face, whatever the network is fed with."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from bench import accuracy, datasets, detection
from bench.cli import main
from bench.heads import decode
from bench.inference import predict
from bench.plan import accuracy_batch
from bench.predict.asking import Place, asked
from bench.predict.choosing import timed
from bench.preprocess import Unreadable, prepare_views, read_image
from bench.process import open_worker
from bench.results import read_results, read_run
from bench.run import Missing, network_of, seen_by
from bench.types import Sample
from converters.errors import BadInput
from zoo.card import find_card
from zoo.fields import InputSpec

PLACE = Place("onnxruntime", "onnxruntime", "cpu", None, 1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return five photos with a portrait each, and a smaller one beside it: at rims and of several sizes."""
    folder = tmp_path_factory.mktemp("photos")
    samples = datasets.load("sample").samples
    generator = np.random.default_rng(5)
    for number in range(5):
        photo = np.full((420, 560, 3), (90, 140, 120), np.uint8)
        side, small = 160 + 20 * number, 90
        left, top = (0, 0) if number == 0 else (int(generator.integers(0, 180)), 420 - side)
        for sample, size, x, y in (
            (samples[7 * number + 40], side, left, top),
            (samples[90 + number], small, 450, 150),
        ):
            photo[y : y + size, x : x + size] = cv2.resize(read_image(sample.path), (size, size))
        cv2.imwrite(str(folder / f"{number}.png"), photo)
    return folder


def of_network(name, faces, mirror):
    network = network_of(name, find_card(name), mirror)
    if isinstance(network, Missing):
        pytest.skip(f"{name} cannot be had here: {network.reason}")
    return seen_by(faces, network)


NETWORKS = [
    "c3ae-v84",
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            "dlib-age",
            "separable-age-gender",
            "wide-resnet-16-8",
            "levi-hassner-age@mean-image",
            "levi-hassner-gender@over-sampled",
            "lean-conv13",
        )
    ),
]


@pytest.mark.weights
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("way", ["detect:yunet-face", "whole"])
def test_what_is_said_of_a_face_is_what_the_accuracy_pass_says(name, way, photos, mirror, tmp_path, capsys):
    """Three crops, margins, mean images, ten views, gray: the same numbers, in whatever batch they were made."""
    try:
        faces = detection.opened(way, mirror)
    except BadInput as error:
        pytest.skip(f"the detector cannot be had here: {error}")
    network = of_network(name, faces, mirror)
    samples = [Sample(path.name, path, None, None) for path in sorted(photos.iterdir())]
    with open_worker("onnxruntime", "cpu", threads=1) as worker:
        worker.ask("load", model=str(network.model))
        found = predict(worker, accuracy.feeder(network), samples, accuracy_batch(network.spec), lambda _: None)
    assert len(found.read) == len(samples)
    more = ["--zoo", name, "--faces", way, "--out", str(tmp_path / "out")]
    assert main(["predict", str(photos), *more]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out" / "faces.jsonl").read_text().splitlines()]
    first = {line["image"]: line["networks"][name] for line in lines if line["face"] == 1}
    assert list(first) == [sample.name for sample in samples]
    fed_with = {said["preprocessing"].get("face", "whole") for said in first.values()}
    assert fed_with == {"whole" if way == "whole" else "box"}
    if way != "whole":
        assert len(lines) > len(samples)
    for head in network.card.heads:
        wanted = decode(head, found.outputs[head.output])
        for row, said in enumerate(first.values()):
            told = [said[task] for task in ("age", "age_group", "gender")] + said.get("other_heads", [])
            of = [one for one in told if one and one["head"] == head.output]
            if wanted.years is not None:
                (years,) = [one["years"] for one in of if "years" in one]
                assert_allclose(years, wanted.years[row], rtol=1e-4, atol=1e-4)
            if wanted.shares is not None and head.task != "age":
                (shares,) = [one["probabilities"] for one in of if "probabilities" in one]
                assert_allclose(list(shares.values()), wanted.shares[row], atol=1e-5)


def test_a_tiny_network_from_the_command_to_the_lines(tiny_zoo, tmp_path, capsys):
    """By workers of its own, of two networks and two inputs of one; the model's hash is that of a run."""
    words = ["--zoo", "tiny*,twin", "--backend", "onnxruntime"]
    assert main(["predict", str(tiny_zoo.faces.parent), *words, "--faces", "whole", "--out", str(tmp_path / "p")]) == 0
    run = ["run", *words, "--data", f"csv={tiny_zoo.faces}", "--only", "accuracy", "--out", str(tmp_path / "r")]
    assert main(run) == 0
    lines = [json.loads(line) for line in (tmp_path / "p" / "faces.jsonl").read_text().splitlines()]
    assert len(lines) == 11
    labels = [row.split(",") for row in tiny_zoo.faces.read_text().splitlines()[1:]]
    truth = {path: gender for path, _, gender in labels}
    models = read_run(tmp_path / "r").models
    for result in read_results(tmp_path / "r"):
        name = result.case.network
        said = {line["image"]: line["networks"][name] for line in lines}
        right = sum(said[image]["gender"]["label"] == gender for image, gender in truth.items())
        assert result.scores[0].value == right / 11
        assert {one["model_sha256"] for one in said.values()} == {models[name]["onnx"]}
    assert "labels.csv" in (tmp_path / "p" / "skipped.jsonl").read_text()


def test_a_network_that_differs_from_its_reference_says_nothing(tiny_zoo):
    network = network_of("tiny", find_card("tiny"), tiny_zoo.mirror)
    outputs = {name: output + 1 for name, output in network.golden.outputs.items()}
    wrong = replace(network, golden=replace(network.golden, outputs=outputs))
    image = np.full((9, 17, 3), 99, np.uint8)
    with asked({"right": network, "wrong": wrong}, PLACE) as (right, other):
        assert right.say(image, None).status == "ok"
        assert other.say(image, None).status == "failed"
        assert "outputs differ" in other.failed


def test_how_long_a_face_takes_is_measured_by_the_harness(tiny_zoo):
    network = network_of("tiny", find_card("tiny"), tiny_zoo.mirror)
    found = timed(network, PLACE)
    assert found.ms > 0
    assert "runs here, one face" in found.said
    broken = timed(replace(network, model=tiny_zoo.home / "none.onnx"), PLACE)
    assert broken.ms is None


def test_a_face_of_which_a_crop_is_no_pixel_is_unreadable_and_no_crash():
    spec = InputSpec(name="data", size=(5, 5), resize=(5, 5), channels="BGR", share=0.4)
    assert prepare_views(np.zeros((9, 7, 3), np.uint8), spec)["data"].shape == (1, 3, 5, 5)
    with pytest.raises(Unreadable, match="is no pixel"):
        prepare_views(np.zeros((2, 2, 3), np.uint8), spec)
