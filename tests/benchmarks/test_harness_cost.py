"""What the harness adds to a run of a network of some milliseconds: the self-test measures it on a small one.

Run by ``make benchmark``.
"""

from __future__ import annotations

import pytest

from bench.selftest.cost import MOST, ratio_to_hand_written
from zoo.golden import load

BLOCKS = 40


@pytest.mark.benchmark(group="the harness's own cost")
def test_harness_cost(benchmark, levi_hassner):
    network = levi_hassner["age"]
    feeds, _ = load(network.card.name).cycle(1)
    ratio = benchmark.pedantic(lambda: ratio_to_hand_written(network.model, feeds, BLOCKS), rounds=1, iterations=1)
    benchmark.extra_info |= {"ratio": ratio.value, "low": ratio.low, "high": ratio.high}
    print(f"\nratio {ratio.value:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]")
    assert ratio.value <= MOST
