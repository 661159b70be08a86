"""Latency of one network on several backends, side by side: rounds in turn (A B B A), all others stopped meanwhile.

A worker whose turn it is not is stopped outright: an idle thread pool still spins, and has been seen to double its
neighbour's time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from bench.parity import Differs, first_run
from bench.process import Start, WorkerFailed, WorkerProcess
from bench.records import Case, Latency, Parity, Result
from bench.statistics import warnings
from bench.types import Unavailable
from zoo.golden import Golden

WARM_UP_WINDOW = 0.2
ROUNDS = 10
ROUND_SECONDS = 0.2
ROUND_RUNS = 7
"""Together at least 70 runs, of which p90 needs 64."""

LONGEST_ROUND = 1.5
"""Seconds. A network of more than a fifth of a second a run gets fewer of them, and its row says what they are too few
for; otherwise one that takes a second would hold up all others for minutes."""


@dataclass
class Contender:
    """One case on its way through the rounds."""

    case: Case
    worker: WorkerProcess
    parity: Parity | None = None
    placement: dict[str, int] | None = None
    cold_ms: dict[str, float] = field(default_factory=dict)
    steady: bool = True
    rounds: list[list[float]] = field(default_factory=list)
    memory_mb: float = 0.0
    verdict: Result | None = None


def measure(
    cases: Sequence[Case], model: Path, golden: Golden, start: Start, tell: Callable[[str], Any]
) -> list[Result]:
    """Measure ``cases``, which differ in their backend alone, in turns. Returns one Result for each, in their order.

    ``start`` starts a case's worker; ``tell`` is called with what is being done.
    """
    with ExitStack() as stack:
        contenders: list[Contender] = []
        for case in cases:  # one is started and stopped before the next one starts: a cold start has the CPUs alone
            tell(f"start {case.backend}")
            contenders.append(Contender(case, stack.enter_context(start(case))))
            _attempt(contenders[-1], lambda c: _start(c, model, golden))
        for number in range(ROUNDS):
            tell(f"round {number + 1}/{ROUNDS}")
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                _attempt(contender, _round)
        return [contender.verdict or _result(contender) for contender in contenders]


def _attempt(contender: Contender, step: Callable[[Contender], None]) -> None:
    if contender.verdict is not None:
        return
    try:
        with contender.worker.turn():
            step(contender)
    except Unavailable as error:
        contender.verdict = Result(case=contender.case, status="skipped", reason=str(error))
    except Differs as error:
        contender.verdict = Result(case=contender.case, status="failed", reason=str(error), parity=error.parity)
    except WorkerFailed as error:
        contender.verdict = Result(case=contender.case, status="failed", reason=str(error), parity=contender.parity)


def _start(contender: Contender, model: Path, golden: Golden) -> None:
    loaded, _ = contender.worker.ask("load", model=str(model))
    contender.parity, contender.placement, first_ms = first_run(contender.worker, golden, contender.case)
    contender.cold_ms = {**loaded["cold_ms"], "first": first_ms}
    contender.steady = contender.worker.ask("warm_up", window=WARM_UP_WINDOW)[0]["steady"]


def _round(contender: Contender) -> None:
    answer, _ = contender.worker.ask("time", count=ROUND_RUNS, seconds=ROUND_SECONDS, most=LONGEST_ROUND)
    contender.rounds.append(answer["times_ms"])
    contender.memory_mb = answer["memory_mb"]


def _result(contender: Contender) -> Result:
    return Result(
        case=contender.case,
        status="ok",
        placement=contender.placement,
        latency=Latency(times_ms=tuple(round(t, 6) for t in chain(*contender.rounds)), cold_ms=contender.cold_ms),
        memory_mb=contender.memory_mb,
        parity=contender.parity,
        warnings=tuple(warnings(contender.rounds, steady=contender.steady)),
    )
