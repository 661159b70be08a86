"""The scenarios: each size of a growing batch, a pass over a whole split, the rate of requests that keeps a limit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from bench.check.allowed import Allowed
from bench.check.facts import same_host
from bench.check.findings import Finding, Verdict
from bench.check.latency import judged
from bench.check.pairs import Pair
from bench.points import best_rate
from bench.records import Point, Result
from bench.sides import Side

STEP = 1 / 32
"""To this part of the highest rate tried a search of five trials knows the rate."""


def findings(pair: Pair, baseline: Side, candidate: Side, allowed: Allowed, *, paired: bool) -> list[Finding]:
    """Judge the points of two results of one scenario; nothing where the case has none."""
    before, now = pair.first, pair.second
    if not before.points or not now.points:
        return []
    if now.case.scenario == "server":
        return [_rate(pair, allowed, same=same_host(baseline, candidate))]
    sides = (baseline, candidate)
    old, new = (_passes(result) for result in (before, now))
    found = [
        judged(pair, "throughput", (_rounds(old[key]), _rounds(new[key])), sides, allowed, paired=paired, which=key)
        for key in old
        if key in new
    ]
    return [*found, *_ends(pair, list(old), list(new))]


def _passes(result: Result) -> dict[str, Point]:
    """Return what is judged by the words for it: every size of a sweep, or the pass with both parts overlapped."""
    if result.case.scenario == "batch":
        return {f", batch {point.batch}": point for point in result.points if point.times_ms}
    whole = [point for point in result.points if point.part == "overlapped" and point.times_ms]
    return {"": whole[0]} if whole else {}


def _rounds(point: Point) -> list[tuple[float, ...]]:
    """Return a point's times by round; each pass over a split is a round."""
    return point.by_round() or [(time,) for time in point.times_ms]


def _ends(pair: Pair, old: list[str], new: list[str]) -> Iterator[Finding]:
    if old != new:
        lost = [key for key in old if key not in new]
        verdict: Verdict = "not compared" if lost else "new"
        why = "other sizes: a sweep ends where a doubling brings too little, or memory is lacking"
        both = (f"{len(old)} sizes", f"{len(new)} sizes")
        yield Finding(pair.words, "throughput", verdict, *both, why, pair.second.case)


def _rate(pair: Pair, allowed: Allowed, *, same: bool) -> Finding:
    """Judge the highest rate that kept the limit: the outcome of one search, so never an alarm by itself."""
    before, now = pair.first, pair.second
    old, new = (best_rate(result.points) for result in (before, now))
    rates = [0.0 if point is None else point.rate_per_s or 0.0 for point in (old, new)]
    words, both = pair.words, (f"{rates[0]:.1f} requests/s", f"{rates[1]:.1f} requests/s")
    if not same:
        return Finding(words, "throughput", "not compared", *both, "another machine", now.case)
    tried = max((point.rate_per_s or 0.0 for point in (*before.points, *now.points)), default=0.0)
    least = rates[0] / (1 + allowed.slowdown) - STEP * tried
    limits = [max((point.limit_ms or 0.0 for point in result.points), default=0.0) for result in (before, now)]
    if not math.isclose(*limits, rel_tol=1e-3):  # a baseline file has it rounded
        return Finding(words, "throughput", "not compared", *both, "held to another limit: give --limit-ms", now.case)
    verdict: Verdict = "ok" if rates[1] >= least else "open"
    why = f"one search of few trials, without an interval; {allowed.slowdown:.0%} allowed, and a step of the search"
    return Finding(words, "throughput", verdict, *both, why, now.case)
