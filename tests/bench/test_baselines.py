"""A baseline file: what goes in comes out as far as any check could tell, and it reads like a list."""

from __future__ import annotations

import json

import pytest
from bench_cases import latency_case
from check_cases import accuracy_case, limit, mae, run_record, scored, share, side, timed, times
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import baselines, sides
from bench.check.judge import judge
from bench.records import Latency, Parity, Point, Result
from converters.errors import BadInput

RESULTS = (
    timed(latency_case("opencv", batch=8), 40.123456),
    timed(latency_case("opencv", batch=16), 80.0),
    scored(accuracy_case(), share(300), mae(5.0)),
    Result(case=latency_case("openvino"), status="skipped", reason="not here"),
    timed(latency_case("onnxruntime", scenario="batch"), latency=None, points=(
        Point(batch=2, images=2, times_ms=(1.234567, 2.0), rounds=(1, 1), rate_per_s=None),
    )),
)  # fmt: skip


def written(path, results=RESULTS, **changes):
    baselines.write(path, run_record(**changes), results)
    return path


def test_a_file_is_sorted_one_case_a_line_and_says_where_it_is_of(tmp_path):
    path = written(tmp_path / "base.jsonl", limits=(limit(1.0),))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert (lines[0]["baseline"], lines[0]["host"]["cpu"]) == (1, "CPU aaaa")
    assert lines[0]["versions"] == {"onnxruntime": "1.32.0"}
    assert [next(iter(line)) for line in lines[1:5]] == ["limit", "kernel", "kernel", "network"]
    cases = [(line["case"]["backend"], line["case"]["kind"], line["case"]["batch"]) for line in lines[5:]]
    assert cases == [
        ("onnxruntime", "latency", 3),
        ("onnxruntime", "accuracy", 8),
        ("opencv", "latency", 8),
        ("opencv", "latency", 16),
        ("openvino", "latency", 3),
    ]
    again = written(tmp_path / "again.jsonl", tuple(reversed(RESULTS)), limits=(limit(1.0),))
    assert path.read_text() == again.read_text()


def test_numbers_of_a_file_are_short(tmp_path):
    text = written(tmp_path / "base.jsonl").read_text()
    assert "40.123456" not in text
    assert "1.234567" not in text
    assert "1.235" in text


def test_what_was_written_is_what_is_read_and_writing_it_again_changes_nothing(tmp_path):
    path = written(tmp_path / "base.jsonl", limits=(limit(1.0),))
    run, results = baselines.read(path)
    assert run == run_record(limits=(limit(1.0),))
    assert {result.case for result in results} == {result.case for result in RESULTS}
    assert baselines.text(run, results) == path.read_text()


def test_a_run_is_fine_beside_the_file_of_itself(tmp_path):
    path = written(tmp_path / "base.jsonl")
    assert {f.verdict for f in judge(sides.read(path), side(*RESULTS, name="now"))} <= {"ok", "open"}


MS = st.floats(1e-3, 1e5, allow_nan=False)


@settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    rounds=st.lists(st.lists(MS, min_size=1, max_size=4), min_size=1, max_size=9),
    memory=st.none() | st.floats(0, 1e5),
    far=st.floats(0, 1) | st.just(float("inf")),
    batch=st.integers(1, 999),
    reason=st.text(min_size=1, max_size=20),
)
def test_any_result_comes_back_as_near_as_four_digits(rounds, memory, far, batch, reason):
    flat = tuple(time for times_ in rounds for time in times_)
    latency = Latency(times_ms=flat, rounds=tuple(map(len, rounds)), cold_ms={"import": 1.0, "load": 2.0})
    parity = Parity(reference="Caffe \u2028 é", max_abs=far, max_rel=far)
    ok = timed(latency_case("opencv", batch=batch), latency=latency, memory_mb=memory, parity=parity)
    failed = Result(case=latency_case("opencv", batch=batch + 1), status="failed", reason=reason)
    text = baselines.text(run_record(), [ok, failed])
    found = {result.case: result for result in baselines.parse(text, "here")[1]}
    again = found[ok.case]
    assert again.latency.rounds == latency.rounds
    assert again.latency.times_ms == pytest.approx(flat, rel=6e-4)
    assert again.parity.max_rel == pytest.approx(far, rel=6e-4)
    assert found[failed.case] == failed
    assert baselines.text(run_record(), list(found.values())) == text


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda lines: [], "is empty"),
        (lambda lines: lines[1:], ":1: not a line of a baseline: the first line has no 'baseline': 1"),
        (lambda lines: [lines[0].replace('"baseline":1', '"baseline":2'), *lines[1:]], "has no 'baseline': 1"),
        (lambda lines: [*lines[:-1], lines[-1][:40]], "not a line of a baseline"),
        (lambda lines: [*lines, lines[-1]], "stands there twice"),
        (lambda lines: [*lines, '{"schema":1,"case":{},"status":"ok"}'], "not of schema 1: case.network"),
        (lambda lines: [*lines, "[]"], "list, not an object"),
        (lambda lines: [lines[0].replace('"started"', '"begun"'), *lines[1:]], "not of schema 1"),
        (lambda lines: [lines[0], '{"kernel":{}}'], "a kernel before any limit"),
    ],
)  # fmt: skip
def test_a_broken_file_is_one_line_that_says_where(tmp_path, change, wanted):
    path = written(tmp_path / "base.jsonl")
    path.write_text("".join(line + "\n" for line in change(path.read_text().splitlines())))
    with pytest.raises(BadInput) as error:
        sides.read(path)
    assert wanted in str(error.value)
    assert str(error.value).startswith(str(path))


def test_what_is_no_place_for_a_file_is_refused_and_what_was_there_stays(tmp_path):
    with pytest.raises(BadInput, match="is a folder"):
        written(tmp_path)
    with pytest.raises(BadInput, match="there is no folder"):
        written(tmp_path / "no" / "base.jsonl")
    with pytest.raises(BadInput, match="no such baseline"):
        sides.read(tmp_path / "nowhere.jsonl")


def test_times_are_not_lost_however_long_the_case(tmp_path):
    many = timed(latency_case("opencv"), latency=times(0.1, 3, rounds=30, runs=100))
    path = written(tmp_path / "base.jsonl", (many,))
    assert len(baselines.read(path)[1][0].latency.times_ms) == 3000
