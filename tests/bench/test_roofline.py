"""The machine's limits: kernels that are right or thrown away, and the best of them."""

from pathlib import Path

import numpy as np
import pytest
from bench_cases import FAULTY, latency_case, small_kernels
from numpy.testing import assert_allclose

from bench import kernels, roofline
from bench.backends import names
from bench.host import last_level_cache, usable_cpus
from bench.kernels import convolution, convolved, dense, memory
from bench.process import open_worker
from bench.records import Kernel, Limit
from converters.errors import BadInput


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(roofline, "kernels", small_kernels)
    monkeypatch.setattr(roofline, "ROUND_SECONDS", 0.001)


def measured(backends, sources=None, threads=1):
    def start(name):
        return open_worker((sources or {}).get(name, name), "cpu", threads)

    return roofline.measure("cpu", threads, backends, start, lambda step: None)


@pytest.mark.parametrize(("window", "side"), [(1, 5), (3, 7)])
def test_the_right_outputs_of_a_convolution_are_those_of_its_sum(window, side):
    generator = np.random.default_rng(window)
    images, weights = generator.normal(size=(2, 3, side, side + 2)), generator.normal(size=(5, 3, window, window))
    around = window // 2
    wanted = np.zeros((2, 5, side, side + 2))
    for n, k, c, y, x, i, j in np.ndindex(2, 5, 3, side, side + 2, window, window):
        row, column = y + i - around, x + j - around
        if 0 <= row < side and 0 <= column < side + 2:
            wanted[n, k, y, x] += images[n, c, row, column] * weights[k, c, i, j]
    assert_allclose(convolved(images, weights), wanted, atol=1e-12)


def test_work_is_counted_as_it_is_written():
    assert convolution(3, 4, 7, 2, 5).operations == 2 * 5 * (2 * 7 * 7 * 4) * (4 * 3 * 3)
    assert dense(64).bytes == 4 * (64 * 64 + 64 + 64)
    assert memory("read", 1000).bytes == 4 * 1000 / 4  # one part of four
    assert memory("copy", 1000).bytes == 2 * 4 * 1000 / 4  # read here and written there
    assert {work.operations * work.bytes for work in small_kernels("cpu", None)} == {0}


@pytest.mark.parametrize(("cache_mb", "floats"), [(None, 2**25), (1, 2**25), (32, 2**25), (256, 2**28)])
def test_what_measures_the_memory_is_four_times_the_cache(cache_mb, floats):
    cache = None if cache_mb is None else cache_mb * 2**20
    reads, copies = kernels.kernels("cpu", cache)[-2:]
    assert (reads.bytes, copies.bytes) == (floats, 2 * floats)  # in four parts
    assert kernels.kernels("cpu", cache)[-3].bytes >= 4 * floats >= 4 * (cache or 0)


@pytest.mark.parametrize("threads", [1, len(usable_cpus())])
def test_each_backend_has_the_times_of_each_kernel_and_the_best_is_kept(small, threads):
    found = measured(["onnxruntime", "opencv"], threads=threads)
    assert found.refused == {}
    works = [work.name for work in small_kernels("cpu", None)]
    both = [(name, backend) for name in works[:2] for backend in ("onnxruntime", "opencv")]
    assert [(k.name, k.backend) for k in found.kernels] == both + [(name, "_memory") for name in works[2:]]
    assert all(len(kernel.times_ms) >= roofline.ROUNDS * roofline.ROUND_RUNS for kernel in found.kernels)
    rates = {k.backend: k.operations / np.percentile(k.times_ms, 10) / 1e6 for k in found.kernels if k.operations}
    best = max(rates, key=rates.get)
    assert (found.gflops, found.gflops_by) == (pytest.approx(rates[best]), f"{best}: {works[0]}")
    assert found.gb_s == pytest.approx(max(k.bytes / np.percentile(k.times_ms, 10) / 1e6 for k in found.kernels))
    assert (found.device, found.threads) == ("cpu", threads)


