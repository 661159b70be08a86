"""Growing batches: 1, 2, 4, .. until a doubling gains less than 5 % images/s, or memory or ``--max-batch`` ends it.

The backends of a network take turns at each size, so that their points can be compared. A worker serves rising sizes:
one whose outputs are wrong only then is caught by the comparison before the size is timed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from bench.memory import available_mb
from bench.points import knee
from bench.records import Point, Result, RunConfig
from bench.scenarios import Given
from bench.scenarios._candidate import Candidate, attempt, compared, warm
from bench.team import Opened
from bench.types import Split
from zoo.golden import Golden

ROUNDS = 6
"""As few as the interval of a median can be had from."""

ROUND_RUNS = 2
SHARE = 0.4
"""Of ``--budget``, at each size: all seven sizes up to 64 take 2.8 budgets."""


def cases(config: RunConfig, splits: Sequence[Split]) -> list[dict[str, object]]:
    """Return one case; its batch is the largest that is tried."""
    return [{"kind": "latency", "scenario": "batch", "batch": config.max_batch}]


def measure(given: Given) -> list[Result]:
    """Measure every size for all that have not reached their knee."""
    candidates = [Candidate(case) for case in given.cases]
    size = 1
    while size <= given.config.max_batch and not all(candidate.ended for candidate in candidates):
        for candidate in candidates:
            if not candidate.ended and (why := _beyond(candidate.points, size)):
                candidate.warnings.append(why)
                candidate.ended = True
        _one_size(candidates, size, given)
        size *= 2
    return [candidate.result() for candidate in candidates]


def projected_mb(points: Sequence[Point]) -> float | None:
    """Return the peak memory to expect of the next size: what the last doubling added is added twice.

    After the first point all of its memory is taken to grow; None where a point does not tell.
    """
    known = [point.memory_mb for point in points]
    if not known or None in known:
        return None
    last = known[-1] or 0.0
    before = (known[-2] or 0.0) if len(known) > 1 else last / 2
    return last + 2 * (last - before)


def _beyond(points: Sequence[Point], size: int) -> str | None:
    """Say why ``size`` is not tried: what it needs beyond the peak so far is not there."""
    projected, there = projected_mb(points), available_mb()
    more = 0.0 if projected is None else projected - (points[-1].memory_mb or 0.0)
    if more <= there:
        return None
    return f"skipped: batch {size} and more: it would take some {more:.0f} MB more than now; {there:.0f} MB are free"


def _one_size(candidates: Sequence[Candidate], size: int, given: Given) -> None:
    seconds = SHARE * given.config.budget / ROUNDS
    where = f"at batch {size}: "
    rounds: dict[int, list[list[float]]] = {number: [] for number in range(len(candidates))}
    memory: dict[int, tuple[float, float | None]] = {}

    def start(candidate: Candidate, opened: Opened) -> None:
        _start(candidate, opened, given.network.golden, size, seconds)

    for candidate in candidates:
        given.tell(f"size {size}: start {candidate.case.backend}")
        attempt(candidate, given.team, start, where)
    for turn in range(ROUNDS):
        given.tell(f"size {size}: round {turn + 1}/{ROUNDS}")
        order = range(len(candidates))
        for number in order if turn % 2 == 0 else reversed(order):

            def step(_: Candidate, opened: Opened, number: int = number) -> None:
                answer, _arrays = opened.worker.ask("time", count=ROUND_RUNS, seconds=seconds, most=2 * seconds)
                rounds[number].append(answer["times_ms"])
                memory[number] = answer["memory_mb"], answer["device_memory_mb"]

            attempt(candidates[number], given.team, step, where)
    for number, candidate in enumerate(candidates):
        if not candidate.ended and candidate.first is not None:
            candidate.points.append(
                Point(
                    batch=size,
                    images=size,
                    times_ms=tuple(round(t, 6) for t in chain(*rounds[number])),
                    rounds=tuple(len(times) for times in rounds[number]),
                    memory_mb=memory[number][0],
                    device_memory_mb=memory[number][1],
                    parity=candidate.first.parity,
                )
            )
            candidate.ended = knee(candidate.points) is not None


def _start(candidate: Candidate, opened: Opened, golden: Golden, size: int, seconds: float) -> None:
    compared(candidate, opened, golden, size)
    warm(candidate, opened, seconds, size)
