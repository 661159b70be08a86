"""Scores with their 95 % intervals: Wilson's for shares, a seeded percentile bootstrap for years and by subject.

A face whose true age lies between two groups, or beyond the last, counts for the error in years, for no group metric.
One whose age is a range counts for the group that holds the whole range, and for no error in years.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from bench.calibration import quantile, top_label
from bench.columns import MOST_YEARS, Column, columns
from bench.heads import GROUP_BORDERS, Prediction, borders_of, group_shares, other_groups, ranges_of
from bench.intervals import Subjects, among, mean, share, subjects_of
from bench.records import Calibration, Confusion, Score
from bench.slices import Labels, folds, labels_of, sliced
from bench.types import Sample
from zoo.fields import Head

Array = np.ndarray[Any, Any]

SLICED = ("accuracy", "mae")
"""The metrics that are told by slice: of age groups that is the recall of each, of years the error in each."""


def scores(
    head: Head,
    prediction: Prediction,
    samples: Sequence[Sample],
    own_groups: Sequence[str] = (),
    unreadable: int = 0,
    undetected: int = 0,
) -> list[Score]:
    """Score what ``head`` predicted of ``samples``, in the same order. A label that is missing leaves its metrics.

    A head for age groups is scored on its own groups, every other age on the standard eight, and on those that it was
    put into besides (``own_groups``: the data set's). ``unreadable`` and ``undetected``: how many images of the split
    are not among them because they cannot be read, or show no face that a detector finds.
    """
    subjects = subjects_of(s.subject for s in samples)
    labels = labels_of(samples)
    unscored = {"unreadable": unreadable, "no face found": undetected}
    return [
        _score(_Read(head, prediction, samples, own_groups), column, labels, subjects, unscored)
        for column in columns(head, prediction, samples, own_groups)
    ]


class _Read(NamedTuple):
    head: Head
    prediction: Prediction
    samples: Sequence[Sample]
    own_groups: Sequence[str]


def confusion(predicted: Array, truth: Array, labels: Sequence[str]) -> Confusion:
    """Count (N,) predicted and true class indices: predicted in rows, true in columns."""
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (predicted, truth), 1)
    return Confusion(labels=tuple(labels), counts=tuple(tuple(int(c) for c in row) for row in counts))


def _score(
    read: _Read, column: Column, labels: Sequence[Labels], subjects: Subjects | None, unscored: Mapping[str, int]
) -> Score:
    whose = among(subjects, column.faces)
    value, (low, high) = share(column.values, whose) if column.values.dtype == bool else mean(column.values, whose)
    if column.metric == "rmse":
        value, low, high = (float(np.sqrt(number)) for number in (value, low, high))
    table = None
    if column.metric == "accuracy" and column.predicted is not None and column.truth is not None:
        table = confusion(column.predicted, column.truth, column.labels)
    return Score(
        task=column.task,
        metric=column.metric,
        value=value,
        ci95=(low, high),
        n=len(column.faces),
        confusion=table,
        head=read.head.output,
        decode=column.decode,
        derived=column.derived,
        groups=column.groups,
        left_out=_left_out(column, read.samples, unscored),
        subjects=None if whose is None else whose.count,
        curve=_curve(read, column) if column.metric == "cs5" else (),
        folds=folds(column, read.samples),
        slices=sliced(column, labels, subjects) if column.metric in SLICED else (),
        calibration=_calibration(read, column),
    )


def _left_out(column: Column, samples: Sequence[Sample], unscored: Mapping[str, int]) -> dict[str, int]:
    """Count the faces that are not in a column, by why."""
    counts = dict(unscored)
    if column.task == "gender":
        counts["no gender"] = len(samples) - len(column.faces)
    else:
        unknown = sum(s.age is None and (column.task == "age" or s.age_range is None) for s in samples)
        counts["no age" if column.task == "age_group" else "no age in years"] = unknown
        counts["in none of the groups"] = len(samples) - len(column.faces) - unknown
    return {why: count for why, count in counts.items() if count}


def _curve(read: _Read, column: Column) -> tuple[float, ...]:
    """Return the share of errors of at most 0, 1, .. years, without rounding any age."""
    assert read.prediction.years is not None
    errors = np.abs(read.prediction.years[column.faces] - _ages(read, column))
    return tuple(float((errors <= years).mean()) for years in range(MOST_YEARS + 1))


def _calibration(read: _Read, column: Column) -> Calibration | None:
    """Return the calibration of the distribution that a column was read from, kept with accuracy and with mae."""
    if read.prediction.shares is None or column.metric not in SLICED:
        return None
    shares = read.prediction.shares[column.faces]
    if read.head.task != "age":
        return None if column.truth is None else top_label(shares, column.truth)
    ages = np.asarray([float(label) for label in read.head.labels])
    if column.truth is None:
        return quantile(shares, ages, _ages(read, column))
    borders: Sequence[float] = GROUP_BORDERS
    if column.groups is not None:
        borders = borders_of(ranges_of(other_groups(read.own_groups)[column.groups]))
    return top_label(group_shares(shares, ages, borders), column.truth)


def _ages(read: _Read, column: Column) -> Array:
    return np.asarray([read.samples[i].age for i in column.faces], dtype=np.float64)
