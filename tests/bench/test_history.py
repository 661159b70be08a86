"""Runs in one file: nothing twice, nothing mixed up between writers, machines or images, and steps where they are."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from history_cases import CASE, NAME, SCORED, folder, folders, record, scored, timed
from numpy.testing import assert_allclose

from bench import run as running
from bench.cli import main
from bench.history import file, shown, steps
from bench.history.numbers import name_of, numbers_of
from bench.history.series import changed, series_of
from bench.records import Point, Result
from bench.statistics import median_interval

ROOT = Path(__file__).parents[2]


def history(capsys, *words):
    """Run ``bench history`` and return what it printed on stdout."""
    assert main(["history", *map(str, words)]) == 0
    return capsys.readouterr().out


def refused(capsys, *words):
    """Return the one line that ``bench history`` refuses with."""
    assert main(["history", *map(str, words)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    return said[0]


def dump(path):
    """Return all that a SQLite file holds."""
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


# Numbers


def test_a_name_tells_all_cases_apart():
    cases = [
        CASE,
        *(CASE.model_copy(update={field: other}) for field, other in (
            ("network", "tiny@rgb"), ("backend", "opencv"), ("device", "cuda"), ("precision", "int8"), ("batch", 11),
            ("threads", 1), ("scenario", "offline"), ("kind", "accuracy"), ("dataset", "own"),
        )),
    ]  # fmt: skip
    assert len({name_of(case) for case in cases}) == len(cases)
    assert name_of(CASE) == NAME
    assert name_of(SCORED) == "tiny/onnxruntime/cpu/fp32/batch-8/threads-2/accuracy/own:all"


def test_a_latency_is_its_median_with_the_interval_of_its_rounds():
    result = timed(4.6, seed=3)
    (number,) = numbers_of(result)
    assert result.latency is not None
    assert number.value == np.median(result.latency.times_ms)
    assert (number.low, number.high) == median_interval(result.latency.times_ms, result.latency.by_round())
    assert (number.unit, number.n, number.data) == ("ms", 45, "")


def test_a_score_says_which_images_it_is_of():
    (number,) = numbers_of(scored(5.5))
    assert (number.measure, number.unit, number.value) == ("age mae (age)", "years", 5.5)
    assert (number.low, number.high) == (5.3, 5.8)
    assert number.data == f"{'7' * 64} 13 whole"


def test_what_was_not_measured_has_no_number():
    assert not list(numbers_of(Result(case=CASE, status="skipped", reason="out of reach")))


@pytest.mark.parametrize(
    ("points", "measure", "value"),
    [
        ([Point(batch=8, images=13, times_ms=(130.0, 260.0, 130.0), part="overlapped")], "images/s", 100.0),
        ([Point(batch=1, images=1, times_ms=(2.0,)), Point(batch=2, images=2, times_ms=(4.0,))], "images/s", 500.0),
        (
            [
                Point(batch=1, images=1, times_ms=(2.0,) * 700, requests=700, judged=99, limit_ms=5.0, rate_per_s=70.0),
                Point(batch=1, images=1, times_ms=(9.0,) * 700, requests=700, judged=99, limit_ms=5.0, rate_per_s=90.0),
            ],
            "requests/s",
            70.0,
        ),
    ],
    ids=["offline", "batch", "server"],
)
def test_a_scenario_has_its_own_number(points, measure, value):
    (number,) = numbers_of(Result(case=CASE, status="ok", points=tuple(points)))
    assert (number.unit, number.value) == (measure, value)


# The file


def test_the_same_run_twice_changes_nothing(tmp_path, capsys):
    run = folder(tmp_path / "run", record(), [timed(4.6), scored(5.5)])
    first = file.add(tmp_path / "h.db", run)
    before = dump(tmp_path / "h.db")
    second = file.add(tmp_path / "h.db", run)
    assert (first.new, first.changed, first.total) == (2, 0, 2)
    assert (second.run, second.new, second.changed) == (first.run, 0, 0)
    assert dump(tmp_path / "h.db") == before
    assert "all known already" in str(second)


def test_a_run_that_was_gone_on_with_is_the_same_run_with_more_cases(tmp_path):
    skipped = Result(case=CASE, status="skipped", reason="stopped before it was measured")
    stopped = folder(tmp_path / "stopped", record(), [scored(5.5), skipped])
    run = record()
    later = run.model_copy(update={"host": {**run.host, "load": 7.0}, "models": {**run.models, "new": {"onnx": "1"}}})
    whole = folder(tmp_path / "whole", later, [scored(5.5), timed(4.6)])
    first, second = (file.add(tmp_path / "h.db", one) for one in (stopped, whole))
    assert first.run == second.run
    assert (second.new, second.changed) == (0, 1)
    runs, entries = file.read(tmp_path / "h.db")
    assert list(runs.values()) == [later]
    assert {entry.status for entry in entries} == {"ok"}


@pytest.mark.parametrize("changes", [{"git_commit": "d" * 40}, {"versions": {"numpy": "2.2.0"}}, {"number": 1}])
def test_another_run_has_another_id(changes):
    number = changes.pop("number", 0)
    assert file.run_id(record(number, **changes)) != file.run_id(record())


def test_a_history_keeps_what_the_folder_held(tmp_path):
    run, results = record(), [timed(4.6), scored(5.5)]
    file.add(tmp_path / "h.db", folder(tmp_path / "run", run, results))
    with sqlite3.connect(tmp_path / "h.db") as connection:
        kept = [Result.model_validate_json(line) for (line,) in connection.execute("SELECT result FROM results")]
    assert sorted(kept, key=str) == sorted(results, key=str)
    assert next(iter(file.read(tmp_path / "h.db")[0].values())) == run


WRITER = """
import sys
from pathlib import Path
from bench.history import file
print("ready", flush=True)
sys.stdin.readline()
for folder in sys.argv[2:]:
    file.add(Path(sys.argv[1]), Path(folder))
