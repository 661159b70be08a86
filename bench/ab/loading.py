"""Whether each side loads a network at all, what it answers, and where its nodes ran, before anything is timed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bench.ab.given import Given, Pair, Tell, ended, labelled, refused, team_of
from bench.ab.sides import Side
from bench.accuracy import Network
from bench.parity import Differs, FirstRun, first_run
from bench.process import WorkerFailed
from bench.records import Result
from bench.team import Team
from bench.types import Feeds, Unavailable
from converters.errors import BadInput


@dataclass(frozen=True)
class Examined:
    """What a side said of itself before anything is timed: how it goes on, or the Result that it ends with."""

    network: Network | None = None
    ended: Result | None = None
    first: FirstRun | None = None
    outputs: Feeds = field(default_factory=dict)


def examine(given: Given, side: Side, tell: Tell) -> list[Examined]:
    """Load a side's network and run it at each batch size. What the timed starts read from disk is in memory then."""
    tell(f"{side.label}: load")
    batches = sorted(given.batches)
    try:
        network = side.network(given.network, fed=False)
        with team_of(given, {side.label: network}) as team:
            return [_look(given, side, network, team, batch) for batch in batches]
    except BadInput as error:
        return [Examined(ended=refused(side, given.case(batch), error)) for batch in batches]


def _look(given: Given, side: Side, network: Network, team: Team, batch: int) -> Examined:
    case = given.case(batch)
    try:
        with team.turn(labelled(case, side)) as opened:
            runtime = opened.runtime
            first = first_run(opened.worker, network.golden, case)
            _, outputs = opened.worker.ask("predict", network.golden.cycle(batch)[0])
    except (Unavailable, WorkerFailed) as error:  # a backend that refuses what it ought to run is no skip here
        parity = error.parity if isinstance(error, Differs) else None
        broken = ended(given, batch, "failed", str(error))
        return Examined(ended=broken.model_copy(update={"parity": parity}))
    noted = {"placement": first.placement, "strays": first.strays, "parity": first.parity, "runtime": runtime}
    waiting = ended(given, batch, "skipped", "not timed").model_copy(update=noted)
    return Examined(network, waiting, first, outputs)


def paired(given: Given, first: Examined, second: Examined, batch: int) -> Pair:
    """Return what is known of a case before it is timed. A side that waits for the other in vain says so."""
    assert first.ended is not None
    assert second.ended is not None
    results = [first.ended, second.ended]
    for place, (mine, other) in enumerate(((first, second), (second, first))):
        if mine.first is not None and other.first is None:
            why = f"not timed: {given.sides[1 - place].label} cannot run it"
            results[place] = results[place].model_copy(update={"reason": why})
    return Pair((results[0], results[1]), farthest=_farthest(first.outputs, second.outputs))


def _farthest(first: Feeds, second: Feeds) -> float | None:
    """Return the largest difference between outputs of one name; infinite where shapes or names are not the same."""
    if not first or not second:
        return None
    if first.keys() != second.keys() or any(first[name].shape != second[name].shape for name in first):
        return float("inf")
    return max(float(np.abs(first[n].astype(np.float64) - second[n]).max(initial=0)) for n in first)
