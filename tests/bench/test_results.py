"""What stays on disk: whole lines, in the contract's form, also when the disk is full or a write was cut off."""

import json
import os
from pathlib import Path

import pytest
from bench_cases import latency_case
from pydantic import ValidationError

from bench import results
from bench.records import Calibration, Confusion, Fingerprint, Folds, Gap, Latency, Parity, Result, Score, Slices
from bench.results import RESULTS, ResultsFile, read_results, read_run, write_atomically
from converters.errors import BadInput


def ok(batch=1):
    return Result(
        case=latency_case("onnxruntime", batch=batch),
        status="ok",
        placement={"CPUExecutionProvider": 24},
        latency=Latency(times_ms=(1.5, 1.25), cold_ms={"import": 1, "load": 2, "first": 3}),
        memory_mb=12.5,
        parity=Parity(reference="caffe", max_abs=1e-7, max_rel=1e-6),
    )


def test_a_line_has_the_keys_of_the_contract(tmp_path):
    table = Confusion(labels=("male", "female"), counts=((3, 1), (0, 2)))
    scored = Result(
        case=latency_case("opencv", kind="accuracy", dataset="sample", split="all"),
        status="ok",
        scores=(Score(task="gender", metric="accuracy", value=0.8, ci95=(0.5, 0.9), n=6, confusion=table),),
        fingerprint=Fingerprint(split_sha256="0" * 64, n=6, label_rule="rule"),
    )
    file = ResultsFile(tmp_path, [])
    file.add([ok()])
    file.add([scored])
    timed, accurate = (json.loads(line) for line in (tmp_path / RESULTS).read_text().splitlines())
    keys = [
        "schema",
        "case",
        "status",
        "reason",
        "placement",
        "latency",
        "memory_mb",
        "parity",
        "scores",
        "fingerprint",
        "warnings",
    ]
    assert list(timed) == list(accurate) == keys
    assert timed["schema"] == 1
    assert list(timed["case"]) == [
        "network",
        "backend",
        "device",
        "precision",
        "batch",
        "threads",
        "kind",
        "dataset",
        "split",
    ]
    assert timed["latency"] == {"times_ms": [1.5, 1.25], "cold_ms": {"import": 1, "load": 2, "first": 3}}
    assert list(timed["parity"]) == ["reference", "max_abs", "max_rel"]
    wanted = ["task", "metric", "value", "ci95", "n", "confusion", "head", "decode", "derived"]
    assert list(accurate["scores"][0]) == wanted
    assert accurate["scores"][0]["confusion"] == {"labels": ["male", "female"], "counts": [[3, 1], [0, 2]]}
    assert list(accurate["fingerprint"]) == ["split_sha256", "n", "label_rule"]
    assert read_results(tmp_path) == [ok(), scored]


def test_a_score_of_before_there_were_several_heads_is_still_read(tmp_path):
    case = latency_case("opencv", kind="accuracy", dataset="sample", split="all")
    score = Score(task="gender", metric="accuracy", value=0.8, ci95=(0.5, 0.9), n=6)
    ResultsFile(tmp_path, []).add([Result(case=case, status="ok", scores=(score,))])
    line = json.loads((tmp_path / RESULTS).read_text())
    for key in ("head", "decode", "derived"):
        del line["scores"][0][key]
    (tmp_path / RESULTS).write_text(json.dumps(line) + "\n")
    (found,) = read_results(tmp_path)
    assert found.scores == (score,)
    assert (score.head, score.decode, score.derived) == (None, None, None)


def test_what_a_score_has_beyond_the_contract_comes_back(tmp_path):
    case = latency_case("opencv", kind="accuracy", dataset="sample", split="all")
    pair = {"low": (0.4, 0.1), "high": (0.9, 0.6), "n": (20, 30), "total": 2}
    score = Score(
        task="age",
        metric="cs5",
        value=0.8,
        ci95=(0.5, 0.9),
        n=6,
        groups="twelve",
        left_out={"no age": 3},
        subjects=4,
        curve=(0.5, 0.75),
        folds=Folds(mean=0.5, sd=0.1, count=2, values={"0": 0.4, "1": 0.6}),
        slices=(
            Slices(
                by="sex",
                labels=("female", "male"),
                values=(0.7, 0.3),
                gap=Gap(highest="female", lowest="male", value=0.4, interval=(0.1, 0.7)),
                **pair,
            ),
        ),
        calibration=Calibration(kind="top_label", error=0.1, claimed=0.8, observed=0.7, n=6),
    )
    ResultsFile(tmp_path, []).add([Result(case=case, status="ok", scores=(score,))])
    (found,) = read_results(tmp_path)
    assert found.scores == (score,)


def test_a_result_that_is_not_ok_says_why():
    with pytest.raises(ValidationError, match="say why"):
        Result(case=latency_case(), status="failed")


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    file = ResultsFile(tmp_path, [])
    file.add([ok(1)])
    file.add([ok(8)])
    path = tmp_path / RESULTS
    path.write_bytes(path.read_bytes()[:-20])
    assert read_results(tmp_path) == [ok(1)]


@pytest.mark.parametrize("line", ["not json", "{}", '{"schema": 1, "surprise": 2}'])
def test_any_other_broken_line_is_named(tmp_path, line):
    (tmp_path / RESULTS).write_text(ok().line() + "\n" + line + "\n" + ok(8).line() + "\n")
    with pytest.raises(BadInput, match=rf"{RESULTS}:2: not a result of schema 1"):
        read_results(tmp_path)


def test_the_last_line_of_a_case_stands(tmp_path):
    failed = Result(case=ok().case, status="failed", reason="first try")
    (tmp_path / RESULTS).write_text(failed.line() + "\n" + ok().line() + "\n")
    assert read_results(tmp_path) == [ok()]


def test_a_folder_without_a_run_is_said(tmp_path):
    with pytest.raises(BadInput, match=r"holds no run\.json"):
        read_run(tmp_path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "report.md"
    path.write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadInput, match="No space left"):
        write_atomically(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["report.md"]
    assert path.read_text() == "old"


def test_a_full_disk_keeps_whole_lines_and_rescues_the_last_result(tmp_path, monkeypatch):
    file = ResultsFile(tmp_path, [])
    file.add([ok(1)])
    (tmp_path / "rescue").mkdir()
    monkeypatch.setattr(results.tempfile, "tempdir", str(tmp_path / "rescue"))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        BadInput, match=r"No space left on device; every earlier result is kept, the latest is in"
    ) as caught:
        file.add([ok(8)])
    assert read_results(tmp_path) == [ok(1)]
    (rescued,) = (tmp_path / "rescue").iterdir()
    assert str(rescued) in str(caught.value)
    assert Result.model_validate_json(rescued.read_text()) == ok(8)
