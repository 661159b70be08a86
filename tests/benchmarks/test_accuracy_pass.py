"""How near the accuracy pass comes to the slower of its two parts alone, decoding and inference, on two CPUs.

Run by ``make benchmark``; it is told, not held against anything: other work on the machine counts against it.
"""

from __future__ import annotations

import statistics
from contextlib import closing
from functools import partial
from time import perf_counter

import pytest

from bench import accuracy, datasets, inference
from bench.ahead import cpus_left, decoders, in_order
from bench.host import usable_cpus
from bench.inference import predict
from bench.process import open_worker
from bench.run import Missing, network_of
from zoo.card import find_card

BATCH = 8
ROUNDS = 7
IMAGES = {"levi-hassner-age": 128, "c3ae-v84": 1024}
"""One network that takes far longer than its images do, and one that takes about as long."""


@pytest.mark.benchmark(group="the accuracy pass")
@pytest.mark.parametrize("name", IMAGES)
def test_overlap(benchmark, mirror, name):
    if len(usable_cpus()) < 2:
        pytest.skip("needs two CPUs: one for the worker, one to decode on")
    network = network_of(name, find_card(name), mirror)
    if isinstance(network, Missing):
        pytest.skip(network.reason)
    feeder = accuracy.feeder(network)
    faces = datasets.load("sample").samples
    samples = (faces * (IMAGES[name] // len(faces) + 1))[: IMAGES[name]]
    cpus = cpus_left(1)[:1]

    prepare = partial(inference._prepared, feeder, None, BATCH)
    parts = [samples[first : first + BATCH] for first in range(0, len(samples), BATCH)]

    def decoding():
        with decoders(cpus) as pool, closing(in_order(parts, prepare, pool, 2)) as prepared:
            return sum(len(one.read) for one in prepared)

    def inferring(worker, batches):
        for batch in batches:
            worker.ask("predict", batch)

    def seconds(work):
        begin = perf_counter()
        work()
        return perf_counter() - begin

    def rounds():
        with open_worker("onnxruntime", "cpu", 1, 60) as worker:
            worker.ask("load", model=str(network.model))
            worker.ask("run", network.golden.cycle(BATCH)[0])
            batches = [prepare(part).feeds for part in parts]
            found = {"decode": [], "inference": [], "overlapped": []}
            for _ in range(ROUNDS):
                found["decode"].append(seconds(decoding))
                found["inference"].append(seconds(lambda: inferring(worker, batches)))
                found["overlapped"].append(
                    seconds(lambda: predict(worker, feeder, samples, BATCH, lambda _: None, len(usable_cpus()) - 1))
                )
            return found

    found = benchmark.pedantic(rounds, rounds=1, iterations=1)
    slower = [max(pair) for pair in zip(found["decode"], found["inference"], strict=True)]
    ratios = [alone / whole for alone, whole in zip(slower, found["overlapped"], strict=True)]
    told = {name: round(len(samples) / statistics.median(times), 1) for name, times in found.items()}
    benchmark.extra_info |= {"images_per_s": told, "ratios": ratios}
    print(f"\n{name}: images/s {told}; overlapped / slower part {statistics.median(ratios):.3f}, of {sorted(ratios)}")
    assert len(ratios) == ROUNDS
