"""A score among the faces of each sex, age group, ethnicity and subject, and the largest gap between two of them.

A gap is picked because it is the largest, so its interval is simultaneous over all pairs that it was picked from
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.columns import Column
from bench.heads import OUTSIDE, true_groups
from bench.intervals import Interval, Subjects, among, mean, resampled, share
from bench.records import Folds, Gap, SliceBy, Slices
from bench.types import Sample
from zoo.fields import AGE_GROUPS

Array = np.ndarray[Any, Any]

ENOUGH = 20
"""A slice of fewer faces is shown, and is no candidate for the gap."""

LISTED = 24
"""How many slices of a kind are kept; a data set may have thousands of subjects."""

LISTED_FOLDS = 10
"""Up to how many folds each one's score is kept; leaving out one person at a time makes a fold of each."""


@dataclass(frozen=True)
class Labels:
    """What each of N faces is labelled as: an index into ``names``, or OUTSIDE."""

    by: SliceBy
    names: tuple[str, ...]
    index: Array


def labels_of(samples: Sequence[Sample]) -> list[Labels]:
    """Return what the faces may be sliced by, of whatever is labelled; ages by the standard eight groups."""
    found = [
        Labels("sex", *_numbered([s.gender for s in samples])),
        Labels("age group", AGE_GROUPS, true_groups(samples)),
        Labels("ethnicity", *_numbered([s.ethnicity for s in samples])),
        Labels("subject", *_numbered([s.subject for s in samples])),
    ]
    return [labels for labels in found if (labels.index != OUTSIDE).any()]


def sliced(column: Column, labels: Sequence[Labels], subjects: Subjects | None) -> tuple[Slices, ...]:
    """Return a column's score in every slice; that of age groups in its own groups.

    ``subjects`` are those of all N faces. Within one subject the faces count as independent.
    """
    found = []
    for kind in labels:
        index, names = kind.index[column.faces], kind.names
        if kind.by == "age group" and column.task == "age_group" and column.truth is not None:
            index, names = column.truth, column.labels
        whose = None if kind.by == "subject" else among(subjects, column.faces)
        slices = _slices(kind.by, names, index, column, whose)
        if slices is not None:
            found.append(slices)
    return tuple(found)


def folds(column: Column, samples: Sequence[Sample]) -> Folds | None:
    """Return a column's score in each fold, their mean and standard deviation; None without two folds or more."""
    names, every = _numbered([s.fold for s in samples])
    index = every[column.faces]
    present = [i for i in range(len(names)) if (index == i).any()]
    if len(present) < 2:
        return None
    values = [float(column.values[index == i].mean()) for i in present]
    if column.metric == "rmse":
        values = [float(np.sqrt(value)) for value in values]
    few = len(present) <= LISTED_FOLDS
    by_name = dict(zip((names[i] for i in present), values, strict=True)) if few else {}
    return Folds(mean=float(np.mean(values)), sd=float(np.std(values, ddof=1)), count=len(present), values=by_name)


def _numbered(labels: Sequence[str | None]) -> tuple[tuple[str, ...], Array]:
    names = tuple(sorted({label for label in labels if label is not None}))
    place = {name: i for i, name in enumerate(names)}
    index = (OUTSIDE if label is None else place[label] for label in labels)
    return names, np.fromiter(index, dtype=int, count=len(labels))


def _slices(
    by: SliceBy, names: Sequence[str], index: Array, column: Column, subjects: Subjects | None
) -> Slices | None:
    counts = np.bincount(index[index != OUTSIDE], minlength=len(names))
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return None
    sums = np.bincount(index[index != OUTSIDE], column.values[index != OUTSIDE], len(names))
    values = np.divide(sums, counts, out=np.full(len(names), np.nan), where=counts > 0)
    ends = _ends(values, counts)
    kept = sorted({*present[np.argsort(-counts[present], kind="stable")][:LISTED], *(ends or ())})
    intervals = [_interval(column, index == i, subjects) for i in kept]
    candidates = int((counts >= ENOUGH).sum())
    pairs = candidates * (candidates - 1) // 2
    return Slices(
        by=by,
        labels=tuple(names[i] for i in kept),
        values=tuple(round(float(values[i]), 6) for i in kept),
        low=tuple(round(low, 6) for low, _ in intervals),
        high=tuple(round(high, 6) for _, high in intervals),
        n=tuple(int(counts[i]) for i in kept),
        total=len(present),
        gap=None if ends is None else _gap(column, index, ends, names, subjects, pairs),
    )


def _ends(values: Array, counts: Array) -> tuple[int, int] | None:
    """Return the slices of the highest and the lowest score, among those of enough faces."""
    enough = np.flatnonzero(counts >= ENOUGH)
    if len(enough) < 2:
        return None
    return int(enough[values[enough].argmax()]), int(enough[values[enough].argmin()])


def _interval(column: Column, faces: Array, subjects: Subjects | None) -> Interval:
    whose, values = among(subjects, faces), column.values[faces]
    return (share(values, whose) if values.dtype == bool else mean(values, whose))[1]


def _gap(
    column: Column, index: Array, ends: tuple[int, int], names: Sequence[str], subjects: Subjects | None, pairs: int
) -> Gap:
    from scipy.stats import t

    first, last = (column.values[index == i].astype(np.float64) for i in ends)
    value = float(first.mean() - last.mean())
    drawn = [int((index == i).sum()) for i in ends]
    if subjects is not None:
        drawn = [len(np.unique(subjects.index[index == i])) for i in ends]
    freedom = max(1, min(drawn) - 1)  # the careful choice: shares of few faces have longer tails than Welch's count
    half = float(t.ppf(1 - 0.025 / pairs, freedom)) * _error_of_difference(column, index, ends, subjects)
    low, high = value - half, value + half
    if column.values.dtype == bool:
        low, high = max(-1.0, low), min(1.0, high)
    return Gap(
        highest=names[ends[0]],
        lowest=names[ends[1]],
        value=round(value, 6),
        interval=(round(low, 6), round(high, 6)),
    )


def _error_of_difference(column: Column, index: Array, ends: tuple[int, int], subjects: Subjects | None) -> float:
    """Return the standard error of the difference of two slices, never less than that of independent faces.

    The two may show the same subjects, so these are drawn for both at once.
    """
    each = [column.values[index == i] for i in ends]
    independent = float(np.sqrt(sum(map(_variance_of_mean, each))))
    if subjects is None:
        return independent
    faces = np.flatnonzero((index == ends[0]) | (index == ends[1]))
    inside = np.stack([index[faces] == i for i in ends], axis=1).astype(np.float64)
    drawn = resampled(np.concatenate([inside * column.values[faces][:, None], inside], axis=1), among(subjects, faces))
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample may hold nobody of a slice
        differences = drawn[:, 0] / drawn[:, 2] - drawn[:, 1] / drawn[:, 3]
    return max(independent, float(np.nanstd(differences, ddof=1)))


def _variance_of_mean(values: Array) -> float:
    """Return the variance of a mean; of a share with one hit and one miss added, for a slice without one of them.

    Agresti and Caffo, "Simple and Effective Confidence Intervals for Proportions and Differences of Proportions", 2000.
    """
    if values.dtype == bool:
        share = (values.sum() + 1) / (len(values) + 2)
        return float(share * (1 - share) / (len(values) + 2))
    return float(values.var(ddof=1) / len(values))
