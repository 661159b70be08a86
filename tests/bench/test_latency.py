"""Turns, rounds and failures of latency cases, on a backend that goes wrong on demand."""

import time
from pathlib import Path

import numpy as np
import pytest
from bench_cases import FAULTY, latency_case

from bench import latency
from bench.conditions import Conditions
from bench.process import WorkerProcess, open_worker
from bench.team import Team


@pytest.fixture(autouse=True)
def short_rounds(monkeypatch):
    monkeypatch.setattr(latency, "ROUNDS", 4)
    monkeypatch.setattr(latency, "LEAST_ROUNDS", 4)  # on a loaded machine the budget would end them before


def measured(cases, network, timeout=30):
    """Measure; only the backend that goes wrong has ``timeout`` seconds, so that a loaded machine fails no good one."""

    def start(case):
        return open_worker(case.backend, case.device, case.threads, timeout if case.backend == FAULTY else 120)

    with Team(start, lambda case: network.given(case, source=False)) as team:
        return latency.measure(cases, team, network.golden, lambda _: None, budget=0.04)


def test_an_ok_row_keeps_every_time_and_its_proof(network):
    (result,) = measured([latency_case()], network)
    assert result.status == "ok"
    assert len(result.latency.times_ms) >= 4 * latency.ROUND_RUNS
    assert min(result.latency.times_ms) >= 0.5
    assert set(result.latency.cold_ms) == {"import", "load", "first"}
    assert result.parity.reference == "numpy"
    assert result.parity.max_abs <= 1e-6
    assert result.placement == {"here": 1}


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("refuse", "skipped", "not today"),
        ("load", "failed", "cannot read this file"),
        ("wrong", "failed", "outputs differ from numpy by 0.001 at batch 3"),
        ("not a number", "failed", "outputs differ from numpy by inf"),
        ("segfault", "failed", "SIGSEGV"),
        ("object", "failed", "'prob' is no array of numbers but object"),
        ("no output", "failed", "the outputs are other; the network has prob"),
        ("nowhere", "failed", "does not say where its nodes ran but {}"),
        ("placement is None", "failed", "does not say where its nodes ran but None"),
        ("placement is a list", "failed", "does not say where its nodes ran but [1]"),
        ("placement of 0", "failed", "does not say where its nodes ran but {'here': 0}"),
        ("kill later", "failed", "out of memory"),
        ("hang", "failed", "no answer to 'run' within 5 s"),
    ],
)
def test_one_that_goes_wrong_is_one_row_and_the_other_goes_on(network, monkeypatch, tmp_path, fault, status, said):
    good = tmp_path / "good.py"
    good.write_text("import os\nos.environ['FAULT'] = ''\n" + Path(FAULTY).read_text())
    monkeypatch.setenv("FAULT", fault)
    wrong, right = measured([latency_case(), latency_case(str(good))], network, timeout=5 if fault == "hang" else 30)
    assert (wrong.status, right.status) == (status, "ok")
    assert said in wrong.reason
    assert wrong.latency is None


def test_the_distance_of_a_wrong_row_is_kept(network, monkeypatch):
    monkeypatch.setenv("FAULT", "wrong")
    (result,) = measured([latency_case()], network)
    assert result.parity.max_abs == pytest.approx(1e-3, rel=1e-3)


def test_backends_take_turns_forth_and_back_and_never_two_at_once(network, monkeypatch, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(Path(FAULTY).read_text())
    turns = []
    ask = WorkerProcess.ask

    def spy(worker, do, arrays=None, **request):
        if do == "time":
            turns.append(worker.process.pid)
            time.sleep(0)
        return ask(worker, do, arrays, **request)

    monkeypatch.setattr(WorkerProcess, "ask", spy)
    results = measured([latency_case(), latency_case(str(other))], network)
    first, second = turns[:2]
    assert [r.status for r in results] == ["ok", "ok"]
    assert turns == [first, second, second, first] * 2


def test_the_batch_size_is_the_cases_own(network, monkeypatch):
    shapes = []
    ask = WorkerProcess.ask

    def spy(worker, do, arrays=None, **request):
        shapes.extend(np.shape(a) for a in (arrays or {}).values())
        return ask(worker, do, arrays, **request)

    monkeypatch.setattr(WorkerProcess, "ask", spy)
    measured([latency_case(batch=13)], network)
    assert shapes == [(13, 3, 7, 11)]


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0.5, -0.25, 0.5], "a run of -0.25 ms"),
        ([0.5, 0.0], "a run of 0.0 ms"),
        ([float("nan")], "a run of nan ms"),
        ([float("inf"), 1.0], "a run of inf ms"),
        ([], "no run at all"),
    ],
)
def test_a_duration_that_is_none_fails_the_row_and_the_other_goes_on(network, monkeypatch, tmp_path, times, said):
    good = tmp_path / "good.py"
    good.write_text(Path(FAULTY).read_text())
    ask = WorkerProcess.ask
    first = []

    def spy(worker, do, arrays=None, **request):
        first.append(worker)
        answer, outputs = ask(worker, do, arrays, **request)
        return ({**answer, "times_ms": times} if do == "time" and worker is first[0] else answer), outputs

    monkeypatch.setattr(WorkerProcess, "ask", spy)
    wrong, right = measured([latency_case(), latency_case(str(good))], network)
    assert (wrong.status, right.status) == ("failed", "ok")
    assert wrong.reason == f"the worker answers with {said}: its clock cannot be trusted"
    assert wrong.latency is None
    assert wrong.parity is not None


def test_a_wall_clock_that_jumps_back_changes_no_time(network, monkeypatch, tmp_path):
    jumping = "import time\ntime.time = lambda hour=iter(range(10**6, 0, -1)): 3600.0 * next(hour)\n"
    backend = tmp_path / "jumping.py"
    backend.write_text(
        jumping + Path(FAULTY).read_text().replace("time.sleep(0.0005)", "time.sleep(0.0005 + 0 * time.time())")
    )
    hours = iter(range(10**6, 0, -1))
    monkeypatch.setattr(time, "time", lambda: 3600.0 * next(hours))
    (result,) = measured([latency_case(str(backend))], network)
    assert result.status == "ok"
    assert 0.5 <= min(result.latency.times_ms) <= max(result.latency.times_ms) < 60_000
    assert 0 < result.latency.cold_ms["first"] < 60_000


@pytest.mark.parametrize("module", ["latency", "worker", "process", "team", "conditions", "accuracy"])
def test_what_measures_reads_no_wall_clock(module):
    source = Path(latency.__file__).with_name(f"{module}.py").read_text()
    assert "time.time" not in source
    assert "import time" not in source
    assert "datetime" not in source


def test_the_conditions_of_every_round_are_kept_and_warned_of(network, monkeypatch):
    busy = Conditions(cpu_s=1.0, others_s=0.5)
    monkeypatch.setattr(latency, "between", lambda before, after: busy)
    (result,) = measured([latency_case()], network)
    assert [w for w in result.warnings if w.startswith("load: ")] == [
        "load: other processes took 50% of its CPUs; close them and repeat"
    ]
