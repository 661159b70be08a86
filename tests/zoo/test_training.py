"""A training from beginning to end: a tiny recipe on the built-in faces. Most of this needs TensorFlow."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nets
import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from tiny import bundled_card, weights_of

from converters.errors import BadInput, Unsupported, run_command
from zoo import faces, recipes
from zoo.__main__ import main
from zoo.fields import InputSpec
from zoo.recipes import Augmentation

ROOT = Path(__file__).parents[2]
SPEC = InputSpec(name="image", size=(12, 9), resize=(12, 9), channels="GRAY", mean=(127.5,), scale=1 / 127.5)
needs_keras = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None, reason="a training needs TensorFlow: install the extra keras"
)


def network() -> Any:
    import keras
    from keras import layers

    image = x = keras.Input((9, 12, 1), name="image")
    x = layers.Conv2D(3, 3, name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    return keras.Model(image, layers.Dense(1, activation="sigmoid", name="gender")(x), name="small")


def compiled(network: Any) -> Any:
    import keras

    network.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    return network


def answers(ages: np.ndarray, genders: Sequence[str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    female = np.asarray([gender == "female" for gender in genders])
    return {"gender": female.astype(np.float32)[:, None]}, ages > 3


RECIPE = SimpleNamespace(
    SEED=7,
    CYCLES=((3, 3e-3), (1, 1e-3)),
    PATIENCE=9,
    BATCH=13,
    PRECISION="float32",
    MONITOR=("val_loss", "min"),
    AUGMENTATION=Augmentation(),
    START=None,
    STRAIGHTEN=False,
    network=network,
    training=compiled,
    targets=answers,
)


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Return labels for the built-in faces, in three splits; the pictures of the test split are not there."""
    with (ROOT / "bench" / "sample" / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "age", "gender", "split"])
        for number, row in enumerate(rows):
            split = ("train", "train", "validation", "test")[number % 4]
            path = "nowhere.png" if split == "test" else ROOT / "bench" / "sample" / row["path"]
            writer.writerow([f"{number}{path}" if split == "test" else path, row["age"], row["gender"], split])
    return f"csv={tmp_path / 'labels.csv'}"


@pytest.fixture
def zoo_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let ``small`` be the network, its recipe the one above, and the store a folder of this test."""
    monkeypatch.setattr(recipes, "find", lambda name: {"small": RECIPE}[name])
    monkeypatch.setattr("zoo.card.all_cards", lambda: {"small": bundled_card(input=(SPEC,))})
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def same_log(one: Path, other: Path) -> None:
    first, second = log_of(one), log_of(other)
    assert [list(line) for line in first] == [list(line) for line in second]
    assert_allclose(*([[float(v) for v in line.values()] for line in log] for log in (first, second)), rtol=1e-5)


@needs_keras
@pytest.mark.usefixtures("zoo_of_one")
def test_a_training_leaves_what_the_zoo_needs(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras

    asked: list[str] = []
    load = faces.load
    monkeypatch.setattr(faces, "load", lambda data, split, spec: (asked.append(split), load(data, split, spec))[1])
    assert main(["train", "small", "--data", data]) == 0
    folder = tmp_path / "home" / "training" / "small"
    said = capsys.readouterr()
    files = ["best.keras", "small.keras", "log.csv", "curve.png"]
    assert [line.split()[0] for line in said.out.splitlines()] == [str(folder / file) for file in files]
    assert said.err.count("val_loss") == 4
    assert set(asked) == {"train", "validation"}
    log = log_of(folder)
    assert [line["epoch"] for line in log] == ["0", "1", "2", "3"]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    best, kept = (keras.saving.load_model(folder / name, compile=False) for name in ("best.keras", "small.keras"))
    for full, half in zip(best.get_weights(), kept.get_weights(), strict=True):
        assert_array_equal(half, full.astype(np.float16) if full.ndim > 1 else full)
    assert np.ptp(kept.get_layer("conv").get_weights()[0]) > 0.1
    assert_judged(best, data, min(float(line["val_loss"]) for line in log))


def assert_judged(network: Any, data: str, loss: float) -> None:
    """Check that the weights that were kept are those of the best validation loss, worked out by hand."""
    found = faces.load(data, "validation", SPEC)
    known = found.ages > 3
    images = faces.tensors(found.images, SPEC)["image"].transpose(0, 2, 3, 1)[known]
    female = np.asarray([gender == "female" for gender in found.genders])[known]
    shares = np.asarray(network(images))[:, 0].astype(np.float64)
    assert_allclose(-np.log(np.where(female, shares, 1 - shares)).mean(), loss, rtol=1e-4)


def broken_off(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Let the training break off in its third epoch: before its log line, after it, or while its state is written."""
    from zoo import checkpoint, training

    module = training if where == "rate" else checkpoint
    calls: list[str] = []

    def stop(name: str) -> Callable[..., Any]:
        called = getattr(module, name)

        def counted(*given: Any) -> Any:
            wanted = name != "whole" or given[0].name == "state.json"
            calls.extend([name] * wanted)
            if wanted and len(calls) == 3:
                if name == "whole":
                    given[1](given[0].with_name("part-state.json"))
                raise KeyboardInterrupt
            return called(*given)

        return counted

    monkeypatch.setattr(module, where, stop(where))


