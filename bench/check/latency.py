"""Slower or not, by the one rule of `bench.verdict`, from all raw times.

Only times of one machine are held against each other; those of two machines are first put in units of something that
both machines timed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.check.allowed import Allowed
from bench.check.facts import same_host
from bench.check.findings import Dimension, Finding, Verdict
from bench.check.pairs import Pair
from bench.check.references import Relative, relative
from bench.sides import Side
from bench.statistics import Rounds
from bench.types import Advice
from bench.verdict import Verdict as Comparison
from bench.verdict import compare

WORDS: dict[str, Verdict] = {"slower": "regression", "faster": "better", "equal": "ok", "open": "open"}
"""What each verdict on two measurements means to a check."""


def findings(pair: Pair, baseline: Side, candidate: Side, allowed: Allowed, *, paired: bool) -> list[Finding]:
    """Judge two latencies; nothing where the case has none."""
    before, now = pair.first.latency, pair.second.latency
    if before is None or now is None or not before.times_ms or not now.times_ms:
        return []
    old, new = (latency.in_rounds() for latency in (before, now))
    return [judged(pair, "latency", (old, new), (baseline, candidate), allowed, paired=paired)]


def judged(
    pair: Pair,
    dimension: Dimension,
    rounds: tuple[Rounds, Rounds],
    sides: tuple[Side, Side],
    allowed: Allowed,
    *,
    paired: bool,
    which: str = "",
) -> Finding:
    """Judge the rounds of a case on both sides; ``which`` says what part of the case they are of."""
    words, both, case = pair.words + which, (_median(rounds[0]), _median(rounds[1])), pair.second.case
    results, runs = (sides[0].results, sides[1].results), (sides[0].run, sides[1].run)
    units = relative((pair.first.case, case), rounds, results, runs)
    if same_host(*sides):
        found = compare(*rounds, allowed.slowdown, paired=paired and len(rounds[0]) == len(rounds[1]))
        why = f"{_told(found)}; {allowed.slowdown:.0%} allowed"
        if found.alarm and not paired:
            why += _disturbed(pair)
            if units is not None and pair.first.case.threads == case.threads:
                why += _hint(units, allowed)
        return Finding(words, dimension, WORDS[found.verdict], *both, why, case)
    if units is None:
        why = "another machine, and no reference that both runs timed: neither source rows nor the machine's own limits"
        return Finding(words, dimension, "not compared", *both, why, case)
    found = compare(units.baseline, units.candidate, allowed.slowdown_elsewhere, paired=False)
    why = f"another machine: as part of {units.by} {_told(found)}; {allowed.slowdown_elsewhere:.0%} allowed"
    return Finding(words, dimension, WORDS[found.verdict], *both, why, case)


def _told(found: Comparison) -> str:
    return f"{found.ratio - 1:+.1%}, {found.why}" if found.interval is None else found.why


DISTURBED = (Advice.LOAD, Advice.THROTTLED, Advice.FREQUENCY)


def _disturbed(pair: Pair) -> str:
    """Return what a slower row itself warns of that another program, or heat, may be to blame for."""
    warned = [text for text in pair.second.warnings if text.startswith(DISTURBED)]
    return f"; the run warns: {warned[0].partition(';')[0]}" if warned else ""


def _hint(units: Relative, allowed: Allowed) -> str:
    """Return that the reference became slower too, where it did: that excuses nothing, but says where to look."""
    found = compare(units.baseline, units.candidate, allowed.slowdown, paired=False)
    if found.alarm:
        return ""
    return f"; but as part of {units.by} {found.ratio - 1:+.1%}: perhaps the machine's doing, measure both side by side"


def _median(rounds: Sequence[Sequence[float]]) -> str:
    return f"{np.median([time for times in rounds for time in times]):.3g} ms"
