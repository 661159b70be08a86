"""The networks of the zoo: what each card says is what its files hold, and each has golden outputs of those files.

What comes with this package is built here with every way to the outside shut.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

import zoo.store
from converters.keras import convert_network, read
from zoo import golden, graph
from zoo.card import Card, all_cards
from zoo.describe import listing
from zoo.download import Unreachable
from zoo.inspect import inspect
from zoo.verify import compare, limit_of

PARAMETERS = {
    "levi-hassner-age": 11_415_048,
    "levi-hassner-gender": 11_411_970,
    "wide-resnet-16-8": 24_463_856,
    "c3ae-v84": 48_633,
    "c3ae-v89": 53_993,
    "c3ae-plain": 36_377,
    "ror-age": 4_026_636,
    "ror-gender": 4_023_809,
    "lean-conv10": 1_983_737,
    "lean-conv13": 3_858_681,
    "lean-conv14": 4_926_713,
    "thesis-age": 2_366_725,
    "thesis-gender": 2_366_790,
    "separable-age-gender": 587_751,
    "age-resnet50": 23_587_712 + (2048 + 1) * 103,
    "age-resnet34": 21_284_672 + 2 * 8_512 + (512 + 1) * 103,
    "age-xception": 20_861_480 + (2048 + 1) * 103,
    "age-inception-resnet-v2": 54_336_736 + (1536 + 1) * 103,
    "dlib-age": 2_689_617,
    "dlib-gender": 131_538,
    "res10-ssd-face": 2_660_384,
    "yunet-face": 53_104,
}
"""Of the backbones without their tops as keras.applications counts them, with gender (2) and age (101) on top."""

C3AE_PLAIN = (896, 128, 9_248, 128, 9_248, 128, 9_248, 128, 1_056, 6_156, 13)
"""The published table, layer by layer."""

LARGEST_GOLDENS = 4_000_000
TELLING = 300
"""How often the limit fits into what the eight inputs change an output by, at least: the ages of age-resnet50, 314."""
CARDS = all_cards()
SEEDED = sorted(name for name, card in CARDS.items() if card.seeded)
BUNDLED = sorted(name for name, card in CARDS.items() if not card.seeded and all(w.bundled for w in card.graph()))


def test_every_network_has_a_card_and_says_how_large_it_is() -> None:
    assert {name: CARDS[name].parameters for name in PARAMETERS} == PARAMETERS
    assert all(card.parameters for card in CARDS.values())
    assert PARAMETERS["c3ae-plain"] == sum(C3AE_PLAIN)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_file_holds_so_many_parameters(name: str) -> None:
    import h5py

    (weights,) = CARDS[name].graph()
    counted = 0

    def count(place: str, item: object) -> None:
        nonlocal counted
        if isinstance(item, h5py.Dataset) and "seed_generator" not in place:
            counted += item.size

    with zipfile.ZipFile(zoo.store.BUNDLED / weights.file) as archive:
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))).visititems(count)
    assert counted == CARDS[name].parameters


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDED)
def test_a_bundled_architecture_holds_so_many_parameters(name: str) -> None:
    (weights,) = CARDS[name].graph()
    network = read(zoo.store.BUNDLED / weights.file)
    convert_network(network)
    made = [array for leaf in network.graph.leaves() for array in leaf.weights.handed_out().values()]
    assert sum(math.prod(array.shape) for array in made) == CARDS[name].parameters


@pytest.mark.parametrize("name", SEEDED)
def test_keras_itself_reads_the_architecture(name: str) -> None:
    keras = pytest.importorskip("keras", reason="needs the extra keras")
    (weights,) = CARDS[name].graph()
    network = keras.models.model_from_json((zoo.store.BUNDLED / weights.file).read_text(encoding="utf-8"))
    assert network.count_params() == CARDS[name].parameters
    assert network.output_names == ["pred_gender", "pred_age"]


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(CARDS) - set(BUNDLED) - set(SEEDED)))
def test_a_fetched_network_holds_so_many_parameters_and_answers_as_it_did(name: str, mirror: Path | None) -> None:
    try:
        path = zoo.store.build(CARDS[name], mirror)
    except Unreachable as error:
        pytest.skip(str(error))
    if CARDS[name].format != "lean":  # where the converter has folded what the source counts
        assert inspect(onnx.load(path)).parameters == PARAMETERS[name]
    check(CARDS[name], path)


@pytest.mark.parametrize("name", [*BUNDLED, *(pytest.param(name, marks=pytest.mark.slow) for name in SEEDED)])
def test_what_comes_with_the_package_is_built_without_a_network(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("went outside")

    for way in ("open_wheel", "from_url", "from_folder"):
        monkeypatch.setattr(zoo.store, way, refuse)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    monkeypatch.delenv("ZOO_MIRROR", raising=False)
    check(CARDS[name], zoo.store.build(CARDS[name]))


def check(card: Card, path: Path) -> None:
    """Check that the heads fit the outputs, and that every runtime answers as the source did."""
    model = onnx.load(path)
    sizes = graph.sizes(model)
    for head in card.heads:
        assert sizes[head.output] == (1, 1 if head.decode == "scalar" else len(head.labels))
    rows = list(compare(card, path))
    assert rows
    assert [row for row in rows if row.verdict == "failed"] == []
    assert {row.verdict for row in rows if row.runtime == "onnxruntime"} == {"same"}


@pytest.mark.parametrize("name", sorted(CARDS))
def test_the_golden_outputs_are_of_the_cards_files_and_fit_its_inputs_and_heads(name: str) -> None:
    card, reference = CARDS[name], golden.load(name)
    assert reference.meta["sha256"] == {weights.file: weights.sha256 for weights in card.graph()}
    spec = card.input[0]
    count = len(next(iter(reference.inputs.values())))
    assert count >= 2
    assert {key: values.shape for key, values in reference.inputs.items()} == {
        crop.name: (count, spec.depth, spec.size[1], spec.size[0]) for crop in spec.tensors
    }
    assert {head.output for head in card.heads} <= set(reference.outputs)
    for values in (*reference.outputs.values(), *reference.found.values()):
        assert np.isfinite(values).all()
        assert values.std() > 0
    for values in reference.outputs.values():
        assert (values.max(0) - values.min(0)).max() > TELLING * limit_of(values), "a constant would nearly pass"
    for head in card.heads:
        values = reference.outputs[head.output]
        assert values.shape == (count, 1 if head.decode == "scalar" else len(head.labels))
        if head.decode != "scalar":
            np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-5)
            assert (values.max(axis=1) < 1 - 1e-6).any(), "a full softmax hides any difference"


def test_the_listing_names_each_task_once() -> None:
    for row in listing(CARDS):
        tasks = row["task"].split(", ")
        assert len(set(tasks)) == len(tasks)


def test_the_golden_files_are_small_and_each_belongs_to_a_card() -> None:
    files = {path.stem: path.stat().st_size for path in golden.FOLDER.glob("*.npz")}
    assert set(files) == set(CARDS)
    assert sum(files.values()) < LARGEST_GOLDENS


def test_a_seeded_network_has_no_weights_and_no_measured_accuracy() -> None:
    assert len(SEEDED) == 4
    for name in SEEDED:
        (weights,) = CARDS[name].graph()
        text = (zoo.store.BUNDLED / weights.file).read_text(encoding="utf-8")
        assert json.loads(text)["class_name"] == "Functional"
        assert "timing only" in CARDS[name].use
        assert not CARDS[name].measured


def test_the_published_table_of_resnet50_has_true_ages_in_columns() -> None:
    (claim,) = CARDS["age-resnet50"].published
    np.testing.assert_allclose(np.sum(claim.confusion, axis=0), 1, atol=0.0025)
    assert abs(np.sum(claim.confusion, axis=1) - 1).max() > 0.1


@pytest.mark.parametrize("name", ["c3ae-v84", "c3ae-v89"])
def test_the_three_crops_of_c3ae_go_from_the_widest_to_the_narrowest(name: str) -> None:
    (spec,) = CARDS[name].input
    assert [crop.name for crop in spec.tensors] == ["input_2", "input_3", "input_4"]
    shares = [crop.share for crop in spec.tensors]
    assert shares == sorted(shares, reverse=True)
    reference = golden.load(name)
    assert len({values.tobytes() for values in reference.inputs.values()}) == 3, "swapped inputs must show"
