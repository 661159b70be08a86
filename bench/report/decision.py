"""All choices for one question: by accuracy, by speed, and of both under limits or at the knee of the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.report import choices as rules
from bench.report.apart import Field
from bench.report.candidates import Question, source_of
from bench.report.choices import Choice, Step


def decide(
    question: Question | None, field: Field, steps: Sequence[Step], limit_ms: float | None, max_mae: float | None
) -> list[Choice]:
    """Return all choices for a question, in the order they are read: accuracy, speed, both.

    Each that fell on a network that was trained on the data set of the question is followed by the same without such.
    """
    if question is None:
        return [rules.fastest(field, "speed", "Best speed")]
    timed = any(c.p50 is not None for c in field.candidates)
    found = [rules.most_accurate(field, "accuracy", "Best accuracy")]
    found += [rules.fastest(field, "speed", "Best speed")] if timed else []
    limited = timed and (limit_ms is not None or (max_mae is not None and question.task == "age"))
    found += within(field, limit_ms, max_mae) if limited else [rules.knee(steps, field)] if timed else []
    return [c for choice in found for c in (choice, *_elsewhere(question, field, choice, limit_ms, max_mae))]


def _elsewhere(
    question: Question, field: Field, choice: Choice, limit_ms: float | None, max_mae: float | None
) -> list[Choice]:
    """Return the same choice without the networks that were trained on the data set, where it fell on one of them."""
    away = field.among(c for c in field.candidates if not c.home)
    if choice.candidate is None or not choice.candidate.home or not away.candidates:
        return []
    if choice.what in ("speed", "knee"):
        return []
    if choice.what == "accuracy":
        others = [rules.most_accurate(away, "accuracy", choice.title)]
    else:
        others = [c for c in within(away, limit_ms, max_mae) if c.what == choice.what]
    return [replace(c, title=f"{c.title}, not trained on {source_of(question)}", elsewhere=True) for c in others]


def within(field: Field, limit_ms: float | None, max_mae: float | None) -> list[Choice]:
    """Return what is best under the limits: the most accurate for a limit in ms, the fastest for one in years.

    Without limits the most accurate; under both each of them meets both.
    """
    words: list[str] = []
    notes: list[str] = []
    if limit_ms is not None:
        field, note = rules.within_ms(field, limit_ms)
        words, notes = [*words, f"{limit_ms:g} ms"], [*notes, note]
    if max_mae is not None and field.metric == "mae":
        field, note = rules.within_years(field, max_mae)
        words, notes = [*words, f"{max_mae:g} years"], [*notes, note]
    if not words:
        return [rules.most_accurate(field, "accuracy", "Best accuracy")]
    title, found = " and ".join(words), list[Choice]()
    if limit_ms is not None:
        found.append(rules.most_accurate(field, "accurate within", f"Most accurate within {title}"))
    if max_mae is not None and field.metric == "mae":
        found.append(rules.fastest(field, "fast within", f"Fastest within {title}"))
    said = "; ".join(filter(None, notes))
    if not field.candidates:
        none = f"none is shown to be within {title}" + (f"; {said}" if said else "")
        return [Choice(c.what, c.title, None, note=none) for c in found]
    return [Choice(c.what, c.title, c.candidate, c.rivals, "; ".join(filter(None, (c.note, said)))) for c in found]
