"""The rules by which an answer is chosen among candidates.

The best of many is best by luck among its likes, so a choice names what it is not told apart from; of few faces there
is no choice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.differences import FEWEST_FACES, MARGIN
from bench.report.apart import Field, Rival, alike, as_fast, key
from bench.report.candidates import Candidate, Estimate

What = Literal["accuracy", "speed", "accurate within", "fast within", "knee"]


@dataclass(frozen=True)
class Choice:
    """One answer. ``candidate`` is None where there is none, and ``note`` then says why.

    ``elsewhere``: only among networks that were not trained on the data set that they are scored on.
    """

    what: What
    title: str
    candidate: Candidate | None
    rivals: tuple[Rival, ...] = ()
    note: str = ""
    elsewhere: bool = False


@dataclass(frozen=True)
class Step:
    """One step of the Pareto front, from the fastest on: nothing is both faster and more accurate.

    ``told_apart``: whether its accuracy is, from that of the last step before it which is told apart itself.
    """

    candidate: Candidate
    told_apart: bool


def most_accurate(field: Field, what: What, title: str) -> Choice:
    """Return the network with the best score, on the fastest backend of those that score alike."""
    scored = [c for c in field.candidates if c.score is not None]
    if not scored:
        return Choice(what, title, None, note="nothing was scored")
    fewest = min(c.score.n for c in scored if c.score is not None)
    if fewest < FEWEST_FACES:
        return Choice(what, title, None, note=f"{fewest} faces count: {FEWEST_FACES} are needed to say anything")
    heads = by_head(field)
    best = min(heads, key=lambda c: _loss(c, field.metric))
    rivals = [Rival(c, "accuracy", how) for c in heads if c is not best and (how := alike(best, c, field))]
    return Choice(what, title, best, (*rivals, *as_fast(best, _same_head(best, field), field)))


def fastest(field: Field, what: What, title: str) -> Choice:
    """Return the candidate with the lowest median."""
    timed = [c for c in field.candidates if c.p50 is not None]
    if not timed:
        return Choice(what, title, None, note="nothing was timed with one face a run")
    best = min(timed, key=_ms)
    return Choice(what, title, best, tuple(as_fast(best, timed, field)))


def by_head(field: Field) -> list[Candidate]:
    """Return what `best_of_each` says of a field."""
    return best_of_each(field.candidates, field.metric)


def best_of_each(candidates: Sequence[Candidate], metric: str) -> list[Candidate]:
    """Return one candidate for each head and precision of a network: the fastest of those that score alike.

    Alike: no further from the best of them than the margin within which two scores count as equal.
    """
    heads: dict[tuple[str, str, str | None], list[Candidate]] = {}
    for candidate in candidates:
        if candidate.score is not None:
            heads.setdefault(key(candidate), []).append(candidate)
    found = []
    for same in heads.values():
        best = min(_loss(c, metric) for c in same)
        alike = [c for c in same if _loss(c, metric) <= best + MARGIN[metric]]
        found.append(min(alike, key=lambda c: (_ms(c), _loss(c, metric))))
    return found


def within_ms(field: Field, limit_ms: float) -> tuple[Field, str]:
    """Return the candidates whose median is shown to be within a limit: its interval's upper end is.

    With it, in words, which are not shown to be although their median is.
    """
    sure = [c for c in field.candidates if c.p50 is not None and c.p50.high is not None and c.p50.high <= limit_ms]
    near = [c for c in field.candidates if c.p50 is not None and c.p50.value <= limit_ms and c not in sure]
    return field.among(sure), _not_shown(near, [c.p50 for c in near], "median")


def within_years(field: Field, max_mae: float) -> tuple[Field, str]:
    """Return the candidates whose error is shown to be within a limit, and in words which are by their value only."""
    sure = [c for c in field.candidates if c.score is not None and c.score.high is not None and c.score.high <= max_mae]
    near = [c for c in field.candidates if c.score is not None and c.score.value <= max_mae and c not in sure]
    return field.among(sure), _not_shown(near, [c.score for c in near], "error")


def _not_shown(near: Sequence[Candidate], numbers: Sequence[Estimate | None], what: str) -> str:
    found = dict.fromkeys(
        f"{c.name} on {c.backend} {number.text}" for c, number in zip(near, numbers, strict=True) if number is not None
    )
    return f"within the limit by the {what}, not by its interval: {'; '.join(found)}" if found else ""


def front(field: Field) -> tuple[Step, ...]:
    """Return the Pareto front of the heads, each at its fastest, from the fastest to the most accurate."""
    steps: list[Step] = []
    kept: Candidate | None = None
    heads = [c for c in by_head(field) if c.p50 is not None]
    for candidate in sorted(heads, key=lambda c: (_ms(c), _loss(c, field.metric))):
        if steps and _loss(candidate, field.metric) >= _loss(steps[-1].candidate, field.metric):
            continue
        apart = kept is None or not alike(candidate, kept, field)
        kept = candidate if apart else kept
        steps.append(Step(candidate, apart))
    return tuple(steps)


def knee(steps: Sequence[Step], field: Field) -> Choice:
    """Return the step beyond which a better score costs more than before: the farthest from the line between the ends.

    Time counts by its logarithm. Only steps that are told apart count: noise has no knee.
    """
    title, apart = "Knee of the front", [step.candidate for step in steps if step.told_apart]
    if len(apart) < 3:
        count = f"{len(apart)} step{'s' if len(apart) != 1 else ''} of the front"
        return Choice("knee", title, None, note=f"{count} can be told apart: a knee needs 3")
    times, losses = [math.log(_ms(c)) for c in apart], [_loss(c, field.metric) for c in apart]
    across, down = times[-1] - times[0], losses[0] - losses[-1]
    gains = [(losses[0] - loss) / down - (time - times[0]) / across for time, loss in zip(times, losses, strict=True)]
    place = max(range(len(gains)), key=lambda i: gains[i])
    if gains[place] <= 0:
        return Choice("knee", title, None, note="the front has no knee: each step pays more than the one before")
    chosen = apart[place]
    rivals = [Rival(c, "accuracy", how) for c in by_head(field) if c is not chosen and (how := alike(chosen, c, field))]
    return Choice("knee", title, chosen, tuple(r for r in rivals if _ms(r.candidate) <= _ms(chosen)))


def _loss(candidate: Candidate, metric: str) -> float:
    """Return the score with less being better."""
    assert candidate.score is not None
    return candidate.score.value if metric == "mae" else -candidate.score.value


def _ms(candidate: Candidate) -> float:
    return math.inf if candidate.p50 is None else candidate.p50.value


def _same_head(best: Candidate, field: Field) -> list[Candidate]:
    return [c for c in field.candidates if key(c) == key(best)]
