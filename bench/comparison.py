"""Cases against each other on the same faces: pair by pair, and which faces' group or sex changes.

Two cases are compared only where their splits have the same fingerprint, on the faces that both could read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from bench.columns import Column, Metric, Task, columns
from bench.differences import MARGIN, Difference, Verdict, holm, of_shares, of_years, verdict
from bench.heads import OUTSIDE, true_groups
from bench.intervals import Subjects, subjects_of
from bench.predictions import Predictions
from bench.records import WHOLE
from bench.types import Sample
from converters.errors import BadInput
from zoo.fields import AGE_GROUPS, Head

Array = np.ndarray[Any, Any]

NAMED = 20
"""How many of the faces that flip are named."""


@dataclass(frozen=True)
class Contender:
    """One head of one case in one metric: ``name`` is what a table calls it."""

    name: str
    predictions: Predictions
    head: Head
    column: Column

    @property
    def samples(self) -> Sequence[Sample]:
        """The faces that count, in the order of the column's values."""
        return [self.predictions.samples[i] for i in self.column.faces]


@dataclass(frozen=True)
class Compared:
    """Two contenders, their difference, its p-value as adjusted for all pairs of the table, and the verdict."""

    first: Contender
    second: Contender
    difference: Difference
    p: float
    verdict: Verdict


@dataclass(frozen=True)
class Flips:
    """How many of ``n`` faces a head puts into another group, or says another sex of, in two cases; who they are.

    ``counts`` are by true age group and true sex, ``-`` where unknown or in no group. ``names`` are the first NAMED.
    """

    head: str
    what: Literal["age group", "sex"]
    n: int
    count: int
    counts: dict[tuple[str, str], int]
    names: tuple[str, ...]


def contenders(name: str, predictions: Predictions) -> list[Contender]:
    """Return all that a case can be compared in: every head and metric that has a margin."""
    found = []
    for head, said in predictions.heads:
        for column in columns(head, said, predictions.samples, predictions.own_groups):
            if column.metric in MARGIN:
                found.append(Contender(name, predictions, head, column))
    return found


def kind(contender: Contender) -> tuple[Task, Metric, tuple[str, ...]]:
    """Return what contenders must have in common: task, metric and age groups."""
    column = contender.column
    return column.task, column.metric, column.labels if column.task == "age_group" else ()


def compare(rivals: Sequence[Contender]) -> list[Compared]:
    """Compare every two of ``rivals``, which are of one kind, on the faces that all of them have.

    p-values are adjusted by Holm over these pairs. Raises BadInput for rivals on different splits.
    """
    for rival in rivals[1:]:
        refuse_another_split(rivals[0].predictions, rival.predictions)
    values, subjects = aligned(rivals)
    pairs = list(combinations(range(len(rivals)), 2))
    if kind(rivals[0])[1] == "mae":
        years = of_years(values, subjects)
        found = [years[pair] for pair in pairs]
    else:
        found = [of_shares(values[:, i], values[:, j], subjects) for i, j in pairs]
    margin, adjusted = MARGIN[kind(rivals[0])[1]], holm([difference.p for difference in found])
    return [
        Compared(rivals[i], rivals[j], difference, p, verdict(difference, margin, p))
        for (i, j), difference, p in zip(pairs, found, adjusted, strict=True)
    ]


def refuse_another_split(first: Predictions, second: Predictions) -> None:
    """Raise BadInput where two cases were not scored on the same images with the same labels."""
    prints = [p.result.fingerprint.split_sha256 if p.result.fingerprint else "none" for p in (first, second)]
    if prints[0] != prints[1]:
        cases = [f"{p.result.case.network} on {p.result.case.dataset}:{p.result.case.split}" for p in (first, second)]
        raise BadInput(
            f"no pairs: {cases[0]} has the split fingerprint {prints[0][:16]}, {cases[1]} {prints[1][:16]}; "
            "measure both on one split"
        )
    ways = [p.result.fingerprint.faces if p.result.fingerprint else WHOLE for p in (first, second)]
    if ways[0] != ways[1]:
        raise BadInput(f"no pairs: one was measured with --faces {ways[0]}, the other with {ways[1]}")


