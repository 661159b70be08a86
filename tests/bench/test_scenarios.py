"""All scenarios from end to end: planned, measured, resumed, reported; and what was before is as it was."""

import json
from typing import get_args

import pytest
from bench_cases import latency_case
from test_bench_command import bench_run, errors

from bench import scenarios
from bench.points import headline
from bench.records import Latency, Point, Result, Scenario
from bench.report.album import Album
from bench.report.flat import rows
from bench.report.scenarios import batch_rows, offline_rows, picture, server_rows, threads_rows
from bench.results import RESULTS, read_results, read_run
from bench.scenarios import offline, server

ALL = (
    "--only",
    "latency",
    "--zoo",
    "tiny",
    "--scenario",
    "single,batch,offline,server",
    "--max-batch",
    "4",
    "--budget",
    "0.1",
)


def test_the_folder_has_the_scenarios_that_a_case_may_have():
    assert set(scenarios.names()) == set(get_args(Scenario))
    assert scenarios.names()[0] == "single"
    assert scenarios.named(None) is scenarios.named("single")


def test_a_run_of_all_scenarios_has_every_case_and_a_section_for_each(tiny_zoo, tmp_path):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, *ALL, "--batch", "1,3") == 0
    results = read_results(out)
    found = [(r.case.scenario, r.case.backend, r.case.batch, r.case.dataset) for r in results]
    both = ("onnxruntime", "opencv")
    expected = [(None, b, 1, None) for b in both] + [(None, b, 3, None) for b in both]
    expected += [("batch", b, 4, None) for b in both]
    expected += [("offline", b, size, "csv") for size in (1, 3) for b in both]
    expected += [("server", b, 1, None) for b in both]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert {r.status for r in results} == {"ok"}
    assert all(bool(r.points) == (r.case.scenario is not None) for r in results)
    assert all(bool(r.latency) == (r.case.scenario is None) for r in results)
    report = (out / "report.md").read_text()
    for section in ("Latency", "Stages", "Growing batches", "Whole splits", "Requests at random times"):
        assert f"\n## {section}\n" in report
    assert "## Accuracy" not in report
    assert {"stages.png", "batches.png"} <= {path.name for path in out.iterdir()}


def test_a_line_of_single_has_no_word_of_scenarios(tiny_zoo, tmp_path):
    out = tmp_path / "out"
    assert bench_run(tiny_zoo, out, "--only", "latency", "--zoo", "tiny") == 0
    for line in (out / RESULTS).read_text().splitlines():
        assert not {"points"} & json.loads(line).keys()
        assert "scenario" not in json.loads(line)["case"]
    assert read_run(out).config.scenarios == ("single",)
    report = (out / "report.md").read_text()
    assert "## Growing batches" not in report
    assert "## Whole splits" not in report


def test_ctrl_c_keeps_what_is_measured_and_resume_measures_only_the_rest(tiny_zoo, tmp_path, monkeypatch):
    out, calls, real = tmp_path / "out", [], offline.one_pass

    def interrupted(worker, prepared, batch):
        calls.append(worker.process.pid)
        if len(set(calls)) > 1:
            raise KeyboardInterrupt
        return real(worker, prepared, batch)

    monkeypatch.setattr(offline, "one_pass", interrupted)
    assert bench_run(tiny_zoo, out, *ALL) == 130
    before = {(r.case.scenario, r.case.backend): r for r in read_results(out)}
    ok = {key for key, result in before.items() if result.status == "ok"}
    assert ok == {(s, b) for s in (None, "batch") for b in ("onnxruntime", "opencv")} | {("offline", "onnxruntime")}
    assert {r.status for key, r in before.items() if key not in ok} == {"skipped"}
    monkeypatch.setattr(offline, "one_pass", real)
    assert bench_run(tiny_zoo, out, *ALL, "--resume") == 0
    after = {(r.case.scenario, r.case.backend): r for r in read_results(out)}
    assert {r.status for r in after.values()} == {"ok"}
    assert all(after[key] == before[key] for key in ok)


def test_server_cases_of_a_network_share_their_limit_so_they_stand_or_fall_together(tiny_zoo, tmp_path, monkeypatch):
    out = tmp_path / "out"
    arguments = ("--only", "latency", "--zoo", "tiny", "--scenario", "server")
    assert bench_run(tiny_zoo, out, *arguments) == 0
    lines = (out / RESULTS).read_text().splitlines(keepends=True)
    (out / RESULTS).write_text(lines[0])
    measured, real = [], server.measure
    monkeypatch.setattr(server, "measure", lambda given: measured.extend(given.cases) or real(given))
    assert bench_run(tiny_zoo, out, *arguments, "--resume") == 0
    assert len(measured) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scenario", "batches"), "--scenario 'batches': there are single, batch, offline, server"),
        (("--scenario", "batch", "--only", "accuracy"), "--scenario batch: with --only accuracy nothing is timed"),
        (("--max-batch", "0"), "--max-batch '0': give whole numbers from 1"),
        (("--limit-ms", "0"), "--limit-ms 0: give milliseconds above 0"),
        (("--limit-ms", "nan"), "--limit-ms nan: give milliseconds above 0"),
    ],
)
def test_a_wrong_word_is_one_line(tiny_zoo, tmp_path, capsys, words, said):
    assert bench_run(tiny_zoo, tmp_path / "out", "--zoo", "tiny", *words) == 2
    (line,) = errors(capsys)
    assert said in line


