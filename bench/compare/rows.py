"""One comparison each: a latency, a score, or whatever else has a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from bench.check import cases, networks
from bench.check.allowed import Allowed
from bench.check.facts import same_host
from bench.check.findings import Finding
from bench.check.pairs import Pair
from bench.points import headline
from bench.sides import Side
from bench.verdict import compare


@dataclass(frozen=True)
class Timed:
    """A latency on both sides: medians in ms, how many times as long the second takes with its 95 % interval."""

    case: str
    first_ms: float
    second_ms: float
    ratio: float
    interval: tuple[float, float] | None
    verdict: Literal["slower", "faster", "equal", "open"]
    rounds: int


@dataclass(frozen=True)
class Other:
    """Anything else that is not the same on both sides."""

    case: str
    dimension: str
    first: str
    second: str
    verdict: str
    why: str


def timed(pairs: Sequence[Pair], max_slowdown: float) -> list[Timed]:
    """Return the latencies of all pairs that have any, by the rule for two runs at different times."""
    found = []
    for pair in pairs:
        before, now = pair.first.latency, pair.second.latency
        if before is None or now is None or not before.times_ms or not now.times_ms:
            continue
        old, new = (latency.in_rounds() for latency in (before, now))
        verdict = compare(old, new, max_slowdown, paired=False)
        middles = median(before.times_ms), median(now.times_ms)
        fewest = min(len(old), len(new))
        found.append(Timed(pair.words, *middles, verdict.ratio, verdict.interval, verdict.verdict, fewest))
    return found


WORDS = {"regression": "worse"}
"""A check's words that a comparison has others for: here neither side is the one to be kept."""


def others(pairs: Sequence[Pair], first: Side, second: Side) -> list[Other]:
    """Return what else is other than on the first side, by the bounds of a check; what is within them is left out."""
    found: list[Finding] = networks.findings(first, second, Allowed())
    told = [Other(f.case, f.dimension, f.baseline, f.candidate, _word(f), f.why) for f in found if f.verdict != "ok"]
    for pair in pairs:
        host = same_host(first, second)
        told += [
            Other(pair.words, f.dimension, f.baseline, f.candidate, _word(f, pair), f.why)
            for f in cases.findings(pair, Allowed(), same_host=host)
            if f.verdict != "ok"
        ]
        if pair.first.points and pair.second.points:
            both = headline(pair.first.points), headline(pair.second.points)
            told.append(
                Other(pair.words, "throughput", *both, "told", "what the scenario found; bench check judges it")
            )
    return told


def _word(finding: Finding, pair: Pair | None = None) -> str:
    if pair is not None and finding.dimension in {"placement", "nodes"} and {"backend", "device"} & set(pair.differ):
        return "another backend"
    return WORDS.get(finding.verdict, finding.verdict)
