"""The workers of a network: kept over its cases, fresh after a fault; what cannot be loaded is not tried again."""

from __future__ import annotations

import venv
from pathlib import Path

import numpy as np
import pytest
from bench_cases import FAULTY, latency_case

from bench import latency
from bench.process import WorkerFailed, open_worker
from bench.team import Team
from bench.types import Unavailable

LARGER_BATCH = """
import numpy as np
from bench.types import Session
DEVICES = ("cpu",)
def version():
    return "1.0"
def load(model, device, threads):
    largest = []
    def run(feeds):
        data = feeds["data"]
        largest.append(len(data))
        shift = 1.0 if len(data) > largest[0] else 0.0
        return {"prob": data[:, :2].mean(axis=(2, 3)) + np.float32(shift)}
    return Session(run, lambda: {"here": 1}, {})
"""


@pytest.fixture
def started():
    return []


def team(started, timeout=30, **options):
    def start(case):
        started.append(case.backend)
        return open_worker(case.backend, case.device, case.threads, timeout, **options)

    return Team(start, lambda case: "none")


def test_cases_of_a_backend_share_one_process_and_others_have_their_own(started, tmp_path):
    other = tmp_path / "other.py"
    other.write_text(Path(FAULTY).read_text())
    pids = {}
    with team(started) as workers:
        for batch in (1, 3, 7):
            for backend in (FAULTY, str(other)):
                with workers.turn(latency_case(backend, batch=batch)) as opened:
                    pids.setdefault(backend, set()).add(opened.worker.process.pid)
    assert started == [FAULTY, str(other)]
    assert {len(found) for found in pids.values()} == {1}
    assert len(set.union(*pids.values())) == 2


def test_after_a_fault_the_next_case_has_a_fresh_worker(started, monkeypatch, network):
    monkeypatch.setenv("FAULT", "segfault")
    with team(started) as workers:
        with pytest.raises(WorkerFailed, match="SIGSEGV"), workers.turn(latency_case()) as opened:
            opened.worker.ask("run", network.golden.cycle(3)[0])
        monkeypatch.setenv("FAULT", "")
        with workers.turn(latency_case()) as opened:
            answer, _ = opened.worker.ask("run", network.golden.cycle(3)[0])
    assert answer["placement"] == {"here": 1}
    assert started == [FAULTY, FAULTY]


@pytest.mark.parametrize(("fault", "error"), [("refuse", Unavailable), ("load", WorkerFailed)])
def test_what_cannot_be_loaded_is_not_tried_again(started, monkeypatch, fault, error):
    monkeypatch.setenv("FAULT", fault)
    with team(started) as workers:
        for batch in (1, 3):
            with pytest.raises(error), workers.turn(latency_case(batch=batch)):
                pass
    assert started == [FAULTY]


def test_a_runtime_that_is_wrong_when_a_used_network_gets_a_larger_batch_is_caught_not_timed(network, tmp_path):
    """OpenCV 5's classic engine is one; each of these batch sizes is right in a network that is fresh."""
    wrong = tmp_path / "wrong.py"
    wrong.write_text(LARGER_BATCH)
    rows = []
    with team([]) as workers:
        for batch in (2, 5):
            rows += latency.measure([latency_case(str(wrong), batch=batch)], workers, network.golden, len, budget=0.01)
    assert [row.status for row in rows] == ["ok", "failed"]
    assert "outputs differ from numpy by 1 at batch 5" in rows[1].reason
    assert rows[1].latency is None
    with team([]) as workers:
        (fresh,) = latency.measure([latency_case(str(wrong), batch=5)], workers, network.golden, len, budget=0.01)
    assert fresh.status == "ok"


def test_a_worker_under_another_interpreter_sees_our_packages_and_no_others_of_their_folder(tmp_path, monkeypatch):
    """An installed project's folder is the harness's site-packages: a worker must not find the rest there."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "stray.py").write_text("")
    backend = tmp_path / "looking.py"
    backend.write_text(
        "import importlib.util, os, sys\n"
        "import numpy as np\n"
        "from bench.types import Session\n"
        "DEVICES = ('cpu',)\n"
        "def version():\n"
        "    return ' '.join(n for n in ('zoo', 'stray', 'tests', 'bench.wire') if importlib.util.find_spec(n))\n"
        "def load(model, device, threads):\n"
        "    return Session(lambda feeds: {}, lambda: {'here': 1}, {})\n"
    )
    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    (packages,) = (tmp_path / "env").glob("lib/python*/site-packages")
    for part in Path(np.__file__).parents[1].glob("numpy*"):
        (packages / part.name).symlink_to(part)
    with open_worker(str(backend), "cpu", 1, 30, python=tmp_path / "env" / "bin" / "python") as worker:
        assert worker.ask("load", model="none")[0]["version"] == "bench.wire"


def test_options_reach_the_backend_by_name(tmp_path):
    backend = tmp_path / "choosing.py"
    backend.write_text(
        "from bench.types import Session\n"
        "DEVICES = ('cpu',)\n"
        "OPTIONS = {'engine': ('new', 'classic'), 'tf32': ('off', 'on')}\n"
        "def version():\n    return '1'\n"
        "def load(model, device, threads, engine='new', tf32='off'):\n"
        "    return Session(lambda feeds: feeds, lambda: {'here': 1}, {'engine': engine, 'tf32': tf32})\n"
    )
    with open_worker(str(backend), "cpu", 1, 30, options={"engine": "classic"}) as worker:
        worker.ask("load", model="none")
        answer, _ = worker.ask("run", {"data": np.ones((2, 3), np.float32)})
    assert answer["details"] == {"engine": "classic", "tf32": "off"}