def test_a_backend_that_computes_something_else_shows_no_limit(small, tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from dataclasses import replace\n"
        "from bench.backends import onnxruntime\n"
        "DEVICES, version = ('cpu',), onnxruntime.version\n"
        "def load(model, device, threads):\n"
        "    session = onnxruntime.load(model, device, threads)\n"
        "    def run(feeds):\n"
        "        return {name: 1.01 * array for name, array in session.run(feeds).items()}\n"
        "    return replace(session, run=run)\n"
    )
    found = measured(["wrong"], {"wrong": str(wrong)})
    assert found.refused["wrong"].startswith("convolution 3x3, 4 channels")
    assert "off by 0.01 of the largest" in found.refused["wrong"]
    assert (found.gflops, found.gflops_by) == (None, None)
    assert {kernel.backend for kernel in found.kernels} == {"_memory"}


@pytest.mark.parametrize(("fault", "said"), [("refuse", "not today"), ("segfault", "SIGSEGV")])
def test_a_backend_that_cannot_is_left_out_with_its_reason_and_keeps_no_other_away(small, monkeypatch, fault, said):
    monkeypatch.setenv("FAULT", fault)
    found = measured(["faulty", "onnxruntime"], {"faulty": FAULTY})
    assert said in found.refused["faulty"]
    assert {kernel.backend for kernel in found.kernels} == {"onnxruntime", "_memory"}


def kernel(backend, times, operations=0, moved=0):
    return Kernel(name="work", backend=backend, operations=operations, bytes=moved, times_ms=times)


def test_the_fastest_tenth_counts_and_neither_the_luckiest_run_nor_the_disturbed_ones():
    steady = kernel("steady", (*[2.0] * 3, *[9.0] * 18), operations=4_000_000)
    lucky = kernel("lucky", (0.1, *[4.0] * 20), operations=4_000_000)
    reading = kernel("_memory", (1.0, 1.5, 2.0, *[4.0] * 18), moved=6_000_000)
    found = roofline.limit("cpu", 2, [lucky, steady, reading], {}, None)
    assert (found.gflops, found.gflops_by) == (pytest.approx(2.0), "steady: work")
    assert (found.gb_s, found.gb_s_by) == (pytest.approx(3.0), "memory: work")


def test_the_backends_of_a_kernel_take_turns(small, monkeypatch):
    turns = []
    monkeypatch.setattr(roofline, "_round", lambda worker, times: turns.append(worker.process.pid) or times.append(1.0))
    measured(["onnxruntime", "opencv"])
    first, second = turns[:2]
    assert first != second
    assert turns[: 2 * roofline.ROUNDS] == [first, second, second, first] * (roofline.ROUNDS // 2)


def test_limits_are_measured_once_for_each_device_and_number_of_threads(monkeypatch):
    asked = []

    def measure(device, threads, backends, start, tell):
        asked.append((device, threads, backends))
        return Limit(device=device, threads=threads, gflops=1, gflops_by="a", gb_s=1, gb_s_by="a")

    monkeypatch.setattr(roofline, "measure", measure)
    cases = [latency_case(b, threads=n, network=m) for n in (1, 2, 3) for m in ("one", "two") for b in ("a", "b")]
    kept = [Limit(device="cpu", threads=2, gflops=7, gflops_by="a", gb_s=7, gb_s_by="a")]
    found = roofline.limits(cases, None, kept, None)
    assert asked == [("cpu", 1, ["a", "b"]), ("cpu", 3, ["a", "b"])]
    assert {limit.threads: limit.gflops for limit in found} == {1: 1, 2: 7, 3: 1}


def test_a_full_disk_is_said_in_a_line(small, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(BadInput, match=r"cannot be written: No space left on device; make room there, or let TMPDIR"):
        measured(["onnxruntime"])


def test_plain_reading_is_no_backend_that_a_person_can_name():
    assert "_memory" not in names()


def test_the_last_level_cache_is_counted_once_where_cpus_share_it(tmp_path, monkeypatch):
    levels = {
        0: [(1, "0", "32K"), (3, "0-1", "4096K")],
        1: [(1, "1", "32K"), (3, "0-1", "4096K")],
        2: [(3, "2", "512K")],
    }
    for cpu, caches in levels.items():
        for index, (level, shared, size) in enumerate(caches):
            folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            for name, text in (("level", level), ("shared_cpu_list", shared), ("size", size)):
                (folder / name).write_text(f"{text}\n")
    monkeypatch.setattr("bench.host.CPUS", tmp_path)
    assert last_level_cache([0]) == last_level_cache([0, 1]) == 4096 * 1024
    assert last_level_cache([0, 1, 2]) == (4096 + 512) * 1024
    assert last_level_cache([7]) is None
