"""How often the comparator raises an alarm: where nothing differs, where something does, and when it is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from time import monotonic

import numpy as np

from bench.selftest.check import Check, most
from bench.selftest.pairs import SIDES, Measure, Pair
from bench.statistics import Rounds
from bench.verdict import MAX_SLOWDOWN, Verdict, compare

FALSE_ALARMS = 0.02
POWER = 0.95
SAME = "the same"
MUST_BE_FOUND = ("+10 %", "+25 %")

Comparator = Callable[[Rounds, Rounds], Verdict]
Repetitions = Mapping[str, Sequence[Pair]]
"""By side what was timed of it."""

BROKEN: Mapping[str, Comparator] = {
    "with its sign flipped": lambda baseline, candidate: compare(candidate, baseline),
    "that never raises an alarm": lambda _, __: Verdict("equal", 1.0, None, "broken"),
    "that always raises one": lambda _, __: Verdict("slower", 2.0, None, "broken"),
}


def repeat(
    fresh: Callable[[], AbstractContextManager[Measure]],
    wanted: Mapping[str, int],
    sets: int,
    seconds: float,
    tell: Callable[[str], None],
) -> dict[str, list[Pair]]:
    """Time each side as often as ``wanted`` says, in ``sets`` of fresh workers, all sides of a set in turns.

    Ends after ``seconds`` with what there is by then; ``tell`` is called with the side before each repetition.
    """
    deadline = monotonic() + seconds
    found: dict[str, list[Pair]] = {side: [] for side in wanted}
    for number in range(sets):
        goals = {side: count * (number + 1) // sets for side, count in wanted.items()}
        with fresh() as measure:
            for side in _in_turns(goals, found):
                if monotonic() > deadline:
                    return found
                tell(side)
                found[side].append(measure(side))
    return found


def _in_turns(goals: Mapping[str, int], found: Mapping[str, Sequence[Pair]]) -> Iterator[str]:
    """Yield sides, evenly spread, until each is at its goal."""
    starts = {side: len(found[side]) for side in goals}
    while any(len(found[side]) < goal for side, goal in goals.items()):
        yield min(
            (side for side, goal in goals.items() if len(found[side]) < goal),
            key=lambda side: (len(found[side]) - starts[side]) / (goals[side] - starts[side]),
        )


def judge(
    found: Repetitions, wanted: Mapping[str, int], *, short: bool, comparator: Comparator = compare
) -> list[Check]:
    """Hold the alarms of a comparator to their bounds: those of a network beside itself, and those that are due."""
    return [_judged(side, found[side], wanted[side], comparator, short=short) for side in wanted]


def _judged(side: str, pairs: Sequence[Pair], wanted: int, comparator: Comparator, *, short: bool) -> Check:
    verdicts = [comparator(pair.baseline, pair.candidate) for pair in pairs]
    alarms, count = sum(verdict.alarm for verdict in verdicts), len(pairs)
    ratio = f", median ratio {np.median([verdict.ratio for verdict in verdicts]):.3f}" if verdicts else ""
    measured = f"{alarms} alarms in {count}{ratio}"
    rule = f"more than {MAX_SLOWDOWN:.0%} slower"
    title = f"{SIDES[side]} % slower" if side != SAME else "the same network beside itself"
    if count < wanted:
        return Check(title, f"{measured}; the time was up", f"{wanted} repetitions", passed=False)
    if side == SAME:
        allowed = most(count, FALSE_ALARMS, short=short)
        return Check(title, measured, f"at most {allowed} of {count} '{rule}'", alarms <= allowed)
    if side not in MUST_BE_FOUND:
        return Check(title, measured, "none: it is the bound itself", None)
    least = count - most(count, 1 - POWER, short=short)
    return Check(title, measured, f"at least {least} of {count} '{rule}'", alarms >= least)


def broken_ones_are_caught(found: Repetitions, wanted: Mapping[str, int], *, short: bool) -> list[Check]:
    """Judge comparators that are broken by what was timed: the self-test has to fail each of them."""
    checks = []
    for name, comparator in BROKEN.items():
        failed = [c for c in judge(found, wanted, short=short, comparator=comparator) if c.passed is False]
        measured = f"fails: {failed[0].test}, {failed[0].measured}" if failed else "passes"
        checks.append(Check(f"a comparator {name}", measured.partition(", median")[0], "fails", bool(failed)))
    return checks