@needs_keras
@pytest.mark.usefixtures("zoo_of_one")
def test_what_was_broken_off_goes_on_as_if_nothing_had_happened(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = tmp_path / "once"
    assert main(["train", "small", "--data", data, "--out", str(once)]) == 0
    for where in ("rate", "keep", "whole"):
        assert_goes_on(where, data, once, tmp_path / where, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(RECIPE, "CYCLES", RECIPE.CYCLES[:1])
        assert main(["train", "small", "--data", data, "--out", str(tmp_path / "shorter")]) == 0
    assert len(log_of(tmp_path / "shorter")) == 3
    assert main(["train", "small", "--data", data, "--out", str(tmp_path / "shorter")]) == 0
    same_log(once, tmp_path / "shorter")


def assert_goes_on(where: str, data: str, once: Path, twice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        broken_off(patch, where)
        with pytest.raises(KeyboardInterrupt):
            main(["train", "small", "--data", data, "--out", str(twice)])
    assert not (twice / "small.keras").exists()
    before = len(json.loads((twice / "state.json").read_text()))
    assert before == (1 if where == "rate" else 2)
    assert main(["train", "small", "--data", data, "--out", str(twice)]) == 0
    same_log(once, twice)
    assert not list(twice.glob("part-*")) or where == "whole"


@needs_keras
@pytest.mark.usefixtures("zoo_of_one")
def test_another_training_is_not_mixed_into_one_that_was_begun(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["train", "small", "--data", data, "--out", out, "--epochs", "2"]) == 0
    assert len(log_of(tmp_path / "out")) == 2
    capsys.readouterr()
    other = SimpleNamespace(**vars(RECIPE) | {"SEED": 8})
    for recipe, said in (
        (RECIPE, "a training in other cycles is there; give the same --epochs, or another --out"),
        (other, "a training with SEED 7 is there, not 8; give another --out, or remove that folder"),
    ):
        monkeypatch.setattr(recipes, "find", lambda name, recipe=recipe: recipe)
        assert run_command(main, ["train", "small", "--data", data, "--out", out]) == 2
        assert capsys.readouterr().err == f"error: {out}: {said}\n"


@needs_keras
def test_a_lean_network_is_trained_on_features(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    backbone = write_backbone(mirror / "backbone.onnx")
    weights = weights_of(backbone, role="backbone", file="backbone.onnx")
    model = weights_of(b"not trained yet", role="model", file="small.keras", bundled=True)
    spec = InputSpec(name="data", size=(13, 13), resize=(13, 13), channels="RGB")
    card = bundled_card(format="lean", weights=(weights, model), convert={"tap": "conv_10_relu"}, input=(spec,))
    lean = {"network": lean_network, "TAP": "conv_10_relu", "VIEWS": 2, "CYCLES": ((2, 3e-3),)}
    monkeypatch.setattr(recipes, "find", lambda name: SimpleNamespace(**vars(RECIPE) | lean))
    monkeypatch.setattr("zoo.card.all_cards", lambda: {"small": card})
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    out = tmp_path / "out"
    assert main(["train", "small", "--data", data, "--out", str(out), "--mirror", str(mirror)]) == 0
    assert len(log_of(out)) == 2
    kept = sorted(path.name[-18:] for path in out.glob("features-*.npy"))
    assert kept == ["-conv_10_relu-0.npy"[-18:]] * 2 + ["-conv_10_relu-1.npy"[-18:]] * 2
    assert (out / "small.keras").stat().st_size > 1000


def lean_network() -> Any:
    import keras
    from keras import layers

    features = keras.Input((20,), name="features")
    return keras.Model(features, layers.Dense(1, activation="sigmoid", name="gender")(features), name="small")


def write_backbone(path: Path) -> bytes:
    """Write a network with a layer ``conv_10_relu`` of five maps."""
    kernel = np.random.default_rng(4).normal(size=(5, 3, 3, 3)).astype(np.float32) / 255
    onnx.save(nets.backbone(kernel, "conv_10_relu"), path)
    return path.read_bytes()


@pytest.mark.usefixtures("zoo_of_one")
def test_without_keras_it_is_one_line(
    data: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert run_command(main, ["train", "small", "--data", data]) == 3
    assert capsys.readouterr() == ("", "error: a training needs keras and tensorflow; install the extra keras\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "nobody", "--data", "utkface"], "no recipe for 'nobody'; there are c3ae-plain, "),
        (["train", "c3ae-plain", "--data", "utkface", "--epochs", "0"], "--epochs 0: a training has one at least"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(main, arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_a_network_that_begins_with_another_wants_that_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import store
    from zoo.train_command import _trained

    monkeypatch.setattr(store, "BUNDLED", tmp_path / "weights")
    with pytest.raises(BadInput, match=f"^two begins with the weights of one: train that first, into {tmp_path}/one$"):
        _trained("one", tmp_path / "two")
    for place in (tmp_path / "weights" / "one.keras", tmp_path / "one" / "best.keras"):
        place.parent.mkdir()
        place.touch()
        assert _trained("one", tmp_path / "two") == place


@pytest.mark.parametrize(
    "fields", [{"share": 0.8}, {"crops": ({"name": "near", "share": 0.5},)}, {"mean": None, "mean_image": "mean"}]
)
def test_a_recipe_learns_from_the_whole_face(data: str, tmp_path: Path, fields: dict[str, object]) -> None:
    from zoo import examples

    spec = InputSpec.model_validate(SPEC.model_dump() | fields)
    with pytest.raises(Unsupported, match="a recipe learns from the whole face in one tensor"):
        examples.load(RECIPE, spec, data, "train", tmp_path, None)


def test_the_same_faces_are_moved_anew_in_each_epoch_and_alike_in_each_training(data: str, tmp_path: Path) -> None:
    from zoo import examples

    found = examples.load(RECIPE, SPEC, data, "train", tmp_path, None)
    places = found.chosen[:5]
    plain = found.inputs(places, None)
    assert plain.shape == (5, 9, 12, 1)
    draws = [found.inputs(places, np.random.default_rng((7, epoch, 0))) for epoch in (0, 0, 1)]
    assert_array_equal(draws[0], draws[1])
    assert min(np.abs(draws[0] - other).max() for other in (draws[2], plain)) > 0.1
    assert set(found.answers) == {"gender"}
    kept = [age > 3 for age in faces.load(data, "train", SPEC).ages]
    assert_array_equal(found.chosen, np.flatnonzero(kept))
