"""From a raw output tensor to ages, age groups and genders, as the network's ``Head`` says.

Index order is the card's: there are networks with male first and networks with female first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.records import Decode
from bench.types import Sample
from zoo.fields import Head

Array = np.ndarray[Any, Any]
Ranges = Sequence[tuple[float, float]]

GROUP_RANGES = ((0, 2), (4, 6), (8, 13), (15, 20), (25, 32), (38, 43), (48, 53), (60, np.inf))
"""First and last whole year of each of the eight age groups; the years between them belong to none."""

GROUP_BORDERS = (3, 7, 14, 22.5, 35.5, 45.5, 56.5)
"""Where one group ends and the next begins for a predicted age: the middles of the gaps."""

OUTSIDE = -1
"""The group of an age in a gap, or of no age at all."""


@dataclass(frozen=True)
class Prediction:
    """What a head says of N faces; what it does not say is None."""

    group: Array | None = None
    """(N,) index of the age group"""
    years: Array | None = None
    """(N,) age in years"""
    gender: Array | None = None
    """(N,) ``male`` or ``female``"""
    decode: Mapping[str, Decode] = field(default_factory=dict)
    """how each was read, by task: ``age_group``, ``age``, ``gender``"""


def group_of_true_age(age: float | None, ranges: Ranges = GROUP_RANGES) -> int:
    """Return the index of the range that holds ``age`` (whole years completed), or OUTSIDE for a gap or no age."""
    if age is None:
        return OUTSIDE
    return next((i for i, (first, last) in enumerate(ranges) if first <= int(age) <= last), OUTSIDE)


def group_of_sample(sample: Sample, ranges: Ranges = GROUP_RANGES) -> int:
    """Return the index of the range that holds all that is known of a face's age, or OUTSIDE.

    An exact age counts where it lies; an age range only where one group holds the whole of it, so 10-19 counts for
    none of the eight groups, and 8-12 for 8-13.
    """
    if sample.age is not None or sample.age_range is None:
        return group_of_true_age(sample.age, ranges)
    low, high = sample.age_range
    return next((i for i, (first, last) in enumerate(ranges) if first <= low and high <= last), OUTSIDE)


def group_of_predicted_age(years: Array) -> Array:
    """Return the index (N,) of the group that each predicted age falls into; there are no gaps."""
    return np.searchsorted(GROUP_BORDERS, years, side="right")


def decode(head: Head, output: Array) -> Prediction:
    """Read the output tensor (N, K) or (N,) of ``head``.

    Raises ValueError when K is not the number of labels, for age groups that are not to be read by argmax, and where
    the shares to be averaged do not add up to anything.
    """
    if head.task == "age_group" and head.decode != "argmax":
        raise ValueError(f"output {head.output!r}: age groups are read by argmax, not by {head.decode}")
    rows = output.reshape(len(output), -1).astype(np.float64)
    wanted = 1 if head.decode == "scalar" else len(head.labels)
    if rows.shape[1] != wanted:
        raise ValueError(f"output {head.output!r} has {rows.shape[1]} values a face, the card's head has {wanted}")
    if head.task == "gender":
        index = (rows[:, 0] > 0.5).astype(int) if head.decode == "scalar" else rows.argmax(axis=1)
        return Prediction(gender=np.asarray(head.labels)[index], decode={"gender": head.decode})
    if head.task == "age_group":
        years = None if head.years is None else _expectation(head, rows, np.asarray(head.years))
        return Prediction(group=rows.argmax(axis=1), years=years, decode={"age_group": "argmax", "age": "expectation"})
    if head.decode == "scalar":
        groups = group_of_predicted_age(rows[:, 0])
        return Prediction(group=groups, years=rows[:, 0], decode={"age_group": "borders", "age": "scalar"})
    ages = np.asarray([float(label) for label in head.labels])
    years = _expectation(head, rows, ages) if head.decode == "expectation" else ages[rows.argmax(axis=1)]
    member = group_of_predicted_age(ages)
    mass = np.stack([rows[:, member == i].sum(axis=1) for i in range(len(GROUP_RANGES))], axis=1)
    return Prediction(group=mass.argmax(axis=1), years=years, decode={"age_group": "mass", "age": head.decode})


def _expectation(head: Head, shares: Array, years: Array) -> Array:
    """Return the mean (N,) of ``years`` (K,), weighted by ``shares`` (N, K)."""
    totals = shares.sum(axis=1)
    if (totals <= 0).any():
        raise ValueError(f"output {head.output!r} has shares that add up to {totals.min():g}: there is no mean of them")
    mean: Array = shares @ years / totals
    return mean