"""


def test_several_processes_write_at_once(tmp_path):
    """Five begin at the same moment, on a file that is not there yet; every two of them add one run in common."""
    made = folders(tmp_path / "runs", np.linspace(4, 5, 25), {})
    path = tmp_path / "h.db"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), *map(str, made[5 * n : 5 * n + 6])],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for n in range(5)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert (writer.returncode, errors) == (0, "")
    together = file.read(path)
    for one in made:
        file.add(tmp_path / "alone.db", one)
    assert together == file.read(tmp_path / "alone.db")
    assert len(together[0]) == 25
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_writer_that_is_broken_off_leaves_no_part_of_a_run(tmp_path, monkeypatch):
    file.add(tmp_path / "h.db", folder(tmp_path / "one", record(0), [timed(4.6)]))
    before = dump(tmp_path / "h.db")

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(file, "numbers_of", stop)
    with pytest.raises(KeyboardInterrupt):
        file.add(tmp_path / "h.db", folder(tmp_path / "two", record(1), [timed(4.7)]))
    assert dump(tmp_path / "h.db") == before


def test_a_later_schema_is_refused(tmp_path, capsys):
    file.add(tmp_path / "h.db", folder(tmp_path / "run", record(), [timed(4.6)]))
    with sqlite3.connect(tmp_path / "h.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (file.SCHEMA,)
        connection.execute(f"PRAGMA user_version = {file.SCHEMA + 1}")
    before = dump(tmp_path / "h.db")
    assert "is of schema 2, and this version knows up to 1" in refused(capsys, "--history", tmp_path / "h.db")
    assert "schema 2" in refused(capsys, "--history", tmp_path / "h.db", "--add", tmp_path / "run")
    assert dump(tmp_path / "h.db") == before


def test_what_is_no_history_is_refused_and_left_as_it_is(tmp_path, capsys):
    (tmp_path / "text").write_text("no database, " * 99)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (a)")
    before = other.read_bytes()
    assert "not a database" in refused(capsys, "--history", tmp_path / "text")
    assert "something else" in refused(capsys, "--history", other)
    assert "no such file" in refused(capsys, "--history", tmp_path / "none.db")
    assert "holds no run.json" in refused(capsys, "--history", tmp_path / "new.db", "--add", tmp_path)
    assert refused(capsys, "--history", tmp_path)
    assert other.read_bytes() == before
    assert (tmp_path / "text").read_text() == "no database, " * 99
    assert not (tmp_path / "none.db").exists()


def test_a_run_is_kept_as_it_is_made(tiny_zoo, tmp_path, capsys):
    words = ["run", "--zoo", "tiny", "--backend", "onnxruntime", "--data", f"csv={tiny_zoo.faces}", "--budget", "0.01"]
    path = tmp_path / "h.db"
    assert main([*words, "--out", str(tmp_path / "out"), "--history", str(path)]) == 0
    assert "2 cases, 2 new" in capsys.readouterr().out
    listed = history(capsys, "--history", path)
    assert "tiny/onnxruntime/cpu/fp32/batch-1/" in listed
    assert "gender accuracy (prob)" in listed
    assert file.add(path, tmp_path / "out").new == 0


def test_a_run_is_not_begun_for_a_history_that_cannot_be(tiny_zoo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(running, "run", lambda request: pytest.fail("it was begun"))
    (tmp_path / "h.db").write_text("no database" * 99)
    assert main(["run", "--zoo", "tiny", "--history", str(tmp_path / "h.db"), "--out", str(tmp_path / "out")]) == 2
    assert "--history" in capsys.readouterr().err


# Steps


def noisy(seed, count, kind="normal"):
    generator = np.random.default_rng([seed, count])
    noise = generator.normal(size=count) if kind == "normal" else generator.standard_t(3, size=count)
    return 4.6 * np.exp(0.02 * noise)


@pytest.mark.parametrize("at", [3, 11, 17])
@pytest.mark.parametrize("ratio", [1.15, 0.87])
def test_a_step_is_found_within_one_run(at, ratio):
    for seed in range(7):
        values = noisy(seed, 20)
        values[at:] *= ratio
        (found,) = steps.steps(values, "ms")
        assert abs(found - at) <= 1


def test_two_steps_are_found():
    values = noisy(5, 31)
    values[9:22] *= 1.2
    found = steps.steps(values, "ms")
    assert_allclose(found, [9, 22], atol=1)


@pytest.mark.parametrize("kind", ["normal", "heavy"])
@pytest.mark.parametrize(("count", "series"), [(7, 100), (20, 100), (60, 60)])
def test_noise_is_no_step(kind, count, series):
    alarms = sum(bool(steps.steps(noisy(seed, count, kind), "ms")) for seed in range(series))
    assert alarms <= 0.05 * series


def test_a_run_or_two_apart_are_no_step():
    for at in (0, 8, 9, 16):
        values = noisy(2, 17)
        values[at] *= 2
        assert steps.steps(values, "ms") == []
        values[min(at + 1, 15)] *= 2
        assert [place for place in steps.steps(values, "ms") if 3 < place < 14] == []


@pytest.mark.parametrize("count", range(6))
def test_too_few_runs_have_no_step(count):
    assert steps.steps([1.0, 1.0, 1.0, 9.0, 9.0, 9.0][:count], "ms") == []


def test_a_score_without_noise_has_a_step_where_it_changes_at_all():
    values = [5.6024] * 6 + [5.6101] * 4
    assert steps.steps(values, "years") == [6]
    assert steps.steps([0.5] * 9, "share") == []
    assert steps.steps([0.0] * 5 + [0.25] * 4, "share") == [5]
    assert steps.steps([4.600, 4.601] * 5, "ms") == []


@pytest.mark.parametrize(("unit", "by"), [("ms", 0.25), ("share", 1.0), ("years", 1.0)])
def test_a_change_is_relative_for_times_alone(unit, by):
    assert changed(4.0, 5.0, unit) == by


# What is shown


@pytest.fixture
def stepped(tmp_path):
    """Return a history of 14 runs whose ninth is the first of a slower level, from another commit and runtime."""
    versions = {"numpy": "2.1.0", "onnxruntime": "1.31.0"}
    middles = np.where(np.arange(14) < 8, 4.6, 5.3) * np.exp(0.004 * np.random.default_rng(3).normal(size=14))
    for one in folders(tmp_path / "runs", middles, {8: {"git_commit": "d" * 40, "versions": versions}}):
        file.add(tmp_path / "h.db", one)
    return tmp_path / "h.db"


def test_a_step_is_told_with_what_changed(stepped, capsys):
    said = history(capsys, "tiny*onnxruntime*", "--history", stepped)
    runs = list(file.read(stepped)[0])
    (marked,) = [line for line in said.splitlines() if "▲ step" in line]
    assert marked.startswith(f"| {runs[8][:8]}")
    (told,) = [line for line in said.splitlines() if line.startswith("Step of p50")]
    assert "commit cccccccccc → dddddddddd; onnxruntime 1.30.0 → 1.31.0." in told
    assert "+15." in told
    assert sum(line.startswith("| ") and "ms" in line for line in said.splitlines()) == 14


def test_a_step_without_a_change_says_so(tmp_path, capsys):
    for one in folders(tmp_path / "runs", [4.6] * 7 + [5.3] * 7, {}):
        file.add(tmp_path / "h.db", one)
    assert shown.NOTHING in history(capsys, NAME, "--history", tmp_path / "h.db")


def test_json_has_the_points_and_the_step(stepped, capsys):
    said = json.loads(history(capsys, "latency", "--history", stepped, "--json"))
    (case,) = said["cases"]
    (series,) = case["series"]
    assert (case["case"], said["runs"], len(series["points"])) == (NAME, 14, 14)
    (step,) = series["steps"]
    assert step["run"] == series["points"][8]["run"]
    assert step["after"] == series["points"][7]["run"]
    assert_allclose(step["change"], step["new"] / step["old"] - 1)
    low, high = series["points"][0]["ci95"]
    assert low <= series["points"][0]["value"] <= high


def test_another_machine_begins_another_series(tmp_path, capsys):
    """A change of machine in the middle is no step of either, though all numbers change."""
    other = {"host": {"fingerprint": "b" * 16, "cpu": "another", "python": "3.12.1", "load": 0}}
    for one in folders(tmp_path / "runs", [4.6] * 7 + [9.2] * 6, {7: other}):
        file.add(tmp_path / "h.db", one)
    runs, entries = file.read(tmp_path / "h.db")
    found = series_of(entries, runs)
    assert [(one.host[0], len(one.points), one.steps(runs)) for one in found] == [("a", 7, []), ("b", 6, [])]
    said = history(capsys, NAME, "--history", tmp_path / "h.db")
    assert "Machine aaaaaaaa (a processor), 7 runs" in said
    assert "Machine bbbbbbbb (another), 6 runs" in said
    assert "step" not in said


def test_other_images_begin_another_series(tmp_path):
    for number in range(7):
        results = [scored(5.5, split_sha256="7" * 64 if number < 3 else "8" * 64)]
        file.add(tmp_path / "h.db", folder(tmp_path / str(number), record(number), results))
    runs, entries = file.read(tmp_path / "h.db")
    assert [len(one.points) for one in series_of(entries, runs)] == [3, 4]


def test_what_has_no_number_is_told_all_the_same(tmp_path, capsys):
    failed = Result(case=CASE, status="failed", reason="outputs differ by 7")
    never = Result(case=SCORED, status="skipped", reason="out of reach")
    file.add(tmp_path / "h.db", folder(tmp_path / "0", record(0), [timed(4.6), never]))
    file.add(tmp_path / "h.db", folder(tmp_path / "1", record(1), [failed, never]))
    assert "failed: outputs differ by 7" in history(capsys, "latency", "--history", tmp_path / "h.db")
    listed = history(capsys, "--history", tmp_path / "h.db")
    assert "skipped: out of reach" in listed
    said = json.loads(history(capsys, "--history", tmp_path / "h.db", "--json"))
    reasons = {case["case"]: [one["reason"] for one in case["without_a_number"]] for case in said["cases"]}
    assert reasons == {NAME: ["outputs differ by 7"], name_of(SCORED): ["out of reach"] * 2}


def test_a_case_that_is_not_there_is_refused_with_those_that_are(stepped, capsys):
    assert f"no case 'nobody' in this history; there are: {NAME}" in refused(capsys, "nobody", "--history", stepped)


@pytest.mark.parametrize(
    ("values", "line"),
    [([1, 2, 3], "▁▅█"), ([7, 7], "▄▄"), ([], ""), ([3, 1, float("nan")], "█▁"), ([0] * 50 + [1], "▁" * 39 + "█")],
)
def test_bars(values, line):
    assert shown.bars(values) == line


# For other programs


def test_a_table_comes_back_as_it_was(stepped, tmp_path, capsys):
    never = Result(case=SCORED, status="skipped", reason="out of reach")
    file.add(stepped, folder(tmp_path / "more", record(99), [timed(6.6), never]))
    history(capsys, "--history", stepped, "--export", tmp_path / "h.parquet")
    table = pd.read_parquet(tmp_path / "h.parquet")
    runs, entries = file.read(stepped)
    assert len(table) == 16
    numbers = [(e.run, e.name, n.measure, n.value, n.low, n.high, n.n) for e in entries for n in e.numbers]
    kept = table[table.status == "ok"]
    columns = ["run", "case", "measure", "value", "low", "high", "n"]
    assert [tuple(row) for row in kept[columns].itertuples(index=False)] == numbers
    (without,) = table[table.status == "skipped"].to_dict("records")
    assert (without["case"], without["reason"]) == (name_of(SCORED), "out of reach")
    assert pd.isna(without["value"])
    assert list(table.started.unique()) == [pd.Timestamp(r.started) for r in runs.values()]


@pytest.mark.parametrize(("ending", "begin"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_picture_is_the_same_every_time(stepped, tmp_path, capsys, ending, begin):
    for name in ("one", "two"):
        history(capsys, "--history", stepped, "--picture", tmp_path / f"{name}.{ending}")
    content = (tmp_path / f"one.{ending}").read_bytes()
    assert content.startswith(begin)
    if ending == "png":
        assert content == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize(("option", "name"), [("--export", "h.csv"), ("--picture", "h.pdf")])
def test_other_endings_are_refused(stepped, tmp_path, capsys, option, name):
    assert "that ends in" in refused(capsys, "--history", stepped, option, tmp_path / name)


@pytest.mark.parametrize(("missing", "words"), [("ruptures", [NAME]), ("pyarrow", ["--export", "h.parquet"])])
def test_what_is_not_installed_is_one_line(stepped, capsys, monkeypatch, tmp_path, missing, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, missing, None)
    assert "pip install 'agebench[history]'" in refused(capsys, *words, "--history", stepped)
