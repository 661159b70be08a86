"""From a raw output tensor to ages, age groups and genders, as the network's ``Head`` says.

Index order is the card's: there are networks with male first and networks with female first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.card import Head

Array = np.ndarray[Any, Any]

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
    derived: bool = False
    """whether the years are an expectation over the middle ages of groups"""


def group_of_true_age(age: float | None) -> int:
    """Return the index of the group that holds ``age`` (whole years completed), or OUTSIDE for a gap or no age."""
    if age is None:
        return OUTSIDE
    return next((i for i, (first, last) in enumerate(GROUP_RANGES) if first <= int(age) <= last), OUTSIDE)


def group_of_predicted_age(years: Array) -> Array:
    """Return the index (N,) of the group that each predicted age falls into; there are no gaps."""
    return np.searchsorted(GROUP_BORDERS, years, side="right")


def decode(head: Head, output: Array) -> Prediction:
    """Read the output tensor (N, K) or (N,) of ``head``. Raises ValueError when K is not the number of labels."""
    rows = output.reshape(len(output), -1).astype(np.float64)
    wanted = 1 if head.decode == "scalar" else len(head.labels)
    if rows.shape[1] != wanted:
        raise ValueError(f"output {head.output!r} has {rows.shape[1]} values a face, the card's head has {wanted}")
    if head.task == "gender":
        if head.decode == "scalar":
            return Prediction(gender=np.asarray(head.labels)[(rows[:, 0] > 0.5).astype(int)])
        return Prediction(gender=np.asarray(head.labels)[rows.argmax(axis=1)])
    if head.task == "age_group":
        years = None if head.years is None else rows @ np.asarray(head.years) / rows.sum(axis=1)
        return Prediction(group=rows.argmax(axis=1), years=years, derived=True)
    if head.decode == "scalar":
        years = rows[:, 0]
        return Prediction(group=group_of_predicted_age(years), years=years)
    ages = np.asarray([float(label) for label in head.labels])
    years = rows @ ages / rows.sum(axis=1)
    member = group_of_predicted_age(ages)
    mass = np.stack([rows[:, member == i].sum(axis=1) for i in range(len(GROUP_RANGES))], axis=1)
    return Prediction(group=mass.argmax(axis=1), years=years if head.decode == "expectation" else ages[rows.argmax(1)])
