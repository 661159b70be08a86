"""One network on one backend, on both sides: loaded and compared first, then timed in turns, then scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench import accuracy
from bench.ab.given import Given, Measured, Pair, Tell, ended, labelled, refused, team_of, with_threads
from bench.ab.loading import Examined, examine, paired
from bench.ab.rounds import time_pairs
from bench.ab.sides import Label, Side
from bench.accuracy import Keep
from bench.records import Result
from bench.types import Split
from converters.errors import BadInput


def measure(given: Given, tell: Tell, keep: Callable[[Label], Keep]) -> Measured:
    """Measure one network on one backend on both sides. What goes wrong on a side is its Result's reason.

    ``keep`` returns, for a side, what keeps its predictions.
    """
    pairs, examined = [], [examine(given, side, tell) for side in given.sides]
    for place, batch in enumerate(sorted(given.batches)):
        both = [looked[place] for looked in examined]
        pairs.append(paired(given, both[0], both[1], batch))
    time_pairs(given, examined, pairs, tell)
    return Measured(given, pairs, _scores(given, examined, tell, keep))


def _scores(
    given: Given, examined: Sequence[Sequence[Examined]], tell: Tell, keep: Callable[[Label], Keep]
) -> list[tuple[Result, Result]]:
    found = []
    for split in given.splits:
        results = []
        for side, looked in zip(given.sides, examined, strict=True):
            broken = next((one.ended for one in looked if one.first is None), None)
            if broken is None:
                results.append(_score(given, side, split, tell, keep(side.label)))
            else:
                results.append(broken.model_copy(update={"case": given.scored(split)}))
        found.append((results[0], results[1]))
    return found


def _score(given: Given, side: Side, split: Split, tell: Tell, keep: Keep) -> Result:
    case = given.scored(split)
    try:
        network = side.network(given.network, fed=True)
    except BadInput as error:
        return refused(side, case, error)

    def kept(result: Result, *more: Any) -> None:
        keep(result.model_copy(update={"case": case}), *more)

    with team_of(given, {side.label: network}) as team:
        result = accuracy.measure(labelled(case, side), network, split, team, tell, kept)
    told = {"status": "failed"} if result.status == "skipped" else {}
    return with_threads(result.model_copy(update={"case": case, **told}), side)


def stopped(given: Given) -> Measured:
    """Return what stands for a network that was not reached any more."""
    return skipped(given, "stopped before it was measured")


def skipped(given: Given, reason: str) -> Measured:
    """Return what stands for a network that is not measured on this backend, on either side."""
    pairs = []
    for batch in sorted(given.batches):
        one = ended(given, batch, "skipped", reason)
        pairs.append(Pair((one, one)))
    scores = [Result(case=given.scored(split), status="skipped", reason=reason) for split in given.splits]
    return Measured(given, pairs, [(one, one) for one in scores])
