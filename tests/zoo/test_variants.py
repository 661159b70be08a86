"""Variants in the store: made once, whole or not at all, and told beside their network without failing it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import model, weights
from onnx import helper
from tiny import tiny_card

import zoo.verify
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from zoo import faces, golden, store, tiles, variant_verify, variants, variants_command
from zoo.__main__ import main
from zoo.card import Card
from zoo.clean import clean
from zoo.golden import Golden
from zoo.variants import VARIANTS, Calibration

pytest.importorskip("onnxruntime", reason="its tools make the variants")


def network(seed: int = 0) -> onnx.ModelProto:
    """Make a gender network as the tiny card describes it: BGR pixels (3, 7, 5) in, two probabilities out."""
    nodes = [
        helper.make_node("Conv", ["data", "kernel", "bias"], ["map"]),
        helper.make_node("Relu", ["map"], ["relu"]),
        helper.make_node("Flatten", ["relu"], ["row"]),
        helper.make_node("Gemm", ["row", "matrix"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["prob"]),
    ]
    constants = {
        "kernel": weights(4, 3, 3, 3, seed=seed) / 64,
        "bias": weights(4, seed=seed),
        "matrix": weights(4 * 5 * 3, 2, seed=seed) / 4,
    }
    return clean(model(nodes, constants, {"data": ("N", 3, 7, 5)}, {"prob": ("N", 2)}))


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    """Return a card whose network is built."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    made = tiny_card()
    path = store.model_path(made)
    path.parent.mkdir(parents=True)
    path.write_bytes(to_bytes(network()))
    monkeypatch.setattr(store, "built", lambda card: path)
    monkeypatch.setattr("zoo.card.all_cards", lambda: {"tiny": made})
    monkeypatch.setattr(tiles, "GAIN", 0)  # its convolution is too small to pay
    return made


def calibration(count: int = 8) -> Calibration:
    split = faces.chosen(None, count)
    return Calibration(f"sample all, {count} faces", faces.fingerprint(split), split)


