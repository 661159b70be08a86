"""Runs against each other: what is paired with what, what is refused, and what the numbers say."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from bench_cases import latency_case
from check_cases import accuracy_case, mae, run_record, scored, share, side, timed, times
from scipy.stats import norm

from bench import baselines, predictions
from bench.check.pairs import ignored, matched
from bench.cli import main
from bench.compare import markdown
from bench.compare.against import against
from bench.compare.command import as_json
from bench.compare.scores import unpaired
from bench.differences import holm, of_shares
from bench.heads import Prediction
from bench.metrics import scores
from bench.records import Result
from bench.results import RUN, ResultsFile
from bench.types import Sample, Split
from converters.errors import BadInput
from zoo.fields import Head

CASE = latency_case("onnxruntime")
FOUR, FIVE = latency_case("opencv4"), latency_case("opencv5")


def test_a_case_stands_against_itself_and_what_is_ignored_pairs_the_only_other():
    first, second = side(timed(CASE), timed(FOUR)), side(timed(FIVE), timed(CASE))
    exact = matched(first.results, second.results)
    assert [(p.first.case, p.second.case) for p in exact.pairs] == [(CASE, CASE)]
    assert (exact.first_alone, exact.second_alone) == ((FOUR,), (FIVE,))
    found = matched(first.results, second.results, ("backend",))
    assert [(p.first.case, p.second.case) for p in found.pairs] == [(CASE, CASE), (FOUR, FIVE)]
    assert found.pairs[1].words == "tiny, opencv5, batch 3, 1 thread [backend opencv4 -> opencv5]"


def test_of_several_that_could_be_partners_none_is_guessed():
    first, second = side(timed(CASE), timed(FOUR)), side(timed(FIVE))
    found = matched(first.results, second.results, ("backend",))
    assert found.pairs == ()
    assert found.several == {CASE, FOUR, FIVE}
    both = side(timed(FIVE), timed(latency_case("onnxruntime", batch=9)))
    told = against(side(timed(CASE), timed(FOUR), timed(latency_case("opencv", batch=9))), both, ("backend",), 0.05)
    assert {(a.case.split(", ")[1], a.why[:7]) for a in told.alone} == {
        (backend, "several") for backend in ("onnxruntime", "opencv4", "opencv5")
    }


@pytest.mark.parametrize(("text", "wanted"), [(None, ()), ("backend, threads", ("backend", "threads"))])
def test_what_is_ignored_is_read(text, wanted):
    assert ignored(text) == wanted


def test_what_cannot_be_ignored_is_refused():
    with pytest.raises(BadInput, match="--ignore 'network': there are backend, device, precision, threads"):
        ignored("backend,network")


@pytest.mark.parametrize(("ms", "verdict"), [(6.0, "slower"), (4.0, "faster"), (5.0, "equal")])
def test_latencies_have_ratio_interval_and_verdict(ms, verdict):
    (row,) = against(side(timed(CASE, 5.0)), side(timed(CASE, ms, seed=2)), (), 0.05).latency
    assert row.verdict == verdict
    assert row.ratio == pytest.approx(ms / 5, rel=0.03)
    assert row.interval[0] < row.ratio < row.interval[1]
    assert (row.first_ms, row.rounds) == (pytest.approx(5, rel=0.02), 12)


def test_what_differs_on_the_whole_stands_first():
    first = side(timed(FOUR, runtime={"version": "4.14.0"}), name="four")
    versions = {"onnxruntime": "1.33.0"}
    second = side(timed(FIVE, seed=2, runtime={"version": "5.0.0"}), machine="bbbb", versions=versions, name="five")
    told = against(first, second, ("backend",), 0.05)
    facts = {fact.what: (fact.first, fact.second) for fact in told.facts}
    assert facts["backend opencv4 and opencv5"] == ("4.14.0", "5.0.0")
    assert facts["onnxruntime"] == ("1.32.0", "1.33.0")
    assert facts["machine"][0].startswith("CPU aaaa")
    text = markdown.render([told])
    assert text.index("other machines: a ratio is of machine and code together") < text.index("## Latency")
    assert "tiny, opencv5, batch 3, 1 thread [backend opencv4 -> opencv5]" in text


def test_scores_of_other_images_are_refused_with_the_reason():
    first, second = side(scored(accuracy_case(), share(300))), side(scored(accuracy_case(), share(300), split="b"))
    told = against(first, second, (), 0.05)
    assert told.scores == ()
    assert "different images or labels" in told.refused[0].why
    assert "different images or labels" in markdown.render([told])


def test_scores_without_predictions_are_compared_by_intervals_and_it_says_so():
    before, after = share(300), share(260)
    first = side(scored(accuracy_case(), before, mae(5.0)), name="one")
    second = side(scored(accuracy_case(), after, mae(5.01, sd=0.2)), name="two")
    found = {row.metric: row for row in against(first, second, (), 0.05).scores}
    assert {row.how for row in found.values()} == {"not paired: one and two without predictions"}
    shares = [0.6, 0.52]
    error = np.sqrt(sum(p * (1 - p) / 500 for p in shares))
    row = found["accuracy"]
    assert row.difference.value == pytest.approx(-0.08)
    assert row.difference.interval == pytest.approx((-0.08 - 2.5758 * error, -0.08 + 2.5758 * error), abs=1e-5)
    assert row.difference.p == pytest.approx(2 * norm.sf(0.08 / error), rel=1e-3)
    assert row.p == pytest.approx(min(1, 2 * row.difference.p))
    assert row.verdict == "not enough data"
    worse = unpaired(share(200), share(300))
    assert (worse.value, worse.p < 1e-6) == (pytest.approx(-0.2), True)


GENDER = Head(task="gender", output="prob", decode="argmax", labels=("male", "female"))


def predicted(folder, wrong, case=None, n=600):
    folder.mkdir()
    sexes = [("male", "female")[i % 2] for i in range(n)]
    faces = tuple(Sample(f"{i:03}", folder / f"{i:03}", 30.0, sex) for i, sex in enumerate(sexes))
    other = {"male": "female", "female": "male"}
    said = Prediction(gender=np.array([other[s] if i in wrong else s for i, s in enumerate(sexes)]))
    result = scored(case or accuracy_case(), *scores(GENDER, said, faces))
    predictions.write(folder, result, Split("own", "all", "by hand", faces), faces, [(GENDER, said)])
    return side(result, folder=folder, name=folder.name)


def test_scores_with_predictions_are_paired_across_runs_and_backends(tmp_path):
    case = {name: accuracy_case().model_copy(update={"backend": name}) for name in ("opencv4", "opencv5")}
    first = predicted(tmp_path / "four", {1, 2, 3}, case["opencv4"])
    second = predicted(tmp_path / "five", {1, *range(100, 118)}, case["opencv5"])
    (row,) = against(first, second, ("backend",), 0.05).scores
    hits = np.ones((2, 600), dtype=bool)
    hits[0, [1, 2, 3]] = hits[1, [1, *range(100, 118)]] = False
    judge = of_shares(hits[1], hits[0])
    assert (row.how, row.verdict) == ("paired", "different")
    assert row.difference == judge
    assert row.difference.only == (2, 18)
    assert "| 18 / 2 " in markdown.render([against(first, second, ("backend",), 0.05)])
    (half,) = against(first, replace(second, folder=None), ("backend",), 0.05).scores
    assert half.how == "not paired: five without predictions"


def test_the_same_answers_on_enough_faces_are_equal(tmp_path):
    first, second = predicted(tmp_path / "a", {1}), predicted(tmp_path / "b", {1})
    (row,) = against(first, second, (), 0.05).scores
    assert (row.verdict, row.difference.value) == ("equal", 0)


def test_p_is_adjusted_over_all_rows_of_a_table():
    names = ("a", "b", "c")
    cases = [accuracy_case(network=name) for name in names]
    hits = (300, 262, 290)
    first = side(*(scored(case, share(300)) for case in cases))
    second = side(*(scored(case, share(count)) for case, count in zip(cases, hits, strict=True)))
    rows = against(first, second, (), 0.05).scores
    assert [row.p for row in rows] == pytest.approx(holm([row.difference.p for row in rows]))
    assert rows[1].p == pytest.approx(3 * rows[1].difference.p)


def test_what_else_differs_is_told_and_what_is_alike_is_not():
    first, second = side(timed(CASE)), side(timed(CASE, seed=2, memory_mb=300.0), inputs={"tiny": "9" * 64})
    told = against(first, second, (), 0.05)
    assert {(o.dimension, o.verdict) for o in told.others} == {("memory", "worse"), ("input", "worse")}
    moved = timed(FIVE, seed=2, placement={"OpenCV/CPU": 30})
    told = against(side(timed(FOUR)), side(moved), ("backend",), 0.05)
    assert {(o.dimension, o.verdict) for o in told.others} == {
        ("placement", "another backend"),
        ("nodes", "another backend"),
    }


def test_cases_without_a_number_on_one_side_have_a_reason():
    failed = Result(case=FOUR, status="failed", reason="out of memory")
    told = against(side(timed(CASE), timed(FOUR), name="a"), side(timed(CASE), failed, name="b"), (), 0.05)
    assert [(one.run, one.why) for one in told.alone] == [("a", "failed in b: out of memory")]


def test_nothing_in_common_is_one_line_that_says_what_would_help():
    with pytest.raises(BadInput, match=r"no case that is ok in both.*--ignore backend"):
        against(side(timed(FOUR)), side(timed(FIVE)), (), 0.05)


def test_json_has_all_numbers():
    told = json.loads(as_json([against(side(timed(CASE)), side(timed(CASE, seed=2)), (), 0.05)]))
    (one,) = told["comparisons"]
    assert (told["compare"], one["pairs"], one["latency"][0]["verdict"]) == (1, 1, "equal")


@pytest.fixture
def runs(tmp_path):
    """Return the folders of three runs."""
    folders = []
    for seed, ms in enumerate((5.0, 6.0, 5.0)):
        folder = tmp_path / f"run{seed}"
        folder.mkdir()
        (folder / RUN).write_text(run_record().model_dump_json(by_alias=True))
        ResultsFile(folder, [timed(CASE, latency=times(ms, seed))])
        folders.append(str(folder))
    return folders


def test_any_number_of_runs_is_held_against_the_first(runs, tmp_path, capsys):
    assert main(["compare", *runs]) == 0
    text = capsys.readouterr().out
    assert text.count("# ") - text.count("## ") == 2
    assert ("1 slower" in text, "1 equal" in text) == (True, True)
    out = tmp_path / "told.json"
    assert main(["compare", *runs, "--format", "json", "--out", str(out)]) == 0
    assert len(json.loads(out.read_text())["comparisons"]) == 2


def test_a_baseline_file_is_a_run_too(runs, tmp_path, capsys):
    baselines.write(tmp_path / "base.jsonl", run_record(), [timed(CASE, latency=times(5.0, 9))])
    assert main(["compare", str(tmp_path / "base.jsonl"), runs[1]]) == 0
    assert "1 slower" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["A"], "give a second run"),
        (["A", "nowhere"], "no such baseline"),
        (["A", "B", "--ignore", "batch"], "--ignore 'batch': there are backend"),
        (["A", "B", "--format", "pdf"], "--format 'pdf': there are md, json"),
        (["A", "B", "--max-slowdown", "5"], "--max-slowdown '5': is that per cent?"),
        (["A", "B", "--out", "no/such/file"], "there is no folder no/such"),
    ],
)
def test_bad_input_is_one_line(runs, capsys, monkeypatch, words, wanted):
    assert main(["compare", *({"A": runs[0], "B": runs[1]}.get(word, word) for word in words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert wanted in line
