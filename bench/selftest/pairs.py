"""The same network in several workers, some slower by a known share, timed side by side in real turns.

The workers of a set are kept over its repetitions, and every set has fresh ones: what two processes differ by for as
long as they live (where their memory lies) is in it, as it is in a real measurement, and is not drawn just once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from bench.latency import Contender, start_each, take_round
from bench.process import WorkerFailed, open_worker
from bench.records import Case
from bench.selftest.network import Timed
from bench.statistics import Rounds
from bench.team import Team

BASELINE = "as it is"
SIDES: Mapping[str, str] = {BASELINE: "0", "the same": "0", "+5 %": "5", "+10 %": "10", "+25 %": "25"}
"""What stands beside what, and its delay in percent."""

ROUNDS = 30
"""As many as a case of ``bench run`` has."""

SECONDS = 0.004
"""Of timed runs a round, a sixteenth of what ``bench run`` takes, so that 200 repetitions take minutes."""

TIMEOUT = 60.0


@dataclass(frozen=True)
class Pair:
    """One repetition: the rounds of the network as it is, and those of the side that is compared with it, in ms."""

    baseline: Rounds
    candidate: Rounds


Measure = Callable[[str], Pair]
"""Times one of `SIDES` beside the baseline."""


@contextmanager
def workers(network: Timed) -> Iterator[Measure]:
    """Start a worker for each side, compare its outputs and warm it up. Raises WorkerFailed where that fails."""
    with Team(
        lambda case: open_worker("_delayed", "cpu", 1, TIMEOUT, options={"delay": SIDES[case.backend]}),
        lambda _: str(network.model),
    ) as team:
        first = [Contender(_case(side)) for side in SIDES]
        start_each(first, team, network.golden, lambda _: None, 10 * SECONDS)
        _refuse(first)
        yield lambda side: _measured(side, team)


def _measured(side: str, team: Team) -> Pair:
    both = [Contender(_case(BASELINE)), Contender(_case(side))]
    for number in range(ROUNDS):
        take_round(number, both, team, SECONDS)
    _refuse(both)
    return Pair(both[0].rounds, both[1].rounds)


def _refuse(contenders: list[Contender]) -> None:
    for contender in contenders:
        if contender.verdict is not None:
            raise WorkerFailed(f"the worker '{contender.case.backend}': {contender.verdict.reason}")


def _case(side: str) -> Case:
    return Case(network="self-test", backend=side, device="cpu", precision="fp32", batch=1, threads=1, kind="latency")
