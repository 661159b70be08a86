"""A pass over many images: what is ahead is bounded, batches keep their place, and what is known is not run again."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from bench_cases import FAULTY, latency_case
from numpy.testing import assert_array_equal

import zoo.store
from bench import accuracy, inference
from bench.cli import main
from bench.inference import Feeder, predict, together_again
from bench.process import WorkerFailed, WorkerProcess, open_worker
from bench.results import read_results
from bench.team import Team
from bench.types import Sample


class Answering:
    """A worker that answers the means of blue and green at once, and keeps what it was asked."""

    def __init__(self, asking=lambda: None):
        self.asked = []
        self.asking = asking

    def ask(self, do, arrays):
        self.asking()
        self.asked.append(arrays["data"])
        return {}, {"prob": arrays["data"][:, :2].mean(axis=(2, 3))}


@pytest.fixture
def asked(monkeypatch):
    """Return what every worker is asked to do, as it is asked."""
    found, ask = [], WorkerProcess.ask

    def spy(worker, do, *more, **named):
        found.append(do)
        return ask(worker, do, *more, **named)

    monkeypatch.setattr(WorkerProcess, "ask", spy)
    return found


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))


@pytest.fixture
def files(network, tmp_path):
    """Return the network with a file that can be hashed."""
    (tmp_path / "a.onnx").write_bytes(b"the network")
    return replace(network, model=tmp_path / "a.onnx")


def measured(network, split, cached=True, **changes):
    case = latency_case(kind="accuracy", dataset="own", split="all", **changes)
    with Team(lambda _: open_worker(FAULTY, "cpu", 1, 30), lambda case: network.given(case, source=False)) as team:
        engine = lambda *given: accuracy.here(*given, cached=cached)  # noqa: E731
        return accuracy.measure(case, network, split, team, lambda _: None, lambda *_: None, engine)


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_batches_keep_their_place_whatever_cannot_be_read(network, split, tmp_path, batch):
    gone = Sample("gone.png", tmp_path / "gone.png", 1.0, "male")
    samples = [gone, *split.samples[:4], gone, gone, gone, gone, gone, gone, *split.samples[4:]]
    worker, told = Answering(), []
    found = predict(worker, accuracy.feeder(network), samples, batch, told.append)
    assert [s.name for s in found.read] == [s.name for s in split.samples]
    assert len(found.left) == 7
    assert told[-1] == "20/20 images"
    batches = [samples[first : first + batch] for first in range(0, 20, batch)]
    readable = [[s for s in one if s is not gone] for one in batches]
    wanted = [len(one) for one in readable if one]
    assert [len({row.tobytes() for row in one}) for one in worker.asked] == wanted
    assert {len(one) for one in worker.asked} == {batch}
    whole = predict(Answering(), accuracy.feeder(network), split.samples, 13, told.append)
    assert_array_equal(found.outputs["prob"], whole.outputs["prob"])


@pytest.mark.parametrize(("batch", "cpus"), [(1, 1), (4, 1), (4, 3)])
def test_prepared_images_in_flight_are_bounded_however_many_there_are(network, split, monkeypatch, batch, cpus):
    monkeypatch.setattr(inference, "cpus_left", lambda threads: [0] * cpus)
    lock, alive, most = threading.Lock(), 0, 0
    tensors = Feeder.tensors

    def counted(feeder, image, box=None):
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return tensors(feeder, image)

    def taken():
        nonlocal alive
        time.sleep(0.002)  # a network that takes longer than its images do
        with lock:
            alive -= batch

    monkeypatch.setattr(Feeder, "tensors", counted)
    samples = split.samples * 20
    predict(Answering(taken), accuracy.feeder(network), samples[: 260 - 260 % batch], batch, lambda _: None)
    assert batch < most <= batch * (2 + cpus)


def test_images_are_prepared_while_the_worker_infers(network, split, monkeypatch):
    count, more, tensors, waited = 0, threading.Condition(), Feeder.tensors, []

    def counted(feeder, image, box=None):
        nonlocal count
        made = tensors(feeder, image)
        with more:
            count += 1
            more.notify()
        return made

    def infer():  # returns only when the next batch is prepared: one after the other it would wait in vain
        with more:
            wanted = min(12, 3 * len(worker.asked) + 6)
            waited.append(more.wait_for(lambda: count >= wanted, timeout=5))

    monkeypatch.setattr(Feeder, "tensors", counted)
    worker = Answering(infer)
    predict(worker, accuracy.feeder(network), split.samples[:12], 3, lambda _: None)
    assert waited == [True] * 4


def test_outputs_whose_shapes_differ_from_batch_to_batch_are_a_failure():
    with pytest.raises(WorkerFailed, match=r"'prob' has the shapes \(2,\) and \(3,\) for a face"):
        together_again([{"prob": np.ones((4, 2))}, {"prob": np.ones((4, 3))}])


def test_the_same_images_again_are_compared_and_not_run(files, split, asked):
    first = measured(files, split)
    assert asked.count("predict") == 5
    assert first.runtime["cached"] == "0 of 13"
    asked.clear()
    again = measured(files, split)
    assert asked == ["load", "run"]  # the gate
    assert again.runtime["cached"] == "13 of 13"
    assert again.model_dump(exclude={"runtime"}) == first.model_dump(exclude={"runtime"})


def test_without_the_cache_every_image_is_run(files, split, asked):
    measured(files, split)
    asked.clear()
    assert "cached" not in measured(files, split, cached=False).runtime
    assert asked.count("predict") == 5


def test_a_batch_with_an_image_that_is_not_known_is_run_whole(files, split, asked):
    measured(files, replace(split, samples=split.samples[:7]))
    asked.clear()
    again = measured(files, split)
    assert asked.count("predict") == 3  # of 5: two batches of 3 are known, the seventh image has others beside it now
    assert again.runtime["cached"] == "6 of 13"
    assert again.scores[0].n == 13


def _other_file(network, split):
    network.model.write_bytes(b"another network")
    return network, split, {}


def _other_mean(network, split):
    spec = network.spec.model_copy(update={"mean": (1.0, 2.0, 3.0)})
    return replace(network, spec=spec), split, {}


def _other_batch(network, split):
    return network, split, {"batch": 2}


def _other_pixels(network, split):
    for sample in split.samples:
        sample.path.write_bytes(sample.path.read_bytes() + b"!")
    return network, split, {}


@pytest.mark.parametrize("other", [_other_file, _other_mean, _other_batch, _other_pixels])
def test_whatever_an_output_depends_on_makes_it_unknown(files, split, other):
    measured(files, split)
    network, split, changes = other(files, split)
    assert measured(network, split, **changes).runtime["cached"] == "0 of 13"


@pytest.mark.parametrize("what", ["_code", "_machine"])
def test_code_that_was_mended_or_another_machine_makes_it_unknown(files, split, what, monkeypatch):
    measured(files, split)
    monkeypatch.setattr(accuracy, what, lambda: "another")
    assert measured(files, split).runtime["cached"] == "0 of 13"


def test_the_gate_stands_before_what_is_known(files, split, monkeypatch):
    measured(files, split)
    monkeypatch.setenv("FAULT", "wrong")
    result = measured(files, split)
    assert (result.status, result.scores) == ("failed", ())
    assert "outputs differ from" in result.reason


@pytest.mark.parametrize("fault", ["later nan", "later rows", "later missing"])
def test_outputs_that_are_wrong_are_not_kept(files, split, fault, monkeypatch):
    monkeypatch.setenv("FAULT", fault)
    assert measured(files, split).status == "failed"
    monkeypatch.delenv("FAULT")
    assert measured(files, split).runtime["cached"] == "0 of 13"


def test_a_run_that_is_killed_within_a_split_goes_on_there(tiny_zoo, tmp_path, monkeypatch, asked):
    def run(out, *more):
        always = ["--zoo", "tiny*", "--backend", "onnxruntime", "--threads", "1", "--only", "accuracy"]
        return main(["run", *always, "--data", f"csv={tiny_zoo.faces}", "--out", str(tmp_path / out), *more])

    monkeypatch.setattr("bench.plan.ACCURACY_BATCH", 2)
    assert run("whole", "--no-cache") == 0
    (whole, other) = read_results(tmp_path / "whole")
    ask, left = WorkerProcess.ask, 4

    def dying(worker, do, *more, **named):
        nonlocal left
        left -= do == "predict"
        if left < 0:
            raise KeyboardInterrupt
        return ask(worker, do, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(WorkerProcess, "ask", dying)
        assert run("out") == 130
    asked.clear()
    assert run("out", "--resume") == 0
    assert asked.count("predict") == 2 + 6  # of 11 faces of the first network 8 were known
    found = read_results(tmp_path / "out")
    assert [r.runtime.pop("cached") for r in found] == ["8 of 11", "0 of 11"]
    assert found == [whole, other]
    assert (zoo.store.home() / "predictions").is_dir()