def built(card: Card, variant: str, calibrated: Calibration | None = None) -> Path:
    if variant == "int8":
        calibrated = calibrated or calibration()
    return variants.build(card, store.model_path(card), variant, calibrated)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_lies_beside_its_network_and_says_what_it_is(card: Card, variant: str) -> None:
    assert variants.built(card, variant) is None
    path = built(card, variant)
    assert path == store.model_path(card).with_name(f"tiny.{variant}.onnx")
    assert variants.built(card, variant) == path
    said = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert said["precision"] == variant
    assert ("onnxruntime" in said) == (variant != "winograd")
    assert ("faces_sha256" in said) == (variant == "int8")
    assert variants.calibration_of(path) == ("sample all, 8 faces" if variant == "int8" else "")
    assert not list(path.parent.glob("*.part"))
    assert not list(path.parent.glob(".*lock"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_made_once(card: Card, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = built(card, variant)
    monkeypatch.setattr(variants, "_content", lambda *given: pytest.fail("made anew"))
    assert built(card, variant) == path


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("harm", ["cut short", "no seal", "seal of nonsense", "no file"])
def test_what_is_not_whole_is_made_anew_with_the_same_bytes(card: Card, variant: str, harm: str) -> None:
    path = built(card, variant)
    before = path.read_bytes()
    seal = path.with_name(f"{path.name}.seal.json")
    if harm == "cut short":
        path.write_bytes(before[:-1])
    elif harm == "no seal":
        seal.unlink()
    elif harm == "seal of nonsense":
        seal.write_text("[1]")
    else:
        path.unlink()
    assert variants.built(card, variant) is None
    assert built(card, variant).read_bytes() == before
    assert variants.built(card, variant) == path


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_up_to_date_takes_no_lock(card: Card, variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calibrated = calibration() if variant == "int8" else None
    assert variants.up_to_date(card, variant, calibrated) is None
    path = built(card, variant, calibrated)
    monkeypatch.setattr(variants, "alone", lambda *given: pytest.fail("a read-only store would refuse the lock"))
    assert variants.up_to_date(card, variant, calibrated) == built(card, variant, calibrated) == path


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_damaged_variant_is_told_once(card: Card, variant: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = built(card, variant)
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["build", "tiny", "--precision", variant, "--jobs", "1"]) == 0
    assert capsys.readouterr().err == f"{path}: damaged, so it does not count\n"


def test_other_faces_or_another_runtime_make_it_anew(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    before = built(card, "int8").read_bytes()
    after = built(card, "int8", calibration(5)).read_bytes()
    assert after != before
    assert variants.calibration_of(variants.variant_path(card, "int8")) == "sample all, 5 faces"
    half = built(card, "fp16").read_bytes()
    monkeypatch.setattr("zoo.precision.runtime_version", lambda: "9.0")
    assert built(card, "fp16").read_bytes() != half


def test_a_network_fed_less_a_mean_image_is_not_quantised(card: Card) -> None:
    spec = card.input[1].model_copy(update={"variant": None})
    other = card.model_copy(update={"input": (spec,)})
    with pytest.raises(Unsupported, match=r"^tiny: is fed less a mean image"):
        variants.build(other, store.model_path(card), "int8", calibration())


def test_where_winograd_changes_nothing_that_is_told_and_fails_nothing(
    card: Card, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tiles, "GAIN", 1.1)
    assert main(["build", "tiny", "--precision", "winograd,fp16", "--jobs", "1"]) == 0
    told = capsys.readouterr()
    assert told.err.startswith("tiny winograd: none of its convolutions would be faster")
    assert "tiny.fp16.onnx" in told.out
    assert variants.built(card, "winograd") is None


# --- what verify tells of them ----------------------------------------------------------------------------------------


@pytest.fixture
def judged(card: Card, monkeypatch: pytest.MonkeyPatch) -> Card:
    """Return the card with golden outputs of its own float32 network."""
    from converters.runtimes import run_onnxruntime

    inputs = {"data": np.random.default_rng(3).integers(0, 256, (8, 3, 7, 5)).astype(np.float32)}
    outputs = run_onnxruntime(to_bytes(network()), inputs)
    sources = {weights.file: weights.sha256 for weights in card.graph()}
    reference = Golden("tiny", inputs, outputs, {}, {"framework": "a test", "sha256": sources})
    monkeypatch.setattr(golden, "load", lambda name: reference)
    return card


def test_half_precision_is_close_and_8_bits_are_reported(judged: Card) -> None:
    built(judged, "fp16")
    built(judged, "int8")
    rows = list(variant_verify.compare(judged))
    here = [row for row in rows if row.verdict != "skipped"]
    assert {(row.precision, row.verdict) for row in here} == {("fp16", "close"), ("int8", "reported")}
    assert {row.batch for row in here} == {1, 3, 8}
    for row in here:
        assert row.limit == (pytest.approx(1e-2) if row.precision == "fp16" else None)
        assert 0 < row.max_abs < (1e-2 if row.precision == "fp16" else 0.2)


def plant(path: Path, other: onnx.ModelProto) -> None:
    """Put another network in the place of a variant, sealed."""
    path.write_bytes(to_bytes(other))
    seal = path.with_name(f"{path.name}.seal.json")
    seal.write_text(json.dumps({**json.loads(seal.read_text()), "sha256": store.sha256_of(path)}))


def test_half_precision_beyond_its_bound_is_far_but_fails_nothing(
    judged: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(built(judged, "fp16"), network(seed=9))
    assert {row.verdict for row in variant_verify.compare(judged)} <= {"far", "skipped"}
    assert main(["verify", "tiny", "--jobs", "1"]) == 0
    assert "far: half precision is expected within 1.0e-02" in capsys.readouterr().out


def test_winograd_is_held_to_the_limit_of_float32(judged: Card, capsys: pytest.CaptureFixture[str]) -> None:
    path = built(judged, "winograd")
    rows = [row for row in variant_verify.compare(judged) if row.verdict != "skipped"]
    assert {(row.precision, row.verdict, row.limit) for row in rows} == {("winograd", "same", 1e-5)}
    assert {row.batch for row in rows} == {1, 3, 8}
    off = onnx.load(path)
    matrix = next(t for t in off.graph.initializer if t.name == "matrix")
    matrix.CopyFrom(onnx.numpy_helper.from_array(1.001 * onnx.numpy_helper.to_array(matrix), "matrix"))
    plant(path, off)
    assert {row.verdict for row in variant_verify.compare(judged)} <= {"failed", "skipped"}
    assert main(["verify", "tiny", "--jobs", "1"]) == 1
    assert "winograd" in capsys.readouterr().out


def crash(model: object, feeds: object) -> dict:
    raise RuntimeError("no half here")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (crash, "no half here"),
        (
            lambda *_: {"prob": np.full((1, 1, 4, 7), np.nan, np.float32)},
            "another shape, or numbers that are not finite",
        ),
        (lambda *_: {"prob": np.zeros((3, 3), np.float32)}, "another shape, or numbers that are not finite"),
    ],
    ids=["crash", "not a number", "another shape"],
)
def test_a_variant_without_an_answer_fails(
    judged: Card, variant: str, listed: bool, run: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if listed:
        reference = golden.load("tiny")
        rows = {"prob": np.ones((1, 1, 4, 7), np.float32)}
        rows["prob"][..., 0] = np.arange(4)
        other = Golden("tiny", reference.inputs, {}, {}, reference.meta, rows)
        monkeypatch.setattr(golden, "load", lambda name: other)
    built(judged, variant)
    monkeypatch.setattr(zoo.verify, "RUNTIMES", {"onnxruntime": run})
    rows = list(variant_verify.compare(judged))
    assert {(row.verdict, row.reason) for row in rows} == {("failed", reason)}


@pytest.mark.parametrize("kept", [slice(4), slice(1, 4)])
def test_other_detections_of_a_variant_are_reported(judged: Card, kept: slice, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.ones((1, 1, 4, 7), np.float32)
    rows[..., 0] = 0
    reference = golden.load("tiny")
    other = Golden("tiny", reference.inputs, {}, {}, reference.meta, {"prob": rows})
    monkeypatch.setattr(golden, "load", lambda name: other)
    monkeypatch.setattr(zoo.verify, "RUNTIMES", {"onnxruntime": lambda *_: {"prob": rows[:, :, kept] * 2}})
    built(judged, "fp16")
    (verdict,) = {(row.verdict, row.reason[:20]) for row in variant_verify.compare(judged)}
    assert verdict == ("reported", "a list of detections")


def test_verify_ends_with_1_where_a_variant_gives_no_numbers(judged: Card, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = network()
    kernel = next(t for t in wrong.graph.initializer if "kernel" in t.name or len(t.dims) == 4)
    kernel.CopyFrom(onnx.numpy_helper.from_array(np.full(tuple(kernel.dims), np.nan, np.float32), kernel.name))
    plant(built(judged, "int8"), wrong)
    assert main(["verify", "tiny", "--jobs", "1"]) == 1
    assert "failed: another shape, or numbers that are not finite" in capsys.readouterr().out
    with pytest.raises(BadInput, match="numbers that are not finite"):
        list(variant_verify.changes(judged, store.model_path(judged), faces.chosen(None, 4)))


def test_the_score_of_each_variant_is_told_beside_that_of_float32(judged: Card) -> None:
    built(judged, "fp16")
    split = faces.chosen(None, 16)
    (row,) = variant_verify.changes(judged, store.model_path(judged), split)
    assert (row["precision"], row["task"], row["metric"], row["n"]) == ("fp16", "gender", "accuracy", 16)
    assert row["change"] == row["variant"] - row["fp32"]
    assert (row["dataset"], row["split"], row["split_sha256"]) == ("sample", "all", faces.fingerprint(split))
    assert row["calibrated_on"] == ""
    for which, (low, high) in row["ci95"].items():
        assert low <= row[which] <= high
    by_hand = 0
    for sample in split.samples:  # one image at a time, through the network itself
        (feeds,) = faces.batches(replace(split, samples=(sample,)), judged.input[0], 1)
        from converters.runtimes import run_onnxruntime

        prob = run_onnxruntime(store.model_path(judged), feeds)["prob"]
        by_hand += judged.heads[0].labels[int(prob.argmax())] == sample.gender
    assert row["fp32"] == pytest.approx(by_hand / 16)


@pytest.mark.parametrize(("output", "said"), [("map", "does not run: .*prob"), ("prob", "another shape")])
def test_a_variant_that_cannot_be_scored_is_told(judged: Card, output: str, said: str) -> None:
    pixels = ("N", 3, 7, 5)
    plant(
        built(judged, "fp16"),
        model([helper.make_node("Relu", ["data"], [output])], {}, {"data": pixels}, {output: pixels}),
    )
    with pytest.raises(BadInput, match=rf"tiny.fp16.onnx: .*{said}"):
        list(variant_verify.changes(judged, store.model_path(judged), faces.chosen(None, 4)))


def test_a_row_counts_the_faces_that_it_could_use(judged: Card) -> None:
    built(judged, "int8")
    split = faces.chosen(None, 16)
    half = tuple(replace(s, gender=None) if i % 2 else s for i, s in enumerate(split.samples))
    (row,) = variant_verify.changes(judged, store.model_path(judged), replace(split, samples=half))
    assert (row["n"], row["calibrated_on"]) == (8, "sample all, 8 faces")


def test_without_variants_nothing_is_told(judged: Card) -> None:
    assert list(variant_verify.compare(judged)) == []
    assert list(variant_verify.changes(judged, store.model_path(judged), faces.chosen(None, 4))) == []


# --- the commands -----------------------------------------------------------------------------------------------------


def test_build_and_verify_show_each_precision(judged: Card, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "tiny", "--precision", "fp32,fp16,int8", "--data", "sample", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line.split()[0]).name for line in lines] == ["tiny.onnx", "tiny.fp16.onnx", "tiny.int8.onnx"]
    told = f"sample all, 128 faces ({faces.fingerprint(faces.chosen(None, None))[:12]})"
    assert [line.partition("  calibrated on ")[2] for line in lines] == ["", "", told]
    assert variants.calibration_of(variants.variant_path(judged, "int8")) == told
    assert main(["build", "tiny", "--precision", "fp16,int8", "--data", "sample", "--jobs", "1"]) == 0
    assert [line.split("  ")[2] for line in capsys.readouterr().out.splitlines()] == ["up to date"] * 3
    assert main(["verify", "tiny", "--data", "sample", "--limit", "8", "--json", "--jobs", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    precisions = [row["precision"] for row in said["rows"]]
    assert precisions == sorted(precisions, key=["fp32", "fp16", "int8"].index)
    for row in said["rows"] + said["changes"]:
        assert row["calibrated_on"] == (told if row["precision"] == "int8" else "")
    assert {row["precision"] for row in said["changes"]} == {"fp16", "int8"}
    assert main(["verify", "tiny", "--data", "sample", "--limit", "8", "--jobs", "1"]) == 0
    before, _, scored = capsys.readouterr().out.partition("Scores of the variants on the same faces, sample:all")
    assert f"tiny int8: calibrated on {told}\n" in before
    assert f"tiny int8: calibrated on {told}\n" in scored
    assert scored.splitlines()[-1].split()[-1] == "8"


def test_calibrating_on_other_faces_is_told(judged: Card, capsys: pytest.CaptureFixture[str]) -> None:
    built(judged, "int8")
    now = variants_command.calibration(("int8",), None).told
    for told in (f"calibrated anew: was sample all, 8 faces, now {now}", f"calibrated on {now}"):
        assert main(["build", "tiny", "--precision", "int8", "--jobs", "1"]) == 0
        assert capsys.readouterr().out.splitlines()[-1].endswith(told)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["build", "tiny", "--precision", "fp12"], "--precision 'fp12': there are fp32, winograd, fp16, int8"),
        (["build", "tiny", "--data", "sample"], "--data is for calibrating int8"),
        (["build", "tiny", "--precision", "int8", "--data", "nowhere"], "no dataset 'nowhere'"),
        (["build", "tiny", "--precision", "int8", "--data", ""], "no dataset ''"),
        (["verify", "tiny", "--limit", "3"], "--limit is for --data"),
        (["verify", "tiny", "--data", ""], "no dataset ''"),
    ],
)
@pytest.mark.usefixtures("judged")
def test_arguments_that_do_not_fit_are_told(given: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        main([*given, "--jobs", "1"])
