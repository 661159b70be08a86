"""A split shared out by Ray is scored as in one process, also when an actor is killed half-way."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path

import pytest
from bench_cases import latency_case
from numpy.testing import assert_array_equal

from bench import accuracy, predictions, seats, shards
from bench.cli import main
from bench.process import open_worker
from bench.results import read_results
from bench.team import Team
from bench.types import Sample
from converters.errors import BadInput

DYING = str(Path(__file__).parent / "backends" / "dying.py")


def measured(network, split, engine, told=None, **changes):
    case = latency_case(DYING, kind="accuracy", dataset="own", split="all", **{"batch": 2, **changes})

    def start(case):  # pickled whole, since nodes do not have this file
        return open_worker(case.backend, case.device, case.threads, 30)

    with Team(start, lambda case: network.given(case, source=False)) as team:
        tell = (lambda _: None) if told is None else told.append
        return accuracy.measure(case, network, split, team, tell, lambda *_: None, engine)


def without_engine(result):
    return {key: value for key, value in json.loads(result.line()).items() if key not in ("runtime", "warnings")}


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """Return what starts an engine on two CPUs of this machine, whose workers die as often as it says."""
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    (tmp_path / "deaths").mkdir()
    monkeypatch.setattr(shards, "usable_cpus", lambda: [0, 1])

    def start(whom, times):
        monkeypatch.setenv("DYING", f"{whom}:{times}:{tmp_path / 'deaths'}")
        return shards.engine("ray", cached=False)

    return start


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD", 4)


@pytest.fixture
def with_unreadable(split, tmp_path):
    """Return the split with images that are none, so that batches have gaps."""
    (tmp_path / "text.png").write_text("I am not an image")
    none = [Sample(f"none-{n}.png", tmp_path / "text.png", 1.0, "male") for n in range(5)]
    samples = (none[0], *split.samples[:4], *none[1:], *split.samples[4:])
    return type(split)(split.dataset, split.split, split.label_rule, samples)


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("whom", ["nobody", "worker", "parent"])
def test_shards_are_scored_as_in_one_process_also_when_one_is_killed(network, with_unreadable, cluster, whom, tmp_path):
    with cluster(whom, 0):
        alone, told = measured(network, with_unreadable, accuracy.here), []
    with cluster(whom, int(whom != "nobody")) as engine:
        shared = measured(network, with_unreadable, engine, told)
    assert len(list((tmp_path / "deaths").iterdir())) == int(whom != "nobody")
    assert alone.status == "ok"
    assert without_engine(shared) == without_engine(alone)
    assert shared.warnings == alone.warnings
    assert shared.runtime == {**alone.runtime, "engine": "ray, actors of 1 CPU"}
    assert len(told) == 5  # 18 images in shards of 4
    assert told[-1] == "18/18 images"


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
def test_a_shard_that_kills_every_worker_fails_its_case_with_the_reason(network, split, cluster, tmp_path):
    with cluster("worker", 99) as engine:
        died = measured(network, split, engine)
        many = measured(network, split, engine, threads=3)
    assert (died.status, died.scores) == ("failed", ())
    assert "was begun 3 times and its worker died each time; the last: the worker was killed (SIGKILL)" in died.reason
    assert died.parity is not None
    assert many.reason == "no node of the cluster has 3 CPUs for a worker: give fewer --threads"


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
def test_a_run_on_ray_leaves_the_results_and_predictions_of_one_without(tiny_zoo, tmp_path, cluster):
    found = {}
    for engine in ("local", "ray"):
        cluster("nobody", 0)
        out = tmp_path / engine
        asked = ["--zoo", "tiny*", "--backend", "onnxruntime,opencv", "--device", "cpu", "--threads", "1", "--no-cache"]
        more = ["--data", f"csv={tiny_zoo.faces}", "--only", "accuracy", "--engine", engine, "--out", str(out)]
        assert main(["run", *asked, *more]) == 0
        results = read_results(out)
        found[engine] = [without_engine(r) for r in results], [predictions.read(out, r).heads for r in results]
    (local, heads), (ray, others) = found.values()
    assert len(local) == 4
    assert ray == local
    for (one,), (other,) in zip(heads, others, strict=True):
        assert_array_equal(one[1].gender, other[1].gender)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


STILLBORN = """
import os, sys
from pathlib import Path

deaths = Path(os.environ["STILLBORN"])
if "--mode=specific-server" in sys.orig_argv and not any(deaths.iterdir()):
    (deaths / str(os.getpid())).touch()
    os._exit(1)
"""
"""What Python reads first on the cluster: the first server that it starts for a client dies before its first line."""


@pytest.fixture
def stillborn(monkeypatch, tmp_path):
    """Make the first server that a cluster starts for a client die; return the folder that has a file for it then."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(STILLBORN)
    (tmp_path / "stillborn").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    monkeypatch.setenv("STILLBORN", str(tmp_path / "stillborn"))
    return tmp_path / "stillborn"


