"""``python -m zoo verify``: the golden file is the judge, and a planted fault must not pass it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tiny import tiny_card

import zoo.verify
from converters.errors import BadInput
from converters.runtimes import RUNTIMES, available
from zoo import golden, store
from zoo.__main__ import main
from zoo.card import Card
from zoo.golden import Golden
from zoo.verify import Row, as_table, compare, summary

HERE = [name for name, version in available().items() if not version.startswith("not installed")]
PROBABILITIES = np.random.default_rng(3).dirichlet(np.ones(2), 8).astype(np.float32)
Arrays = dict[str, np.ndarray]


def perturbed(path: Path) -> bytes:
    """Make the model wrong as a converter would: the last bias a thousandth off."""
    model = onnx.load(path)
    classes = [i for i in model.graph.initializer if len(i.dims) == 1 and i.dims[0] in {2, 8}]
    bias = classes[-1]
    bias.CopyFrom(
        numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32([1e-3, *[0] * (bias.dims[0] - 1)]), bias.name)
    )
    return model.SerializeToString()


@pytest.mark.usefixtures("levi_hassner")
def test_the_zoo_gives_what_caffe_gave(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "levi-hassner-*", "--json"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if row["precision"] == "fp32"]
    planned = {(f"levi-hassner-{n}", r, b) for n in ("age", "gender") for r in RUNTIMES for b in (1, 3, 8)}
    assert {(row["network"], row["runtime"], row["batch"]) for row in rows} == planned
    assert len(rows) == len(planned)
    for row in rows:
        assert row["verdict"] == ("same" if row["runtime"] in HERE else "skipped")
        assert row["reason"] or row["max_abs"] <= 1e-5


def test_a_planted_fault_ends_with_exit_code_1(
    levi_hassner: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(perturbed(levi_hassner["gender"].model))
    right = store.built
    monkeypatch.setattr(store, "built", lambda card: wrong if card.name.endswith("gender") else right(card))
    assert main(["verify", "levi-hassner-*"]) == 1
    rows, summed = capsys.readouterr().out.split("The largest differences")
    for line in rows.splitlines()[2:-1]:
        if "skipped" not in line and " fp32 " in line:
            assert ("failed: differs from Caffe" in line) == line.startswith("levi-hassner-gender")
    lines = [line for line in summed.splitlines() if line.startswith("levi-hassner-") and " fp32 " in line]
    assert len(lines) == 2 * len(RUNTIMES)
    for line in lines:
        assert line.endswith("skipped") or line.endswith("failed") == line.startswith("levi-hassner-gender")


# --- every runtime a stand-in -----------------------------------------------------------------------------------------


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    """Return a card with golden outputs, and runtimes that say what they are told to."""
    card = tiny_card()
    sha256 = {weights.file: weights.sha256 for weights in card.graph()}
    meta = {"framework": "Caffe", "sha256": sha256}
    data = {"data": np.arange(8, dtype=np.float32).reshape(8, 1)}
    reference = Golden("tiny", data, {"prob": PROBABILITIES}, {}, meta)
    monkeypatch.setattr(golden, "load", lambda name: {"tiny": reference}[name])
    return card


def answer(feeds: Arrays) -> Arrays:
    return {"prob": PROBABILITIES[feeds["data"][:, 0].astype(int)]}


def crash(_: Path, feeds: Arrays) -> Arrays:
    raise RuntimeError("not implemented\nand a second line")


def wrong_above_batch_1(_: Path, feeds: Arrays) -> Arrays:
    return {"prob": answer(feeds)["prob"] + (len(feeds["data"]) > 1) * np.float32(2e-5)}


STAND_INS: dict[str, tuple[Callable[[Path, Arrays], Arrays], list[str], str]] = {
    "right": (lambda _, feeds: answer(feeds), ["same"] * 3, ""),
    "just right": (lambda _, feeds: {"prob": answer(feeds)["prob"] + np.float32(8e-6)}, ["same"] * 3, ""),
    "wrong above batch 1": (wrong_above_batch_1, ["same", "failed", "failed"], "differs from Caffe"),
    "crash": (crash, ["failed"] * 3, "not implemented"),
    "not a number": (lambda _, feeds: {"prob": answer(feeds)["prob"] * np.nan}, ["failed"] * 3, "not finite"),
    "another shape": (lambda _, feeds: {"prob": answer(feeds)["prob"].T}, ["failed"] * 3, "another shape"),
    "no such output": (lambda _, feeds: {"softmax": answer(feeds)["prob"]}, ["failed"] * 3, "output 'prob' is missing"),
}


@pytest.mark.parametrize(("run", "verdicts", "reason"), STAND_INS.values(), ids=STAND_INS.keys())
def test_every_case_has_its_row(
    card: Card, monkeypatch: pytest.MonkeyPatch, run: object, verdicts: list[str], reason: str
) -> None:
    monkeypatch.setattr(zoo.verify, "RUNTIMES", {"one": run, "two": run, "gone": crash})
    monkeypatch.setattr(zoo.verify, "available", lambda: {"one": "1.0", "two": "2.0", "gone": "not installed: no gone"})
    rows = list(compare(card, Path("tiny.onnx")))
    assert [(row.runtime, row.batch) for row in rows] == [(r, b) for r in ("one", "two", "gone") for b in (1, 3, 8)]
    assert [row.verdict for row in rows] == verdicts * 2 + ["skipped"] * 3
    for row in rows:
        assert row.verdict == "same" or (row.reason and "\n" not in row.reason)
        assert row.verdict != "failed" or reason in row.reason
        assert row.verdict != "skipped" or row.reason == "not installed: no gone"
    json.dumps([vars(row) for row in rows], allow_nan=False)
    assert len(as_table(rows).splitlines()) == len(rows) + 2


def test_without_any_runtime_nothing_is_verified(
    card: Card, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(zoo.verify, "available", lambda: dict.fromkeys(RUNTIMES, "not installed: no module"))
    monkeypatch.setattr("zoo.selection.graphs", lambda names: [card])
    monkeypatch.setattr(store, "built", lambda card: Path("tiny.onnx"))
    assert main(["verify", "tiny"]) == 3
    assert capsys.readouterr().err == "error: nothing was compared, since no runtime is installed\n"


YEARS = np.float32([[31.5], [2], [60], [7.25], [18], [40], [25], [52]])


@pytest.mark.parametrize(
    ("scale", "off", "verdict"),
    [(1, 9e-6, "same"), (1, 1.1e-5, "failed"), (60, 5e-4, "same"), (60, 7e-4, "failed"), (1e-3, 9e-6, "failed")],
)
def test_an_output_beyond_probabilities_is_held_to_its_own_size(
    card: Card, monkeypatch: pytest.MonkeyPatch, scale: float, off: float, verdict: str
) -> None:
    wanted = (YEARS / 60 * scale).astype(np.float32)
    reference = golden.load("tiny")
    other = Golden("tiny", reference.inputs, {"age": wanted}, {}, reference.meta)
    monkeypatch.setattr(golden, "load", lambda name: other)
    monkeypatch.setattr(zoo.verify, "RUNTIMES", {"one": lambda _, feeds: {"age": wanted[: len(feeds["data"])] + off}})
    monkeypatch.setattr(zoo.verify, "available", lambda: {"one": "1.0"})
    rows = list(compare(card, Path("tiny.onnx")))
    assert rows[2].verdict == verdict
    assert {row.batch: row.limit for row in rows} == pytest.approx(dict.fromkeys((1, 3, 8), 1e-5 * scale))
    (line,) = summary(rows).splitlines()[2:]
    assert line.split()[:4] == ["tiny", "fp32", "one", "1.0"]
    assert line.endswith("failed" if any(row.verdict == "failed" for row in rows) else "same")


def detections(batch: int) -> np.ndarray:
    """Return three detections in each picture: which one, class, score, box; boxes may reach beyond the picture."""
    rows = np.random.default_rng(8).uniform(0, 1, (8, 3, 7)).astype(np.float32) * np.float32([1, 1, 1, 5, 5, 5, 5])
    rows[..., 0], rows[..., 1] = np.arange(8)[:, None], 1
    return rows[:batch].reshape(1, 1, -1, 7)


def moved(row: int, column: int, by: float) -> Callable[[np.ndarray], np.ndarray]:
    def move(rows: np.ndarray) -> np.ndarray:
        rows[0, 0, row, column] += np.float32(by)
        return rows

    return move


OTHER_DETECTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str, str]] = {
    "the same": (lambda rows: rows, "same", ""),
    "a score, a little": (moved(1, 2, 8e-6), "same", ""),
    "a score": (moved(1, 2, 3e-5), "failed", "1.0e-05 is the limit"),
    "a box, a little": (moved(2, 4, 3e-5), "same", ""),
    "a box": (moved(2, 4, 8e-5), "failed", "is the limit"),
    "a class": (moved(0, 1, 1), "failed", "other detections (3) than those of Caffe (3)"),
    "a picture": (moved(0, 0, 1), "failed", "other detections (3) than those of Caffe (3)"),
    "one less": (lambda rows: rows[:, :, 1:], "failed", "other detections (2) than those of Caffe (3)"),
    "none": (lambda rows: rows[:, :, :0], "failed", "another shape"),
    "another shape": (lambda rows: rows[0], "failed", "another shape"),
    "not a number": (lambda rows: rows * np.nan, "failed", "not finite"),
}


@pytest.mark.parametrize(("change", "verdict", "reason"), OTHER_DETECTIONS.values(), ids=OTHER_DETECTIONS.keys())
def test_detections_have_the_same_labels_and_scores_and_boxes_by_limits_of_their_own(
    card: Card, monkeypatch: pytest.MonkeyPatch, change: Callable, verdict: str, reason: str
) -> None:
    reference = golden.load("tiny")
    other = Golden("tiny", reference.inputs, {}, {}, reference.meta, {"boxes": detections(8)})
    monkeypatch.setattr(golden, "load", lambda name: other)
    run = {"one": lambda _, feeds: {"boxes": change(detections(len(feeds["data"])))}}
    monkeypatch.setattr(zoo.verify, "RUNTIMES", run)
    monkeypatch.setattr(zoo.verify, "available", lambda: {"one": "1.0"})
    row = next(row for row in compare(card, Path("tiny.onnx")) if row.batch == 1)
    assert row.verdict == verdict
    assert reason in row.reason


def test_the_summary_names_the_row_that_is_nearest_to_its_limit() -> None:
    def row(runtime: str, batch: int, off: float | None, limit: float | None, verdict: str, output: str = "a") -> Row:
        return Row("net", output, runtime, "1.0", batch, off, off, verdict, "", limit)

    rows = [
        row("one", 1, 2e-6, 1e-5, "same"),
        row("one", 3, 1e-4, 6e-4, "same", "years"),
        row("one", 8, 3e-6, 1e-5, "same"),
        row("two", 1, 2e-4, 6e-4, "same", "years"),
        row("two", 3, None, None, "failed"),
        row("two", 8, 2e-5, 1e-5, "failed"),
        row("three", 1, None, None, "skipped"),
    ]
    found = [line.split() for line in summary(rows).splitlines()[2:]]
    assert found == [
        ["net", "fp32", "one", "1.0", "8", "a", "3.0e-06", "1.0e-05", "same"],
        ["net", "fp32", "two", "1.0", "3", "a", "failed"],
        ["net", "fp32", "three", "1.0", "1", "a", "skipped"],
    ]


def test_golden_outputs_of_other_files_are_refused(card: Card) -> None:
    other = tiny_card(caffemodel=b"other weights")
    with pytest.raises(BadInput, match=r"^tiny: its golden outputs are of "):
        list(compare(other, Path("tiny.onnx")))
