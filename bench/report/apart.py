"""Whether two candidates can be told apart, in accuracy or in speed; what cannot be is named with how that is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from bench import verdict
from bench.comparison import Compared, Contender, kind
from bench.differences import MARGIN
from bench.records import Case, Latency
from bench.report.candidates import METRIC, Candidate, Estimate, Question

Pair = frozenset[tuple[str, str, str | None]]
"""Two heads, each as its network, precision and output."""


Paired = Mapping[Pair, str]
"""The verdicts of paired comparisons of heads on the same faces, where the run kept what was said of each face."""


def paired_verdicts(images: tuple[str, str, str, str], compared: Iterable[Compared]) -> dict[Question, Paired]:
    """Return the verdicts of comparisons face by face on one split (``images``: its part of a question)."""
    found: dict[Question, dict[Pair, str]] = {}
    for pair in compared:
        task, metric, labels = kind(pair.first)
        if metric == METRIC[task]:
            heads = frozenset(_head(contender) for contender in (pair.first, pair.second))
            found.setdefault(Question(*images, task, labels), {})[heads] = pair.verdict
    return dict(found)


def _head(contender: Contender) -> tuple[str, str, str | None]:
    case = contender.predictions.result.case
    return case.network, case.precision, contender.head.output


@dataclass(frozen=True)
class Rival:
    """One that the chosen one is not told apart from, in accuracy or in speed, and how that is known."""

    candidate: Candidate
    of: Literal["accuracy", "speed"]
    how: str


@dataclass(frozen=True)
class Field:
    """Candidates for one question, with what tells them apart. ``metric`` is that of their score."""

    candidates: tuple[Candidate, ...]
    metric: str
    paired: Paired
    latencies: Mapping[Case, Latency]

    def among(self, candidates: Iterable[Candidate]) -> Field:
        """Return the same with fewer candidates."""
        return Field(tuple(candidates), self.metric, self.paired, self.latencies)


def key(candidate: Candidate) -> tuple[str, str, str | None]:
    """Return what makes two candidates the same head, wherever it runs."""
    return candidate.network, candidate.precision, candidate.head


def alike(best: Candidate, other: Candidate, field: Field) -> str:
    """Return how it is known that two scores are not told apart; empty where they are."""
    said = field.paired.get(frozenset((key(best), key(other))))
    if said is not None:
        margin = MARGIN[field.metric]
        words = f"{margin:g} years" if field.metric == "mae" else f"{100 * margin:g} point"
        return {"different": "", "equal": f"equal within {words}, in pairs"}.get(said, f"{said}, in pairs")
    return _overlap(best.score, other.score)


def as_fast(best: Candidate, others: Iterable[Candidate], field: Field) -> list[Rival]:
    """Return those of ``others`` that are not told to be slower than ``best``."""
    found = []
    for other in others:
        if other is not best and other.p50 is not None and (how := _no_slower(best, other, field.latencies)):
            found.append(Rival(other, "speed", how))
    return found


def _no_slower(best: Candidate, other: Candidate, latencies: Mapping[Case, Latency]) -> str:
    """Return how it is known that another is not told to be slower by the rule of a check; empty where it is."""
    if best.latency_case is None or other.latency_case is None:
        return "not timed"
    if best.latency_case == other.latency_case:
        return "timed as one"
    quick, slow = latencies[best.latency_case], latencies[other.latency_case]
    if min(slow.times_ms) > max(quick.times_ms):
        return ""
    if not quick.rounds or not slow.rounds:
        return _overlap(best.p50, other.p50)
    paired = _side_by_side(best.latency_case, other.latency_case) and len(quick.rounds) == len(slow.rounds)
    said = verdict.compare(quick.by_round(), slow.by_round(), paired=paired)
    beside = "side by side" if paired else "not side by side"
    return "" if said.verdict == "slower" else f"{said.why}, {beside}"


def _overlap(first: Estimate | None, second: Estimate | None) -> str:
    if first is None or second is None or first.low is None or second.low is None:
        return "no interval"
    assert first.high is not None
    assert second.high is not None
    return "intervals overlap" if first.low <= second.high and second.low <= first.high else ""


def _side_by_side(first: Case, second: Case) -> bool:
    """Whether two cases of latency took turns: those of one network, precision and number of threads do."""
    return (first.network, first.precision, first.threads) == (second.network, second.precision, second.threads)