def aligned(rivals: Sequence[Contender]) -> tuple[Array, Subjects | None]:
    """Return the values (N, K) of the faces that all K rivals have, a face a row, and who these are of."""
    first = rivals[0]
    if all(
        r.predictions.samples is first.predictions.samples and np.array_equal(r.column.faces, first.column.faces)
        for r in rivals
    ):
        return np.stack([r.column.values for r in rivals], axis=1), _subjects(first.samples)
    places = [{s.name: i for i, s in enumerate(rival.samples)} for rival in rivals]
    names = [s.name for s in first.samples if all(s.name in place for place in places[1:])]
    if not names:
        raise BadInput(f"no pairs: {first.name} and {rivals[-1].name} have no face in common")
    rows = [np.asarray([place[name] for name in names]) for place in places]
    values = np.stack([r.column.values[row] for r, row in zip(rivals, rows, strict=True)], axis=1)
    samples = first.samples
    return values, _subjects([samples[i] for i in rows[0]])


def _subjects(samples: Sequence[Sample]) -> Subjects | None:
    return subjects_of(s.subject for s in samples)


def flips(first: Predictions, second: Predictions) -> list[Flips]:
    """Return the faces whose group or sex changes from one case of a network to another, for each head."""
    refuse_another_split(first, second)
    place = {sample.name: i for i, sample in enumerate(second.samples)}
    mine = np.asarray([i for i, sample in enumerate(first.samples) if sample.name in place], dtype=int)
    theirs = np.asarray([place[first.samples[i].name] for i in mine], dtype=int)
    others = {head.output: said for head, said in second.heads}
    found = []
    for head, said in first.heads:
        if head.output not in others:
            continue
        other = others[head.output]
        whats: tuple[tuple[Literal["age group", "sex"], Array | None, Array | None], ...] = (
            ("age group", said.group, other.group),
            ("sex", said.gender, other.gender),
        )
        for what, ours, its in whats:
            if ours is not None and its is not None:
                changed = mine[ours[mine] != its[theirs]]
                found.append(_flips(head, what, len(mine), [first.samples[i] for i in changed]))
    return found


def farthest_years(first: Predictions, second: Predictions) -> float | None:
    """Return by how many years two cases of a network differ at most in the age of a face; None if they say none."""
    place = {sample.name: i for i, sample in enumerate(second.samples)}
    pairs = [(i, place[s.name]) for i, s in enumerate(first.samples) if s.name in place]
    others = {head.output: said.years for head, said in second.heads}
    mine, theirs = np.asarray(pairs, dtype=int).reshape(-1, 2).T
    both = [(said.years, others.get(head.output)) for head, said in first.heads]
    found = [np.abs(a[mine] - b[theirs]).max() for a, b in both if a is not None and b is not None and len(mine)]
    return float(max(found)) if found else None


def _flips(head: Head, what: Literal["age group", "sex"], n: int, changed: Sequence[Sample]) -> Flips:
    labels, ranges = (head.labels, head.ranges()) if head.task == "age_group" else (AGE_GROUPS, None)
    groups = true_groups(changed) if ranges is None else true_groups(changed, ranges)
    counts: Counter[tuple[str, str]] = Counter(
        ("-" if group == OUTSIDE else labels[group], sample.gender or "-")
        for group, sample in zip(groups, changed, strict=True)
    )
    ordered = {
        key: counts[key]
        for group in (*labels, "-")
        for sex in ("female", "male", "-")
        if (key := (group, sex)) in counts
    }
    return Flips(head.output, what, n, len(changed), ordered, tuple(s.name for s in changed[:NAMED]))
