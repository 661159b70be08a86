"""What the harness adds to a run of a network: its own loop against one written by hand, in turns, in one process.

One thread, so that neither session has a pool that spins while the other is timed.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

from bench.backends import onnxruntime as backend
from bench.selftest.check import Check
from bench.selftest.network import Timed
from bench.statistics import Ratio, paired_ratio
from bench.types import Feeds
from bench.worker import timed

LEAST, MOST = 0.98, 1.02
SESSIONS = 4
"""Fresh ones on both sides: where two of them lie in memory can differ by more than the loops do."""

RUNS = 20


def harness_cost(network: Timed, blocks: int, *, short: bool) -> Check:
    """Measure ``blocks`` rounds of both loops on ``network``; the ratio has to be from `LEAST` to `MOST`."""
    feeds, _ = network.golden.cycle(1)
    return judged(ratio_to_hand_written(network.model, feeds, blocks), short=short)


def judged(ratio: Ratio, *, short: bool) -> Check:
    """Hold the ratio of the harness to the hand-written loop to its bounds.

    In a short self-test its interval must reach into them, since there the ratio itself is known less well than that.
    """
    if ratio.low is None or ratio.high is None:
        raise ValueError(f"{ratio.pairs} rounds are too few to judge by")
    low, high = (ratio.low, ratio.high) if short else (ratio.value, ratio.value)
    return Check(
        "the harness against a loop written by hand",
        f"ratio {ratio.value:.4f} [{ratio.low:.4f}, {ratio.high:.4f}]",
        f"{LEAST} to {MOST}" + (", of the interval" if short else ""),
        low <= MOST and high >= LEAST,
    )


def ratio_to_hand_written(model: Path, feeds: Feeds, blocks: int) -> Ratio:
    """Return how many times as long a run takes in the harness as in a loop written by hand, over ``blocks`` rounds."""
    ours: list[list[float]] = []
    theirs: list[list[float]] = []
    gc.collect()
    gc.freeze()  # both loops collect before they time, and of the harness's own objects there are many
    for session in range(SESSIONS):
        session_of_ours = backend.load(model, "cpu", 1)
        sides: list[tuple[Callable[[], list[int]], list[list[float]]]] = [
            (lambda run=session_of_ours.run: timed(run, feeds, RUNS, 0), ours),  # type: ignore[misc]
            (_by_hand(model, feeds), theirs),
        ]
        for measure, _ in sides:
            measure()
        for number in range(blocks * session // SESSIONS, blocks * (session + 1) // SESSIONS):
            for measure, kept in sides if number % 2 else reversed(sides):
                kept.append([float(t) for t in measure()])
    gc.unfreeze()
    return paired_ratio(ours, theirs)


def _by_hand(model: Path, feeds: Feeds) -> Callable[[], list[int]]:
    """Return the loop that anybody would write, with a session of its own."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def loop() -> list[int]:
        gc.collect()
        times = []
        for _ in range(RUNS):
            start = perf_counter_ns()
            session.run(names, feeds)
            times.append(perf_counter_ns() - start)
        return times

    return loop