def point(batch, ms, **more):
    return Point(batch=batch, images=batch, times_ms=(ms,) * 64, **more)


def result(scenario, points, status="ok", **changes):
    case = latency_case("a", scenario=scenario, **changes)
    return Result(case=case, status=status, reason=None if status == "ok" else "broke", points=tuple(points))


SWEEP = [point(1, 10, memory_mb=5.0), point(2, 12.5), point(4, 24.9)]


@pytest.mark.parametrize(
    ("points", "status", "most", "ended"),
    [
        (SWEEP, "ok", 64, "knee"),
        (SWEEP[:2], "ok", 3, "largest asked for"),
        (SWEEP[:2], "ok", 4, "memory"),
        (SWEEP[:2], "failed", 64, "failed"),
    ],
)
def test_a_sweep_has_a_row_a_size_and_says_why_it_ended(tmp_path, points, status, most, ended):
    found = batch_rows([result("batch", points, status, batch=most)])
    assert [row["ended"] for row in found] == [*[""] * (len(points) - 1), ended]
    assert [row["images/s"] for row in found] == ["100.0", "160.0", "160.6"][: len(points)]
    assert [row["gain"] for row in found] == ["-", "+60%", "+0%"][: len(points)]
    assert found[1]["batch"] == ("**2**" if ended == "knee" else "2")
    album = Album(tmp_path)
    assert picture([result("batch", points, status)], album) == "batches.png"
    album.draw()
    assert (tmp_path / "batches.png").read_bytes()[:4] == b"\x89PNG"


def test_a_split_has_a_row_with_the_share_of_the_slower_part():
    parts = [
        Point(batch=1, images=100, part="decode", times_ms=(200.0,)),
        Point(batch=1, images=1, part="inference", times_ms=(5.0,) * 4),
        Point(batch=1, images=100, part="overlapped", times_ms=(625.0,)),
    ]
    (row,) = offline_rows([result("offline", parts, batch=1, dataset="own", split="all")])
    assert (row["images/s [slowest, fastest pass]"][:5], row["decoding alone"], row["inference alone"]) == (
        "160.0",
        "500.0",
        "200.0",
    )
    assert row["of the slower"] == "80%"
    assert headline(parts) == "160.0 images/s"


def trial(rate, ms, requests=64):
    return point(1, ms, rate_per_s=rate, requests=requests, limit_ms=20.0, judged=90, service_ms=(3.0,) * 64)


def test_trials_stand_in_the_order_of_their_rates_and_the_best_is_bold():
    trials = [point(1, 3), trial(40, 21), trial(20, 11), trial(30, 19), trial(35, 19, requests=70)]
    found = server_rows([result("server", trials, batch=1)])
    assert [row["requests/s"] for row in found] == ["one after the other", "20.0", "**30.0**", "35.0", "40.0"]
    assert [row["met"] for row in found] == ["-", "yes", "yes", "no", "no"]
    assert [row["answered"] for row in found][3] == "64 of 70"
    assert {row["p99 ms"] for row in found} == {"n<662"}
    assert headline(trials) == "30.0 requests/s have p90 within 20.0 ms"
    assert headline(trials[:2]) == "no rate tried has p90 within 20.0 ms"


def timed(threads, ms, backend="a"):
    case = latency_case(backend, threads=threads)
    latency = Latency(times_ms=ms, cold_ms={}, rounds=(1,) * len(ms))
    return Result(case=case, status="ok", latency=latency)


def test_numbers_of_threads_stand_side_by_side_with_the_interval_of_their_ratio():
    slow, fast = (9.0, 9.0, 10.0, 10.0, 10.0, 11.0), (4.0, 5.0, 5.0, 5.0, 5.0, 8.0)
    results = [timed(1, slow), timed(2, fast), timed(1, (7.0,), "b"), timed(2, (3.5,), "b")]
    first, second = threads_rows(results)
    assert first["threads 1"] == "10.00 ms [9.00, 11.00]"
    assert first["threads 2"] == "5.00 ms, 2.00x [1.38, 2.25]"
    assert (second["threads 1"], second["threads 2"]) == ("7.00 ms [rounds<6]", "3.50 ms, 2.00x [rounds<6]")
    assert threads_rows(results[:3])[1]["threads 2"] == "-"
    assert threads_rows(results[:1]) == []


def test_the_flat_table_has_a_row_a_point():
    found = rows(result("batch", SWEEP))
    assert [row["point_batch"] for row in found] == [1, 2, 4]
    assert [row["p50_ms"] for row in found] == [10, 12.5, 24.9]
    assert found[1]["images_per_s"] == pytest.approx(160)
    assert {row["scenario"] for row in found} == {"batch"}