@pytest.fixture
def cluster_of_two(monkeypatch):
    """Return the address of a running cluster whose two nodes, both on this machine, have one CPU each."""
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "1")  # a second node on macOS
    port, client = free_port(), free_port()
    start = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus", "1", "--disable-usage-stats"]
    head = ["--head", "--port", str(port), "--ray-client-server-port", str(client), "--include-dashboard=false"]
    with tempfile.TemporaryDirectory(prefix="ray") as folder, ExitStack() as stack:  # a socket's path has to be short
        for more in ([*head, "--temp-dir", folder], ["--address", f"127.0.0.1:{port}"]):
            node = subprocess.Popen([*start, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(node.wait, 30)
            stack.callback(node.terminate)
            until = time.monotonic() + 60
            while node.poll() is None and time.monotonic() < until and not reachable(client):
                time.sleep(0.2)
        yield f"ray://127.0.0.1:{client}"


def reachable(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("small_shards")
def test_a_cluster_elsewhere_gives_the_same_scores(network, with_unreadable, stillborn, cluster_of_two, monkeypatch):
    monkeypatch.delenv("DYING", raising=False)
    alone = measured(network, with_unreadable, accuracy.here)
    with shards.engine(cluster_of_two, cached=False) as engine:
        until = time.monotonic() + 60
        while len(shards.nodes()) < 2 and time.monotonic() < until:
            time.sleep(0.2)
        found = shards.nodes()
        shared = measured(network, with_unreadable, engine)
    assert len(list(stillborn.iterdir())) >= 1  # the first server died, and another was asked for
    assert [node["CPU"] for node in found] == [1, 1]
    assert without_engine(shared) == without_engine(alone)
    assert shared.runtime["engine"] == f"{cluster_of_two}, actors of 1 CPU"


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_one_line_and_exit_3(monkeypatch, capsys, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    for limit in ("INITIAL_TIMEOUT_SEC", "MAX_TIMEOUT_SEC"):
        monkeypatch.setattr(f"ray.util.client.worker.{limit}", 0.2)
    address = f"ray://127.0.0.1:{free_port()}"
    asked = ["--only", "accuracy", "--engine", address, "--out", str(tmp_path), "--zoo", "dlib-age"]
    assert main(["run", *asked, "--backend", "onnxruntime", "--limit", "2"]) == 3
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert f"--engine {address}: no cluster: " in line
    assert "does the cluster want a token (then set RAY_AUTH_MODE=token)?" in line


@pytest.mark.parametrize("deaths", [0, 2, 3])
def test_a_cluster_is_asked_again_when_its_server_for_a_client_dies(monkeypatch, deaths):
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra ray)")
    asked, ended = [], []

    def init(**where):
        asked.append(where["address"])
        if len(asked) <= deaths:
            raise ConnectionAbortedError("Initialization failure from server:\nStarting Ray client server failed.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "shutdown", lambda: ended.append(len(asked)))
    expected = "--engine ray://there:1: its head answered, and 3 times no server for this client came up; the last: "
    outcome = pytest.raises(shards.NoRay, match=re.escape(expected)) if deaths == 3 else nullcontext()
    with outcome, shards.engine("ray://there:1", cached=False):
        assert len(asked) == deaths + 1
    assert asked == ["ray://there:1"] * min(deaths + 1, 3)
    assert ended == [1, 2, 3][: deaths + 1]


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("spark", "--engine spark: give local, ray or ray://ADDRESS"),
        ("ray://", "--engine ray://: no address after it"),
    ],
)
def test_an_engine_that_is_none_is_bad_input(engine, said):
    with pytest.raises(BadInput, match=re.escape(said)):
        shards.check(engine)


def test_without_ray_it_is_one_line_and_exit_3(monkeypatch, capsys):
    monkeypatch.setattr(shards.importlib.util, "find_spec", lambda name: None)
    assert main(["run", "--engine", "ray", "--only", "accuracy"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "error: --engine ray: Ray is not installed here: pip install 'agebench[ray]'"


def test_nothing_is_timed_beside_ray(monkeypatch, capsys):
    monkeypatch.setattr(shards.importlib.util, "find_spec", lambda name: object())
    assert main(["run", "--engine", "ray"]) == 2
    assert "give --only accuracy" in capsys.readouterr().err


def test_each_worker_of_a_node_has_cpus_of_its_own(network, monkeypatch):
    pinned = []
    monkeypatch.setattr(seats, "usable_cpus", lambda: [2, 3, 5, 7, 11])
    monkeypatch.setattr(seats.os, "sched_setaffinity", lambda _, cpus: pinned.append(cpus), raising=False)
    monkeypatch.setattr(seats, "_answered", lambda _: None)
    for place in range(3):
        seat = seats.Seat(None, "", latency_case(threads=2), network, False)
        seat.begin(place)
    assert pinned == [[2, 3], [5, 7], [2, 3]]
