"""Growing batches: where a sweep ends, and that every size was compared before it was timed."""

from pathlib import Path

import pytest
from bench_cases import latency_case
from scenario_cases import STEPWISE, given, scripted

from bench import memory
from bench.points import images_per_s, knee
from bench.records import Point
from bench.scenarios import batch


def case(backend=STEPWISE, most=64):
    return latency_case(backend, scenario="batch", batch=most)


def measured(network, *cases, most=64):
    with given(cases or [case(most=most)], network, max_batch=most) as what:
        return batch.measure(what)


def steady(monkeypatch, ms_of_batch):
    """Script the time of a run by its batch."""
    return scripted(monkeypatch, {"time": lambda size, **_: {"times_ms": [ms_of_batch(size)] * 3}})


def sweep(*speeds):
    return [Point(batch=2**i, images=2**i, times_ms=(1000 * 2**i / speed,)) for i, speed in enumerate(speeds)]


@pytest.mark.parametrize(
    ("speeds", "size"),
    [
        ((100, 150, 200, 209), 4),
        ((100, 104), 1),
        ((100, 106), None),
        ((100, 150, 90, 300), 2),
        ((100,), None),
        ((), None),
    ],
)
def test_the_knee_is_the_first_size_whose_doubling_gains_less_than_a_twentieth(speeds, size):
    found = knee(sweep(*speeds))
    assert (found and found.batch) == size


def test_a_sweep_ends_with_the_point_that_shows_its_knee(network, monkeypatch):
    ms = {1: 10, 2: 12, 4: 15, 8: 29.5, 16: 40}
    steady(monkeypatch, ms.get)
    (result,) = measured(network)
    assert result.status == "ok"
    assert [point.batch for point in result.points] == [1, 2, 4, 8]
    assert knee(result.points).batch == 4
    assert images_per_s(result.points[1]) == pytest.approx(2000 / 12)
    assert result.latency is None
    assert result.points[0].rounds == (3,) * batch.ROUNDS


def test_a_sweep_ends_at_the_largest_size_asked_for(network, monkeypatch):
    steady(monkeypatch, lambda size: 10)
    (result,) = measured(network, most=11)
    assert [point.batch for point in result.points] == [1, 2, 4, 8]
    assert knee(result.points) is None


def test_every_size_is_compared_before_it_is_timed(network, monkeypatch):
    asked = steady(monkeypatch, lambda size: 10)
    (result,) = measured(network, most=4)
    sizes = [(do, size) for _, do, size in asked if do in ("run", "time")]
    assert [one for i, one in enumerate(sizes) if one not in sizes[:i]] == [
        (do, size) for size in (1, 2, 4) for do in ("run", "time")
    ]
    assert all(point.parity.max_abs < 1e-6 for point in result.points)


@pytest.mark.parametrize(
    ("fault", "at", "reason"),
    [
        ("wrong", 4, "outputs differ from numpy by 0.001 at batch 4"),
        ("memory", 8, "at batch 8: MemoryError: out of memory"),
        ("kill", 8, "at batch 8: the worker was killed (SIGKILL), most likely out of memory"),
        ("memory", 1, "at batch 1: MemoryError: out of memory"),
    ],
)
def test_what_goes_wrong_at_a_size_fails_there_and_keeps_the_points_before(network, monkeypatch, fault, at, reason):
    monkeypatch.setenv("FAULT", fault)
    monkeypatch.setenv("AT", str(at))
    steady(monkeypatch, lambda size: 10)
    (result,) = measured(network)
    assert result.status == "failed"
    assert reason in result.reason
    assert [point.batch for point in result.points] == [size for size in (1, 2, 4, 8, 16) if size < at]
    if fault == "wrong":
        assert result.parity.max_abs == pytest.approx(1e-3, rel=1e-3)


def other(tmp_path, content=""):
    path = tmp_path / "other.py"
    path.write_text(content + Path(STEPWISE).read_text())
    return case(str(path))


def test_one_that_goes_wrong_does_not_end_the_others_sweep(network, monkeypatch, tmp_path):
    monkeypatch.setenv("FAULT", "wrong")
    monkeypatch.setenv("AT", "4")
    steady(monkeypatch, lambda size: 10)
    good = other(tmp_path, "import os\nos.environ['FAULT'] = ''\n")
    wrong, right = measured(network, case(most=8), good.model_copy(update={"batch": 8}), most=8)
    assert [len(wrong.points), len(right.points)] == [2, 4]
    assert (wrong.status, right.status) == ("failed", "ok")


def test_backends_take_turns_forth_and_back_at_each_size(network, monkeypatch, tmp_path):
    asked = steady(monkeypatch, lambda size: 10)
    measured(network, case(), other(tmp_path), most=2)
    turns = [(pid, size) for pid, do, size in asked if do == "time"]
    first, second = turns[0][0], turns[1][0]
    assert turns == [(pid, size) for size in (1, 2) for pid in (first, second, second, first) * 3]


def test_a_size_whose_memory_is_not_there_is_not_tried(network, monkeypatch):
    used = {1: 100, 2: 130, 4: 190, 8: 310}
    scripted(monkeypatch, {"time": lambda size, **_: {"times_ms": [10.0] * 3, "memory_mb": used[size]}})
    monkeypatch.setattr(batch, "available_mb", lambda: 119)
    (result,) = measured(network)
    assert result.status == "ok"
    assert [point.batch for point in result.points] == [1, 2, 4]
    assert result.memory_mb == 190
    assert result.warnings[-1] == "skipped: batch 8 and more: it would take some 120 MB more than now; 119 MB are free"


@pytest.mark.parametrize(("used", "next_one"), [((100,), 200), ((100, 130), 190), ((100, 100), 100), ((), None)])
def test_the_next_doubling_takes_twice_what_the_last_one_took(used, next_one):
    points = [Point(batch=2**i, images=2**i, times_ms=(1.0,), memory_mb=mb) for i, mb in enumerate(used)]
    assert batch.projected_mb(points) == next_one


def test_memory_that_no_point_tells_ends_no_sweep():
    assert batch.projected_mb(sweep(100, 200)) is None


@pytest.mark.parametrize(("limit", "free"), [("max", None), ("3000000000", 1200.0)])
def test_free_memory_is_within_the_control_groups_limit(monkeypatch, tmp_path, limit, free):
    import psutil

    (tmp_path / "memory.max").write_text(limit + "\n")
    (tmp_path / "memory.current").write_text("2000000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 200000000\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Free", (), {"available": 7_000_000_000}))
    assert memory.available_mb() == (free or 7000)
