"""The first screen of a report: the answer as a short table and a sentence each, every number with its evidence's link.

What is asked of other age groups than the standard eight is answered too, but folded away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from bench.report import front_chart, front_picture
from bench.report.album import Album
from bench.report.answer import Absent, Answer, Answers, Candidate, Choice, Estimate, Rival
from bench.report.tables import Row
from bench.statistics import ENOUGH

SCORES = {"mae": "MAE years [95 %]", "accuracy": "exact % [95 %]"}


def sections(found: Answers, album: Album) -> list[dict[str, Any]]:
    """Return one section for each answer: its table, sentences, picture, front, and what is not in the running."""
    alike = Counter(_images(answer) for answer in found.answers)
    return [
        {
            "name": answer.name,
            "first": answer.first,
            "notes": [*answer.cautions, *answer.missing],
            "rows": [_choice_row(answer, choice) for choice in answer.choices if choice.candidate is not None],
            "said": [_said(choice) for choice in answer.choices],
            "picture": front_picture.draw(
                answer, album, found.limit_ms, found.max_mae, alone=alike[_images(answer)] == 1
            ),
            "chart": partial(front_chart.draw, answer, found.limit_ms, found.max_mae),
            "front": _front_rows(answer),
            "candidates": _candidate_rows(answer),
            "absent": absent_rows(answer.absent),
        }
        for answer in found.answers
    ]


def _images(answer: Answer) -> tuple[object, ...]:
    """Return what pictures are called by, which answers on two splits of one name share."""
    q = answer.question
    return () if q is None else (q.dataset, q.split, q.task, q.labels)


def _choice_row(answer: Answer, choice: Choice) -> Row:
    assert choice.candidate is not None
    return {"": choice.title, **_row(answer, choice.candidate), "evidence": _evidence(choice.candidate)}


def _row(answer: Answer, one: Candidate) -> Row:
    row = {"network": one.name, "backend": one.where}
    if answer.question is not None:
        row[SCORES[answer.metric]] = _cell(one.score)
        if answer.question.task == "age_group":
            row["one-off % [95 %]"] = _cell(one.one_off)
        row["n faces"] = "-" if one.score is None else str(one.score.n)
    if any(c.p50 is not None for c in answer.candidates):
        row["p50 ms [95 %]"] = _cell(one.p50)
        row["p99 ms"] = f"n<{ENOUGH[99]}" if one.p99_ms is None else f"{one.p99_ms:.2f}"
        row["n runs"] = "-" if one.p50 is None else str(one.p50.n)
    return row


def _cell(number: Estimate | None) -> str:
    return "-" if number is None else number.text.replace(f" {number.symbol} ", " ")


def _evidence(one: Candidate) -> str:
    links = [("scores", one.score_anchor), ("latency", one.latency_anchor)]
    return ", ".join(f"[{word}](#{anchor})" for word, anchor in links if anchor)


def _said(choice: Choice) -> str:
    """Return a choice in one or two sentences: what it is not told apart from, and what else to know."""
    one = choice.candidate
    if one is None:
        return f"**{choice.title}**: no answer; {choice.note}."
    numbers = " in ".join(number.value_text for number in (one.score, one.p50) if number is not None)
    said = [f"**{choice.title}**: {one.name} on {one.backend}, {numbers}"]
    for of in ("accuracy", "speed"):
        rivals = [rival for rival in choice.rivals if rival.of == of]
        if rivals:
            said.append(f"not told apart in {of} from {_rivals(rivals)}")
    said += filter(None, [one.home, choice.note])
    return "; ".join(said) + "."


def _rivals(rivals: Sequence[Rival]) -> str:
    """Return rivals in words, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for rival in rivals:
        one = rival.candidate
        number = one.score if rival.of == "accuracy" else one.p50
        where = "" if rival.of == "accuracy" else f" on {one.backend}"
        worth = "" if number is None else f" {number.value_text}"
        reasons.setdefault(rival.how, []).append(f"{one.name}{where}{worth}")
    return "; ".join(f"{', '.join(dict.fromkeys(named))} ({how})" for how, named in reasons.items())


def _front_rows(answer: Answer) -> list[Row]:
    return [
        {
            **_row(answer, step.candidate),
            "told apart from the step before": "-" if number == 0 else "yes" if step.told_apart else "no",
        }
        for number, step in enumerate(answer.front)
    ]


def _candidate_rows(answer: Answer) -> list[Row]:
    """Return all candidates, the most accurate first, and of one network the fastest first."""
    higher = -1 if answer.metric == "accuracy" else 1

    def place(one: Candidate) -> tuple[float, str, float]:
        return (
            0.0 if one.score is None else round(higher * one.score.value, 4),
            one.name,
            0.0 if one.p50 is None else one.p50.value,
        )

    rows = []
    for one in sorted(answer.candidates, key=place):
        rows.append({**_row(answer, one), "trained on": one.training, "to know": "; ".join(one.marks) or "-"})
    return rows


def absent_rows(found: Iterable[Absent]) -> list[Row]:
    """Return what is not in the running; networks of one reason in the same places share a row."""
    alike: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for one in found:
        alike.setdefault((one.where, one.reason), []).append(one.network)
    return [
        {"network": ", ".join(networks), "on": ", ".join(where) or "-", "why": why}
        for (where, why), networks in alike.items()
    ]
