"""What is not in the running, where and why: nothing that was planned disappears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.records import Result, RunRecord, Score
from bench.report.candidates import METRIC, Absent, Candidate, Question
from bench.report.running import Place, estimate, one_view, place_of, refused, timed
from bench.report.scores import Labels, cards
from zoo.card import Card


def absent(
    run: RunRecord,
    results: Sequence[Result],
    question: Question | None,
    candidates: Sequence[Candidate],
) -> list[Absent]:
    """Return every network of the run that is not a candidate for a question somewhere, with where and why."""
    there = {Place(c.network, c.backend, c.device, c.precision) for c in candidates}
    reasons: dict[tuple[str, str], list[str]] = {}
    for place, why in _left_out(run, results, question):
        if place not in there:
            where = "" if place.backend == "" else f"{place.backend} ({place.device}, {place.precision})"
            reasons.setdefault((place.network, why), []).append(where)
    return [Absent(name, tuple(filter(None, where)), why) for (name, why), where in reasons.items()]


def _left_out(run: RunRecord, results: Sequence[Result], question: Question | None) -> Iterator[tuple[Place, str]]:
    times, scores, places = timed(results), _scores(results, question), dict[Place, None]()
    for result in results:
        case = result.case
        of_it = case.kind == "latency" or question is None
        if of_it or (case.dataset, case.split) == (question and question.dataset, question and question.split):
            places[place_of(case)] = None
    known = {name: next(iter(cards([name])), None) for name in (*run.config.networks, *(p.network for p in places))}
    for name in known:
        if not any(place.network == name for place in places):
            yield Place(name, "", "", ""), "no case of it is in this run's results"
    for place in places:
        card = known[place.network]
        why = refused(place.network, place.backend, card, question)
        yield place, why or _unmeasured(place, card, scores, times, question)


def _scores(results: Sequence[Result], question: Question | None) -> dict[Place, Result]:
    if question is None:
        return {}
    images = question.dataset, question.split
    return {
        place_of(r.case): r for r in results if r.case.kind == "accuracy" and (r.case.dataset, r.case.split) == images
    }


def _unmeasured(
    place: Place,
    card: Card | None,
    scores: Mapping[Place, Result],
    times: Mapping[Place, Sequence[Result]],
    question: Question | None,
) -> str:
    of_it = times.get(place._replace(network=place.network.partition("@")[0]), ())
    score = scores.get(place)
    if score is not None and of_it and score.reason is not None and score.reason == of_it[0].reason:
        return f"neither scored nor timed ({score.status}): {score.reason}"
    said = [] if question is None else [_unscored(score, question)]
    if not one_view(place.network, card):
        said.append("it takes ten views of each face, and that is not timed")
    elif times:
        said.append(_untimed(of_it))
    return "; ".join(filter(None, said)) or "not measured"


def _unscored(result: Result | None, question: Question) -> str:
    if result is None:
        return "not scored on these images"
    if result.status != "ok":
        return f"not scored ({result.status}): {result.reason}"
    if result.fingerprint is not None and result.fingerprint.split_sha256 != question.split_sha256:
        return "scored on other images of that name"
    found = [s for s in result.scores if (s.task, s.metric) == (question.task, METRIC[question.task])]
    if not found:
        return "it says no age in years" if question.task == "age" else "not scored for this"
    alike = [s for s in found if _labels(s) == question.labels]
    return f"scored {estimate(alike[0]).text}" if alike else "scored on other age groups"


def _labels(score: Score) -> Labels:
    return score.confusion.labels if score.task == "age_group" and score.confusion else ()


def _untimed(found: Sequence[Result]) -> str:
    if not found:
        return "no latency at batch 1"
    if any(result.status == "ok" for result in found):
        return ""
    return f"no latency at batch 1 ({found[0].status}): {found[0].reason}"
