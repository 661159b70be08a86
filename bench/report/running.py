"""What is in the running: what was both timed and scored on one backend.

An input variant shares its network's graph, so it has that network's times; one of ten views has none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from bench.preprocess import views
from bench.records import Case, Result, Score
from bench.report.candidates import METRIC, Candidate, Estimate, Question, home, latency_anchor, score_anchor
from bench.report.scores import Reading, cards
from bench.report.speed import SOURCE
from bench.statistics import LEAST_ROUNDS, median_interval, percentile
from zoo.card import Card

NO_RUNTIME = {
    SOURCE: "it is the original framework, which the others are held against",
    "null": "it runs nothing: its times are made up",
}
"""Backends that nobody deploys."""


class Place(NamedTuple):
    """Where a network runs."""

    network: str
    backend: str
    device: str
    precision: str


def timed(results: Sequence[Result]) -> dict[Place, list[Result]]:
    """Return what was timed with one face a run, also what was skipped or failed, by the graph and where it ran."""
    found: dict[Place, list[Result]] = {}
    for result in results:
        case = result.case
        if case.kind == "latency" and case.scenario in (None, "single") and case.batch == 1:
            found.setdefault(place_of(case, graph=True), []).append(result)
    return found


def place_of(case: Case, *, graph: bool = False) -> Place:
    """Return where a case ran; ``graph``: with the input variants of a network as one."""
    network = case.network.partition("@")[0] if graph else case.network
    return Place(network, case.backend, case.device, case.precision)


def in_the_running(
    question: Question, found: Sequence[Reading], times: Mapping[Place, Sequence[Result]]
) -> list[Candidate]:
    """Return the candidates for a question; those without a time only where there is no time at all."""
    known = {card.name: card for network in _networks(found) for card in cards([network])}
    heads = {network: {r.head for r in found if r.result.case.network == network} for network in _networks(found)}
    whole: list[Candidate] = []
    scored: list[Candidate] = []
    for reading in _once(found):
        case = reading.result.case
        card = known.get(case.network.partition("@")[0])
        if refused(case.network, case.backend, card, question) is not None:
            continue
        several = len(heads[case.network]) > 1
        scored.append(_candidate(question, reading, None, card, several))
        for result in times.get(place_of(case, graph=True), ()):
            if result.status == "ok" and result.latency is not None and one_view(case.network, card):
                whole.append(_candidate(question, reading, result, card, several))
    return whole or scored


def only_timed(times: Mapping[Place, Sequence[Result]]) -> list[Candidate]:
    """Return the candidates of a run without accuracy: speed is all that can be asked."""
    found = []
    for place, results in times.items():
        card = next(iter(cards([place.network])), None)
        for result in results:
            if result.status == "ok" and result.latency is not None and place.backend not in NO_RUNTIME:
                found.append(_candidate(None, None, result, card, False))
    return found


def refused(network: str, backend: str, card: Card | None, question: Question | None) -> str | None:
    """Return why a network on a backend is no candidate whatever its numbers are; None where it may be one."""
    if card is not None and card.seeded:
        return "its weights are random numbers: for timing only"
    if card is not None and not card.heads:
        return f"it is for {card.purpose}"
    if question is not None and card is not None and all(_says(h.task) != _says(question.task) for h in card.heads):
        return f"it has no head for {_says(question.task)}"
    if question is not None and card is not None and f"{question.dataset}:{question.split}" in card.training_sets:
        return f"it was trained on {question.dataset}:{question.split}, so its score there says nothing"
    return NO_RUNTIME.get(backend)


def _says(task: str) -> str:
    return "gender" if task == "gender" else "age"


def one_view(network: str, card: Card | None) -> bool:
    """Whether a network looks at each face once, so that a run of one tensor is one face."""
    return card is None or network not in card.networks() or views(card.networks()[network]) == 1


def _networks(found: Sequence[Reading]) -> list[str]:
    return list(dict.fromkeys(reading.result.case.network for reading in found))


def _once(found: Sequence[Reading]) -> list[Reading]:
    """Return each head once whatever the number of threads: its answers do not depend on them."""
    first: dict[tuple[Place, str | None], Reading] = {}
    for reading in found:
        first.setdefault((place_of(reading.result.case), reading.head), reading)
    return list(first.values())


def estimate(score: Score) -> Estimate:
    """Return a score as an estimate."""
    unit: Literal["years", "share"] = "years" if score.metric in ("mae", "rmse") else "share"
    return Estimate(score.value, *score.ci95, score.n, unit)


def _candidate(
    question: Question | None, reading: Reading | None, result: Result | None, card: Card | None, several: bool
) -> Candidate:
    measured = reading.result if reading is not None else result
    assert measured is not None
    case, times = measured.case, None if result is None else result.latency
    scores = {} if reading is None else reading.scores
    score = None if question is None else scores.get(METRIC[question.task])
    one_off = scores.get("one_off") if question is not None and question.task == "age_group" else None
    p50 = None
    if times is not None:
        low, high = median_interval(times.times_ms, times.by_round()) or (None, None)
        p50 = Estimate(float(np.median(times.times_ms)), low, high, len(times.times_ms), "ms")
    words = [(reading.head if reading and several else "") or "", "" if case.precision == "fp32" else case.precision]
    return Candidate(
        name=", ".join(filter(None, [case.network, *words])),
        network=case.network,
        backend=case.backend,
        device=case.device,
        precision=case.precision,
        threads=None if result is None else result.case.threads,
        head=None if reading is None else reading.head,
        score=None if score is None else estimate(score),
        one_off=None if one_off is None else estimate(one_off),
        p50=p50,
        p90_ms=None if times is None else percentile(times.times_ms, 90),
        p99_ms=None if times is None else percentile(times.times_ms, 99),
        home="" if question is None or card is None else home(card, question),
        training=(card.trained_on if card is not None else "") or "not stated",
        marks=tuple(_marks(reading, result, card)),
        score_anchor="" if question is None else score_anchor(question),
        latency_anchor="" if result is None else latency_anchor(1, result.case.threads, result.case.precision),
        latency_case=None if result is None else result.case,
        score_case=None if reading is None else reading.result.case,
    )


def _marks(reading: Reading | None, result: Result | None, card: Card | None) -> Iterator[str]:
    if reading is not None and reading.derived:
        yield "derived: the network says something else, from which this follows"
    if result is not None and result.strays:
        yield f"{len(result.strays)} nodes ran elsewhere than on {result.case.device}"
    if reading is not None and result is not None and reading.result.case.network != result.case.network:
        yield f"timed as {result.case.network}, whose graph it shares"
    if result is not None and result.latency is not None and 0 < len(result.latency.rounds) < LEAST_ROUNDS:
        yield f"{len(result.latency.rounds)} rounds: {LEAST_ROUNDS} are needed for an interval of p50"
    if card is None:
        yield "its card is no longer in the zoo: its training set is not known"
