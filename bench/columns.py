"""What each metric says of each face. Every metric is the mean of such a column, that of rmse its mean's root.

Scores, slices and paired comparisons all start here, so they can never disagree about which faces count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bench.heads import GROUP_RANGES, OUTSIDE, Prediction, Ranges, other_groups, ranges_of, true_groups
from bench.records import Decode, GroupSet
from bench.types import Sample
from zoo.fields import AGE_GROUPS, Head

Array = np.ndarray[Any, Any]
Task = Literal["age", "age_group", "gender"]
Metric = Literal["accuracy", "one_off", "mae", "rmse", "cs5"]

MOST_YEARS = 10
"""How far the cumulative score goes: CS@0 to CS@10."""


@dataclass(frozen=True)
class Column:
    """One metric of one head: ``values`` (n,) of the faces that count, ``faces`` (n,) their places among all N.

    ``predicted`` and ``truth`` are the class indices (n,) among ``labels``, where there are classes.
    """

    task: Task
    metric: Metric
    faces: Array
    values: Array
    groups: GroupSet | None = None
    labels: tuple[str, ...] = ()
    predicted: Array | None = None
    truth: Array | None = None
    decode: Decode | None = None
    derived: bool = False


def columns(
    head: Head, prediction: Prediction, samples: Sequence[Sample], own_groups: Sequence[str] = ()
) -> list[Column]:
    """Return the columns of what ``head`` predicted of ``samples``, in the same order.

    A label that is missing leaves its metrics. A head for age groups is scored on its own groups, every other age on
    the standard eight, and on whatever else it was put into; ``own_groups`` are the data set's.
    """
    return list(_columns(head, prediction, samples, own_groups))


def _columns(
    head: Head, prediction: Prediction, samples: Sequence[Sample], own_groups: Sequence[str]
) -> Iterator[Column]:
    if prediction.gender is not None:
        yield from _gender(head, prediction.gender, samples, prediction.decode.get("gender"))
    if prediction.group is not None:
        own = head.task == "age_group"
        labels, ranges = (head.labels, head.ranges()) if own else (AGE_GROUPS, GROUP_RANGES)
        said: dict[str, Any] = {"decode": prediction.decode.get("age_group"), "derived": not own}
        yield from _groups(prediction.group, labels, ranges, samples, said)
    for name, labels in other_groups(own_groups).items():
        if name in prediction.regrouped:
            said = {"decode": prediction.decode.get("age_group"), "derived": True, "groups": name}
            yield from _groups(prediction.regrouped[name], labels, ranges_of(labels), samples, said)
    if prediction.years is not None:
        said = {"decode": prediction.decode.get("age"), "derived": head.task != "age"}
        yield from _years(prediction.years, samples, said)


def _gender(head: Head, predicted: Array, samples: Sequence[Sample], decode: Decode | None) -> Iterator[Column]:
    index = {label: i for i, label in enumerate(head.labels)}
    truth = np.asarray([OUTSIDE if s.gender is None else index[s.gender] for s in samples])
    faces = np.flatnonzero(truth != OUTSIDE)
    said = np.asarray([index[p] for p in predicted[faces]], dtype=int)
    if len(faces):
        values, true = said == truth[faces], truth[faces]
        yield Column("gender", "accuracy", faces, values, None, head.labels, said, true, decode)


def _groups(
    predicted: Array, labels: tuple[str, ...], ranges: Ranges, samples: Sequence[Sample], said: dict[str, Any]
) -> Iterator[Column]:
    truth = true_groups(samples, ranges)
    faces = np.flatnonzero(truth != OUTSIDE)
    if len(faces):
        away = np.abs(predicted[faces] - truth[faces])
        both = {"labels": labels, "predicted": predicted[faces], "truth": truth[faces], **said}
        yield Column("age_group", "accuracy", faces, away == 0, **both)
        yield Column("age_group", "one_off", faces, away <= 1, **both)


def _years(predicted: Array, samples: Sequence[Sample], said: dict[str, Any]) -> Iterator[Column]:
    ages = np.asarray([np.nan if s.age is None else s.age for s in samples])
    faces = np.flatnonzero(~np.isnan(ages))
    if len(faces):
        errors = np.abs(predicted[faces] - ages[faces])
        yield Column("age", "mae", faces, errors, **said)
        yield Column("age", "rmse", faces, errors**2, **said)
        yield Column("age", "cs5", faces, errors <= 5, **said)
