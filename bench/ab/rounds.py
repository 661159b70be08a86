"""Rounds of both sides in turn, in sets of fresh workers, for as long as the verdict is open.

What two processes differ by for as long as they live, where their memory lies, is then not taken for a difference of
the sides. So ``slower`` and ``faster`` are only told of two sets at least, where the budget holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from statistics import median

from bench import latency
from bench.ab.given import Given, Pair, Tell, labelled, team_of, with_threads
from bench.ab.loading import Examined
from bench.accuracy import Network
from bench.records import Latency, Result
from bench.team import Team
from bench.verdict import compare

SET_SECONDS = latency.BUDGET
"""Of timed runs a side in one set of rounds."""


def time_pairs(given: Given, examined: Sequence[Sequence[Examined]], pairs: Sequence[Pair], tell: Tell) -> None:
    """Time the pairs that both sides can run: sets of fresh workers, twice as many at each look, while any is open."""
    going = [pair for place, pair in enumerate(pairs) if all(looked[place].first is not None for looked in examined)]
    sets, look = 0, 1
    while going:
        networks = {side.label: _network(looked) for side, looked in zip(given.sides, examined, strict=True)}
        with team_of(given, networks) as team:
            for pair in going:
                _set(given, pair, sets, team, tell)
        sets += 1
        going = [pair for pair in going if _ok(pair) and _spent(pair) < given.budget]
        if sets == look:
            going = [pair for pair in going if not _closed(pair)]
            look *= 2


def _network(looked: Sequence[Examined]) -> Network:
    return next(one.network for one in looked if one.network is not None)


def _set(given: Given, pair: Pair, number: int, team: Team, tell: Tell) -> None:
    """Take one more set of rounds of both sides; every other set starts with the other side."""
    case, sides = pair.results[0].case, given.sides if number % 2 == 0 else given.sides[::-1]
    measured = latency.measure(
        [labelled(case, side) for side in sides], team, given.network.golden, tell, min(SET_SECONDS, given.budget)
    )
    found = {side.label: result.model_copy(update={"case": case}) for side, result in zip(sides, measured, strict=True)}
    merged = []
    for place, side in enumerate(given.sides):
        now = with_threads(found[side.label], side)
        if now.latency is not None:
            pair.cold_ms[place].append(now.latency.cold_ms)
        merged.append(_merged(pair.results[place], now, pair.cold_ms[place]) if number else now)
    pair.results, pair.sets = (merged[0], merged[1]), number + 1
    if _ok(pair):
        first, second = map(_rounds, pair.results)
        pair.verdict = compare(first, second, given.max_slowdown, paired=True)


def _merged(before: Result, now: Result, cold_ms: Sequence[Mapping[str, float]]) -> Result:
    """Return the rounds of all sets as one Result, with the medians of the cold starts. What failed stands alone."""
    if before.latency is None or now.latency is None:
        return now
    both = Latency(
        times_ms=(*before.latency.times_ms, *now.latency.times_ms),
        rounds=(*before.latency.rounds, *now.latency.rounds),
        cold_ms={stage: median(one[stage] for one in cold_ms) for stage in now.latency.cold_ms},
    )
    warnings = tuple(dict.fromkeys((*before.warnings, *now.warnings)))
    return before.model_copy(update={"latency": both, "warnings": warnings})


def _ok(pair: Pair) -> bool:
    return all(result.status == "ok" for result in pair.results)


def _rounds(result: Result) -> list[tuple[float, ...]]:
    assert result.latency is not None
    return result.latency.by_round()


def _spent(pair: Pair) -> float:
    """Return the seconds of timed runs of the slower side."""
    return max(sum(chain(*_rounds(result))) for result in pair.results) / 1000


def _closed(pair: Pair) -> bool:
    """Whether a verdict stands: that two are not alike only by two sets of workers."""
    assert pair.verdict is not None
    return pair.verdict.verdict == "equal" or (pair.verdict.verdict != "open" and pair.sets > 1)
