"""``python -m bench check`` from end to end: something is broken on purpose, named with exit 1, restored, and passes.

Latencies are those of the backend ``null``: scripted, so a slower machine changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from bench_cases import latency_case
from check_cases import run_record, timed, times

import zoo.card
import zoo.store
from bench import latency
from bench.cli import main
from bench.results import RESULTS, RUN, ResultsFile, read_results
from zoo.card import Card


@pytest.fixture
def measured(tiny_zoo, tmp_path, monkeypatch):
    """Return a function that measures tiny into a folder, and returns its path."""
    monkeypatch.setattr(latency, "ROUNDS", 8)
    monkeypatch.setattr(latency, "LEAST_ROUNDS", 8)

    def run(name, *words, ms=1.0, threads="1"):
        script = {"times_ms": [ms], "spread": 0.02, "seed": len(name), "golden": str(tmp_path / "golden")}
        monkeypatch.setenv("BENCH_NULL", json.dumps(script))
        out = tmp_path / name
        always = ("--out", str(out), "--zoo", "tiny", "--device", "cpu", "--budget", "0.02", "--threads", threads)
        assert main(["run", *always, *(words or ("--backend", "null", "--only", "latency"))]) == 0
        return str(out)

    return run


def regressions(capsys):
    told = json.loads(capsys.readouterr().out)
    return {(f["dimension"], f["case"]) for f in told["findings"] if f["fails"]}


def test_times_that_rise_are_named_and_times_that_are_restored_pass(measured, tmp_path, capsys):
    base = tmp_path / "baseline.jsonl"
    assert main(["check", measured("before"), "--baseline", str(base), "--update-baseline"]) == 0
    assert (
        capsys.readouterr().out.splitlines()[-1]
        == f"{base}: 1 cases of {tmp_path / 'before'}: 1 new, 0 changed, 0 gone"
    )
    slower = measured("slower", ms=1.3)
    capsys.readouterr()
    assert main(["check", slower, "--baseline", str(base), "--format", "json"]) == 1
    assert regressions(capsys) == {("latency", "tiny, null, batch 1, 1 thread")}
    assert main(["check", slower, "--baseline", str(base), "--max-slowdown", "40%"]) == 0
    restored = measured("restored")
    capsys.readouterr()
    assert main(["check", restored, "--baseline", str(base)]) == 0
    assert capsys.readouterr().out.startswith(f"check of {restored} against {base}: passed; 1")
    assert main(["check", slower, "--baseline", str(base), "--update-baseline"]) == 0
    assert "0 new, 1 changed, 0 gone" in capsys.readouterr().out
    assert main(["check", slower, "--baseline", str(base)]) == 0


@pytest.mark.slow
def test_fewer_threads_that_are_slower_are_named(measured, capsys):
    before = measured("two", threads="2")
    after = measured("one", ms=1.8)
    capsys.readouterr()
    assert main(["check", after, "--baseline", before, "--format", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    (failed,) = (finding for finding in told["findings"] if finding["fails"])
    assert failed["case"] == "tiny, null, batch 1, 1 thread [threads 2 -> 1]"
    assert "measured with another number of threads" in " ".join(f["why"] for f in told["findings"])


SCORED = ("--backend", "onnxruntime", "--only", "accuracy", "--data")


@pytest.mark.slow
def test_a_layer_too_many_and_other_preprocessing_are_named_and_restored_they_pass(
    tiny_zoo, measured, monkeypatch, capsys
):
    faces = (*SCORED, f"csv={tiny_zoo.faces}")
    before, cards = measured("before", *faces), zoo.card.all_cards()

    def now(name, card):
        for module in (zoo.card, zoo.store):
            monkeypatch.setattr(module, "all_cards", lambda: {**cards, "tiny": card})
        out = measured(name, *faces)
        capsys.readouterr()
        return main(["check", out, "--baseline", before, "--format", "json"])

    assert now("layer", one_layer_more(cards["tiny"], tiny_zoo.mirror)) == 1
    assert regressions(capsys) >= {("nodes", "tiny"), ("nodes", "tiny, onnxruntime, 1 thread, csv:all (accuracy)")}
    assert now("fed", fed_as_rgb(cards["tiny"])) == 1
    assert ("input", "tiny") in regressions(capsys)
    assert now("restored", cards["tiny"]) == 0


def one_layer_more(card: Card, mirror: Path) -> Card:
    """Return a card whose network has a ReLU after its Softmax, which changes no number."""
    net = (mirror / "tiny.prototxt").read_text() + 'layer { name: "more" type: "ReLU" bottom: "prob" top: "prob" }\n'
    (mirror / "more.prototxt").write_text(net)
    told = json.loads(card.model_dump_json(by_alias=True))
    told["weights"][0] |= {
        "file": "more.prototxt",
        "size": len(net),
        "sha256": hashlib.sha256(net.encode()).hexdigest(),
    }
    return Card.model_validate(told)


def fed_as_rgb(card: Card) -> Card:
    told = json.loads(card.model_dump_json(by_alias=True))
    told["input"][0]["channels"] = "RGB"
    return Card.model_validate(told)


@pytest.fixture
def folder(tmp_path):
    """Return a function that makes the folder of a run out of results."""

    def make(name, *results, **changes):
        out = tmp_path / name
        out.mkdir()
        (out / RUN).write_text(run_record(**changes).model_dump_json(by_alias=True))
        ResultsFile(out, list(results))
        return str(out)

    return make


CASE = latency_case("onnxruntime")


@pytest.fixture
def slower(folder):
    """Return a run, and a slower one with a new case and one too few rounds."""
    few = latency_case("opencv")
    before = folder("before", timed(CASE), timed(few, latency=times(5, 1, rounds=4)))
    return before, folder("after", timed(CASE, 7.0, seed=2), timed(few, latency=times(5, 2, rounds=4)))


def test_each_form_is_printed_or_written(slower, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    before, after = slower
    always = ["check", after, "--baseline", before]
    assert main(always) == 1
    assert "regression  latency" in capsys.readouterr().out
    assert main([*always, "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith("::error title=regression%3A latency")
    assert "**regression**" in (tmp_path / "summary.md").read_text()
    out = tmp_path / "junit.xml"
    assert main([*always, "--format", "junit", "--output", str(out)]) == 1
    assert ET.parse(out).getroot().get("failures") == "1"
    assert capsys.readouterr().out.count("\n") == 1
    assert main([*always, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["counts"]["regression"] == 1


def test_what_is_open_warns_and_fails_where_the_check_is_strict(slower, capsys):
    before, after = slower
    always = ["check", after, "--baseline", before, "--max-slowdown", "60%"]
    assert main(always) == 0
    assert "1 open" in capsys.readouterr().out
    assert main([*always, "--strict"]) == 1


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], "give a run and what to hold it against: RUN --baseline BASE; or --self-test"),
        (["AFTER"], "give a run and what to hold it against"),
        (["AFTER", "--baseline", "nowhere"], "nowhere: no such baseline"),
        (["nowhere", "--baseline", "BEFORE"], "nowhere: no such"),
        (["AFTER", "--baseline", "AFTER"], "is its own baseline"),
        (["AFTER", "--baseline", "BEFORE", "--max-slowdown", "10"], "--max-slowdown '10': is that per cent?"),
        (["AFTER", "--baseline", "BEFORE", "--max-slowdown", "0%"], "a bound is above 0"),
        (["AFTER", "--baseline", "BEFORE", "--max-memory=-1%"], "a bound is not below 0"),
        (["AFTER", "--baseline", "BEFORE", "--max-drop", "x"], "--max-drop 'x': give points of a hundred, as 0.5"),
        (["AFTER", "--baseline", "BEFORE", "--max-drop", "nan"], "--max-drop 'nan': give points"),
        (["AFTER", "--baseline", "BEFORE", "--max-nodes", "1.5"], "--max-nodes '1.5': give a whole number"),
        (["AFTER", "--baseline", "BEFORE", "--max-parity", "0.5"], "--max-parity '0.5': give a factor from 1 on"),
        (["AFTER", "--baseline", "BEFORE", "--format", "html"], "--format 'html': there are github, json, junit, text"),
        (["AFTER", "--baseline", "BEFORE", "--output", "no/such/file"], "there is no folder no/such"),
        (["AFTER", "--baseline", "BEFORE", "--update-baseline"], "is a folder; a baseline is written into a file"),
        (["AFTER", "--baseline", "OTHER"], "have no case in common"),
        (["AFTER", "--baseline", "NONE"], "none is ok in"),
        (["AFTER", "--baseline", "EMPTY"], "has no results yet"),
        (["AFTER", "--baseline", "BEFORE", "--short"], "--short is of --self-test"),
        (["AFTER", "--baseline", "BEFORE", "--self-test"], "--self-test is of this machine"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_exit_2(slower, folder, capsys, words, wanted):
    failed = timed(CASE).model_copy(update={"status": "failed", "reason": "x", "latency": None})
    places = {
        "BEFORE": slower[0],
        "AFTER": slower[1],
        "OTHER": folder("other", timed(latency_case("openvino"))),
        "NONE": folder("none", failed),
        "EMPTY": folder("empty"),
    }
    assert main(["check", *(places.get(word, word) for word in words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert wanted in line


def test_a_run_that_is_not_written_whole_is_read_as_far_as_it_goes(slower, capsys):
    before, after = slower
    path = Path(after) / RESULTS
    path.write_bytes(path.read_bytes()[:-9])
    assert len(read_results(Path(after))) == 1
    assert main(["check", after, "--baseline", before]) == 1
    assert "vanished" in capsys.readouterr().out


def test_what_is_gone_fails_unless_less_was_asked_for(folder, capsys):
    before = folder("before", timed(CASE), timed(latency_case("opencv")))
    after = folder("after", timed(CASE))
    assert main(["check", after, "--baseline", before]) == 1
    told = capsys.readouterr().out
    assert "FAILED; 1 vanished" in told
    assert "opencv" in told.partition("vanished   ")[2]
    assert main(["check", after, "--baseline", before, "--subset"]) == 0
    assert "passed; 1 vanished" in capsys.readouterr().out
    assert main(["check", before, "--baseline", after]) == 0
    assert "passed; 1 new" in capsys.readouterr().out


def test_failed_cases_that_become_a_baseline_are_told(folder, tmp_path, capsys):
    failed = timed(latency_case("opencv")).model_copy(update={"status": "failed", "reason": "x", "latency": None})
    run = folder("run", timed(CASE), failed)
    assert main(["check", run, "--baseline", str(tmp_path / "b.jsonl"), "--update-baseline"]) == 0
    assert "1 of them failed" in capsys.readouterr().out
