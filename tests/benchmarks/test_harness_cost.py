"""What the harness adds to a run of a network: its own loop against a hand-written one, in turns, in one process.

Run by ``make benchmark``. One thread, so that neither session has a pool that spins while the other is timed.
"""

from __future__ import annotations

import gc
from statistics import median
from time import perf_counter_ns

import pytest

from bench.worker import timed

BLOCKS = 40
RUNS = 10
LIMIT = 1.02


def by_hand(session, names, feeds):
    times = []
    for _ in range(RUNS):
        start = perf_counter_ns()
        session.run(names, feeds)
        times.append(perf_counter_ns() - start)
    return times


@pytest.mark.benchmark(group="the harness's own cost")
def test_harness_cost(benchmark, levi_hassner):
    import onnxruntime as ort

    from bench.backends import onnxruntime as backend
    from zoo.golden import load

    network = levi_hassner["age"]
    feeds, _ = load(network.card.name).cycle(1)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    hand = ort.InferenceSession(str(network.model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in hand.get_outputs()]
    ours = backend.load(network.model, "cpu", 1)
    blocks = {"harness": [], "loop": []}
    sides = {
        "harness": lambda: timed(ours.run, feeds, RUNS, 0),
        "loop": lambda: by_hand(hand, names, feeds),
    }

    def pair(order):
        for side in order:
            gc.collect()
            blocks[side].append(median(sides[side]()))

    forth, back = ("harness", "loop"), ("loop", "harness")
    orders = iter([forth if i % 2 else back for i in range(BLOCKS)])
    benchmark.pedantic(lambda: pair(next(orders)), rounds=BLOCKS, iterations=1)
    ratio = median(h / b for h, b in zip(blocks["harness"], blocks["loop"], strict=True))
    found = {f"{side}_ms": median(times) / 1e6 for side, times in blocks.items()} | {"ratio": ratio}
    benchmark.extra_info |= found
    print("\n" + ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
    assert ratio <= LIMIT
