"""Workers from the harness's side: answers, refusals, and every way to die."""

import gc
import math
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.testing import assert_allclose

from bench.process import WorkerFailed, open_worker
from bench.types import Unavailable
from bench.worker import timed

FAULTY = str(Path(__file__).parent / "backends" / "faulty.py")


@pytest.fixture
def feeds():
    return {"data": np.random.default_rng(7).normal(size=(2, 3, 13, 11)).astype(np.float32)}


def opened(monkeypatch, fault, device="cpu", timeout=60):
    monkeypatch.setenv("FAULT", fault)
    return open_worker(FAULTY, device, threads=1, timeout=timeout)


def load_and_run(worker, feeds):
    worker.ask("load", model="none")
    return worker.ask("run", feeds)


def test_arrays_go_there_and_back(monkeypatch, feeds):
    with opened(monkeypatch, "") as worker:
        loaded, _ = worker.ask("load", model="none")
        assert loaded["version"] == "1.0"
        assert set(loaded["cold_ms"]) == {"import", "load"}
        answer, outputs = worker.ask("run", feeds)
        assert answer["placement"] == {"here": 1}
        assert_allclose(outputs["prob"], feeds["data"][:, :2].mean(axis=(2, 3)))


def test_times_are_of_single_runs_and_at_least_as_many_as_asked(monkeypatch, feeds):
    with opened(monkeypatch, "") as worker:
        worker.ask("load", model="none")
        worker.ask("run", feeds)
        by_count, _ = worker.ask("time", count=9, seconds=0)
        by_time, _ = worker.ask("time", count=1, seconds=0.1)
    assert len(by_count["times_ms"]) == 9
    assert min(by_count["times_ms"]) >= 0.5
    assert sum(by_time["times_ms"]) >= 80
    assert by_time["memory_mb"] >= 0


def test_garbage_on_stdout_harms_nothing(monkeypatch, feeds, capfd):
    with opened(monkeypatch, "garbage") as worker:
        worker.ask("load", model="none")
        _, outputs = worker.ask("run", feeds)
        assert_allclose(outputs["prob"], feeds["data"][:, :2].mean(axis=(2, 3)))
    assert "garbage" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("load", "ValueError: cannot read this file"),
        ("segfault", "crashed (SIGSEGV)"),
        ("kill", "killed (SIGKILL), most likely out of memory; it last said: about to die"),
        ("exit", "exit code 7"),
        ("memory", "MemoryError: out of memory"),
    ],
)
def test_what_goes_wrong_is_said(monkeypatch, feeds, fault, said):
    with opened(monkeypatch, fault) as worker, pytest.raises(WorkerFailed) as caught:
        load_and_run(worker, feeds)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hanging_worker_is_given_up_on_and_ended(monkeypatch, feeds):
    with opened(monkeypatch, "hang") as worker:
        worker.ask("load", model="none")
        worker.timeout = 0.5
        with pytest.raises(WorkerFailed, match=r"no answer to 'run' within 0\.5 s"):
            worker.ask("run", feeds)
    assert worker.process.returncode == -signal.SIGKILL


def test_a_stopped_worker_that_takes_no_request_in_is_given_up_on(monkeypatch):
    with opened(monkeypatch, "", timeout=60) as worker:
        with worker.turn():
            worker.ask("load", model="none")
        worker.timeout = 0.5
        with pytest.raises(WorkerFailed, match="no answer to 'predict'"):
            worker.ask("predict", {"data": np.zeros((8, 3, 512, 512), np.float32)})


def test_ctrl_c_is_the_harness_to_handle_not_the_workers(monkeypatch, feeds):
    with opened(monkeypatch, "") as worker:
        worker.ask("load", model="none")
        os.kill(worker.process.pid, signal.SIGINT)
        worker.ask("run", feeds)


@pytest.mark.parametrize(
    ("count", "seconds", "most", "runs"),
    [(5, 0, math.inf, 5), (5, 0.035, math.inf, 7), (5, 0, 0.012, 3), (1, 0.2, 0.0, 1), (9, 0.02, 0.022, 5)],
)
def test_timing_stops_by_count_and_time_or_by_the_most_time_there_is(count, seconds, most, runs):
    clock = iter(range(0, 10**9, 2_500_000))  # each look at it takes 2.5 ms, so a run 2.5 and a whole turn 5
    made = timed(lambda feeds: feeds, {}, count, seconds, most, clock=lambda: next(clock))
    assert made == [2_500_000] * runs


def test_no_garbage_is_collected_while_runs_are_timed():
    collected = []
    gc.callbacks.append(lambda phase, _: collected.append(phase))
    junk = []

    def run(feeds):
        junk.append([[] for _ in range(2000)])
        junk[-1].append(junk[-1])
        junk.clear()
        return feeds

    try:
        run({})
        timed(run, {}, 1, 0)
        before = len(collected)
        gc.disable()
        assert len(timed(run, {}, 50, 0)) == 50
        assert not gc.isenabled()
        gc.enable()
        timed(run, {}, 50, 0)
        assert gc.isenabled()
        assert len(collected) - before <= 2 * 2 + 2  # the one full collection before each timing
    finally:
        gc.enable()
        gc.callbacks.pop()


def test_a_refused_device_is_unavailable_not_failed(monkeypatch):
    with opened(monkeypatch, "", device="cuda") as worker, pytest.raises(Unavailable, match="no GPU"):
        worker.ask("load", model="none")


def test_a_backend_that_does_not_list_the_device_refuses_it():
    own = Path(__file__).parent / "backends" / "cpu_only.py"
    with open_worker(str(own), "cuda", 1) as worker, pytest.raises(Unavailable, match="runs on cpu, not on cuda"):
        worker.ask("load", model="none")


def test_between_its_turns_a_worker_is_stopped(monkeypatch):
    with opened(monkeypatch, "") as worker:
        with worker.turn():
            worker.ask("load", model="none")
        assert psutil.Process(worker.process.pid).status() == psutil.STATUS_STOPPED
        with worker.turn():
            assert psutil.Process(worker.process.pid).status() != psutil.STATUS_STOPPED


def test_a_stopped_worker_is_ended_too(monkeypatch):
    with opened(monkeypatch, "") as worker:
        with worker.turn():
            worker.ask("load", model="none")
        pid = worker.process.pid
    assert not psutil.pid_exists(pid)


def test_a_worker_is_pinned_to_as_many_cpus_as_it_has_threads(monkeypatch):
    with opened(monkeypatch, "") as worker:
        worker.ask("load", model="none")
        assert len(os.sched_getaffinity(worker.process.pid)) == 1


def test_a_worker_does_not_outlive_a_killed_harness(tmp_path):
    script = tmp_path / "harness.py"
    script.write_text(
        "import os, signal, sys, time\n"
        "from bench.process import open_worker\n"
        f"with open_worker({FAULTY!r}, 'cpu', 1) as worker:\n"
        "    with worker.turn():\n"
        "        worker.ask('load', model='none')\n"
        "    print(worker.process.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, check=False
    )
    pid = int(done.stdout)
    end = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < end:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
