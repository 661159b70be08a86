"""Latency of one network on several backends, side by side: rounds in turn (A B B A), all others stopped meanwhile.

A worker whose turn it is not is stopped outright: an idle thread pool still spins, and has been seen to double its
neighbour's time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from bench import nvml
from bench.advice import warnings
from bench.conditions import Conditions, between, counters
from bench.parity import Differs, FirstRun, first_run
from bench.process import WorkerFailed
from bench.records import Case, Latency, Result
from bench.team import Opened, Team
from bench.types import Unavailable
from zoo.golden import Golden

ROUNDS = 30
LEAST_ROUNDS = 6
"""Of these the interval of a median can be had."""

FEWEST_ROUNDS = 3
"""A network of which `LEAST_ROUNDS` would take three budgets has fewer, and its row says what they are too few for."""

ROUND_RUNS = 3
"""Together at least 90 runs, of which p90 needs 64. Of two ways to fill the same time the one with more rounds, shorter
ones, finds a slow-down more surely: a round that another program spoils weighs less."""

BUDGET = 0.5
"""Seconds of timed runs a case."""


@dataclass
class Contender:
    """One case on its way through the rounds."""

    case: Case
    first: FirstRun | None = None
    runtime: dict[str, str] = field(default_factory=dict)
    cold_ms: dict[str, float] = field(default_factory=dict)
    steady: bool = True
    rounds: list[list[float]] = field(default_factory=list)
    conditions: list[Conditions] = field(default_factory=list)
    seconds: float = 0.0
    memory_mb: float = 0.0
    device_memory_mb: float | None = None
    gpu: list[nvml.Reading] = field(default_factory=list)
    verdict: Result | None = None


def measure(
    cases: Sequence[Case], team: Team, golden: Golden, tell: Callable[[str], Any], budget: float = BUDGET
) -> list[Result]:
    """Measure ``cases``, which differ in their backend alone, in turns. Returns one Result for each, in their order.

    ``team`` has their workers; ``tell`` is called with what is being done. ``budget``: seconds of timed runs a case. A
    network so slow that they do not hold all rounds has fewer, at least `LEAST_ROUNDS`, or `FEWEST_ROUNDS` where even
    those would take three times the budget.
    """
    contenders = [Contender(case) for case in cases]
    start_each(contenders, team, golden, tell, budget / ROUNDS)
    for number in range(ROUNDS):
        tell(f"round {number + 1}/{ROUNDS}")
        going = [c for c in contenders if c.verdict is None]
        spent = max((c.seconds for c in going), default=0.0)
        if (number >= LEAST_ROUNDS and spent >= budget) or (number >= FEWEST_ROUNDS and spent >= 3 * budget):
            break
        take_round(number, going, team, budget / ROUNDS)
    return [contender.verdict or _result(contender) for contender in contenders]


def start_each(
    contenders: Sequence[Contender], team: Team, golden: Golden, tell: Callable[[str], Any], window: float
) -> None:
    """Start each contender's worker, compare its outputs, and warm it up in windows of ``window`` seconds.

    One is started and stopped before the next one starts: a cold start has the CPUs alone.
    """
    for contender in contenders:
        tell(f"start {contender.case.backend}")
        _attempt(contender, team, lambda c, opened: _start(c, opened, golden, window))


def take_round(number: int, contenders: Sequence[Contender], team: Team, seconds: float) -> None:
    """Time each contender for ``seconds`` in turn, in every second round in the opposite order (A B B A)."""
    for contender in contenders if number % 2 == 0 else reversed(contenders):
        _attempt(contender, team, lambda c, opened: _round(c, opened, seconds))


def _attempt(contender: Contender, team: Team, step: Callable[[Contender, Opened], None]) -> None:
    if contender.verdict is not None:
        return
    case = contender.case
    parity = None if contender.first is None else contender.first.parity
    try:
        with team.turn(case) as opened:
            step(contender, opened)
    except Unavailable as error:
        contender.verdict = Result(case=case, status="skipped", reason=str(error), runtime=contender.runtime)
    except WorkerFailed as error:
        parity = error.parity if isinstance(error, Differs) else parity
        contender.verdict = Result(
            case=case, status="failed", reason=str(error), parity=parity, runtime=contender.runtime
        )


def _start(contender: Contender, opened: Opened, golden: Golden, window: float) -> None:
    contender.runtime = opened.runtime
    contender.first = first_run(opened.worker, golden, contender.case)
    contender.runtime = {**opened.runtime, **contender.first.details}
    contender.cold_ms = {**opened.cold_ms, "first": contender.first.run_ms}
    contender.steady = opened.worker.ask("warm_up", window=window)[0]["steady"]


def _round(contender: Contender, opened: Opened, seconds: float) -> None:
    pid = opened.worker.process.pid
    before = counters(pid)
    answer, _ = opened.worker.ask("time", count=ROUND_RUNS, seconds=seconds, most=2 * seconds)
    contender.conditions.append(between(before, counters(pid)))
    _refuse_no_durations(answer["times_ms"])
    contender.rounds.append(answer["times_ms"])
    contender.seconds += sum(answer["times_ms"]) / 1000
    contender.memory_mb = answer["memory_mb"]
    contender.device_memory_mb = answer["device_memory_mb"]
    if contender.case.device == "cuda" and (reading := nvml.look(opened.worker.process.pid)) is not None:
        contender.gpu.append(reading)
        contender.device_memory_mb = contender.device_memory_mb or reading.memory_mb


def _refuse_no_durations(times_ms: Sequence[float]) -> None:
    wrong = [t for t in times_ms if not 0 < t < math.inf]
    if wrong or not times_ms:
        said = f"a run of {wrong[0]} ms" if wrong else "no run at all"
        raise WorkerFailed(f"the worker answers with {said}: its clock cannot be trusted")


def _result(contender: Contender) -> Result:
    assert contender.first is not None
    times = tuple(round(t, 6) for t in chain(*contender.rounds))
    return Result(
        case=contender.case,
        status="ok",
        placement=contender.first.placement,
        strays=contender.first.strays,
        runtime={**contender.runtime, **nvml.summary(contender.gpu)},
        latency=Latency(times_ms=times, cold_ms=contender.cold_ms, rounds=tuple(len(r) for r in contender.rounds)),
        memory_mb=contender.memory_mb,
        device_memory_mb=contender.device_memory_mb,
        parity=contender.first.parity,
        warnings=(
            *contender.first.warnings(),
            *warnings(
                contender.rounds,
                steady=contender.steady,
                cold_ms=contender.cold_ms,
                conditions=contender.conditions,
            ),
            *nvml.warnings(contender.gpu),
        ),
    )
