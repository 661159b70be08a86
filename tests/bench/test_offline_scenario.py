"""A pass over a whole split: every readable image once, in order, what is ahead bounded, what is unreadable counted."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from bench_cases import latency_case
from numpy.testing import assert_allclose
from scenario_cases import STEPWISE, given

from bench import ahead
from bench.ahead import in_order
from bench.datasets import fingerprint
from bench.points import images_per_s, part_per_s
from bench.preprocess import prepare, read_image
from bench.records import Point
from bench.scenarios import offline
from bench.types import Sample


@pytest.fixture
def with_unreadable(split, tmp_path):
    """Return the split of 13 faces, the sixth of which is no image, and one more that does not exist."""
    (tmp_path / "05.png").write_bytes(b"no image")
    return replace(split, samples=(*split.samples, Sample("gone.png", tmp_path / "gone.png", 3.0, "male")))


def case(batch=5, **changes):
    return latency_case(STEPWISE, scenario="offline", batch=batch, dataset="own", split="all", **changes)


def measured(network, split, one, **changes):
    with given([one], network, [split], **changes) as what:
        (result,) = offline.measure(what)
    return result


class Recording:
    """A worker that notes the batches it is asked to infer."""

    def __init__(self):
        self.batches = []

    def ask(self, do, arrays):
        assert do == "predict"
        self.batches.append(arrays["data"])
        return {}, {}


@pytest.mark.parametrize("batch", [1, 5, 12, 64])
def test_every_readable_image_is_inferred_once_in_order(network, with_unreadable, batch):
    worker = Recording()
    with ThreadPoolExecutor(3) as pool:
        ahead = in_order(with_unreadable.samples, partial(offline._prepared, network), pool, 7)
        images, left = offline.one_pass(worker, ahead, batch)
    readable = [s for s in with_unreadable.samples if s.name not in ("05.png", "gone.png")]
    assert images == len(readable) == 12
    assert [one.name for one in left] == ["05.png", "gone.png"]
    assert {len(one) for one in worker.batches} == {batch}
    wanted = np.stack([prepare(read_image(s.path), network.spec)["data"] for s in readable])
    inferred = np.concatenate(worker.batches)
    assert_allclose(inferred[:12], wanted)
    assert len(inferred) == -(-12 // batch) * batch
    assert all((one == wanted[-1]).all() for one in inferred[12:])


def test_a_result_has_the_whole_and_each_part_before_and_after(network, with_unreadable):
    result = measured(network, with_unreadable, case())
    assert result.status == "ok"
    assert [point.part for point in result.points] == ["decode", "inference", "overlapped", "inference", "decode"]
    whole = result.points[2]
    assert (whole.images, whole.batch) == (12, 5)
    assert result.warnings[-1].startswith("skipped 2 of 14 images: 05.png: not an image")
    assert (result.fingerprint.n, result.fingerprint.split_sha256) == (14, fingerprint(with_unreadable))
    assert result.parity.max_abs < 1e-6
    assert result.latency is None


def test_parts_count_by_all_of_their_time_and_the_whole_by_its_median_pass():
    points = [
        Point(batch=2, images=10, part="decode", times_ms=(100.0,)),
        Point(batch=2, images=2, part="inference", times_ms=(10.0, 30.0)),
        Point(batch=2, images=50, part="overlapped", times_ms=(900.0, 1000.0, 5000.0)),
        Point(batch=2, images=2, part="inference", times_ms=(40.0,)),
        Point(batch=2, images=30, part="decode", times_ms=(100.0,)),
    ]
    assert part_per_s(points, "decode") == pytest.approx(40 / 0.2)
    assert part_per_s(points, "inference") == pytest.approx(6 / 0.08)
    assert part_per_s(points, "overlapped") == images_per_s(points[2]) == pytest.approx(50)


def test_a_split_without_a_readable_image_fails_and_says_so(network, split, tmp_path):
    nothing = replace(split, samples=(Sample("gone.png", tmp_path / "gone.png", 3.0, "male"),))
    result = measured(network, nothing, case())
    assert (result.status, result.reason) == ("failed", "no image of the split could be read")


@pytest.mark.parametrize(
    ("fault", "at", "reason", "points"),
    [("wrong", 5, "outputs differ from numpy by 0.001 at batch 5", 0), ("later", 1, "worn out", 0)],
)
def test_a_worker_that_goes_wrong_is_a_failed_result(network, split, monkeypatch, fault, at, reason, points):
    monkeypatch.setenv("FAULT", fault)
    monkeypatch.setenv("AT", str(at))
    result = measured(network, split, case())
    assert result.status == "failed"
    assert reason in result.reason
    assert len(result.points) == points


@pytest.mark.parametrize(
    ("cpus", "threads", "left", "said"),
    [
        ([2, 5, 7], 1, [5, 7], "2 threads on CPUs 5, 7"),
        ([2, 5], 1, [5], "1 thread on CPU 5"),
        ([2, 5], 2, [], "1 thread on CPUs shared with the worker"),
        ([4], 1, [], "1 thread on CPUs shared with the worker"),
    ],
)
def test_decoding_has_the_cpus_that_the_worker_leaves(network, split, monkeypatch, cpus, threads, left, said):
    pinned, own = [], []
    me = threading.get_ident()

    def pin(thread, cpus):
        assert thread == 0  # the calling one
        (own if threading.get_ident() == me else pinned).append(list(cpus))

    monkeypatch.setattr(ahead, "usable_cpus", lambda: cpus)
    system = SimpleNamespace(sched_getaffinity=lambda thread: set(cpus), sched_setaffinity=pin)
    monkeypatch.setattr(ahead, "os", system)  # and nothing else's: a real worker has to find its CPUs
    result = measured(network, split, case(threads=threads))
    assert ahead.cpus_left(threads) == left
    assert result.runtime["decoding"] == said
    assert all(one == left for one in pinned)
    assert bool(pinned) == bool(left)
    assert own[0] == cpus[:threads]  # who feeds the worker keeps off the decoders' CPUs
    assert sorted(own[-1]) == cpus


def test_opencv_uses_one_thread_meanwhile_and_has_its_own_back_after(network, split, monkeypatch):
    seen = []
    real = offline.read_image
    monkeypatch.setattr(offline, "read_image", lambda path: seen.append(cv2.getNumThreads()) or real(path))
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        measured(network, split, case())
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
    assert set(seen) == {1}


def test_work_ahead_is_taken_in_order_however_it_finishes():
    gates = [threading.Event() for _ in range(9)]

    def work(number):
        assert gates[number].wait(30)
        return number

    with ThreadPoolExecutor(9) as pool:
        taken = in_order(range(9), work, pool, 9)
        for gate in reversed(gates):
            gate.set()
        assert list(taken) == list(range(9))


@pytest.mark.parametrize("ahead", [1, 4])
def test_never_more_is_begun_than_may_wait(ahead):
    begun = []
    with ThreadPoolExecutor(2) as pool:
        for taken in in_order(range(20), lambda number: begun.append(number) or number, pool, ahead):
            assert len(begun) <= taken + ahead


def test_closing_waits_for_what_runs_and_starts_no_more():
    running, begun = threading.Event(), []

    def work(number):
        begun.append(number)
        running.set()
        time.sleep(0.05)
        begun.append(-number)
        return number

    with ThreadPoolExecutor(1) as pool:
        taken = in_order(range(1, 50), work, pool, 8)
        next(taken)
        taken.close()
        at_close = list(begun)
    assert at_close == begun
    assert len(begun) % 2 == 0
    assert len(begun) < 2 * 9


def test_what_work_raises_comes_when_its_turn_is():
    def work(number):
        if number == 2:
            raise ValueError("broken")
        return number

    with ThreadPoolExecutor(2) as pool:
        taken = in_order(range(5), work, pool, 4)
        assert [next(taken), next(taken)] == [0, 1]
        with pytest.raises(ValueError, match="broken"):
            next(taken)
