"""From a raw output tensor to ages, age groups and genders, as the network's ``Head`` says.

Index order is the card's: there are networks with male first and networks with female first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from bench.records import Decode, GroupSet
from bench.types import Sample
from zoo.fields import AGE_GROUPS, Head

Array = np.ndarray[Any, Any]
Ranges = Sequence[tuple[float, float]]

GROUP_RANGES = ((0, 2), (4, 6), (8, 13), (15, 20), (25, 32), (38, 43), (48, 53), (60, np.inf))
"""First and last whole year of each of the eight age groups; the years between them belong to none."""

GROUP_BORDERS = (3, 7, 14, 22.5, 35.5, 45.5, 56.5)
"""Where one group ends and the next begins for a predicted age: the middles of the gaps."""

TWELVE_GROUPS = tuple(f"{first}-{first + 4}" for first in range(0, 60, 5))
"""The twelve groups of five years that ages up to 60 are cut into, as the RoR networks have them."""

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
    regrouped: Mapping[GroupSet, Array] = field(default_factory=dict)
    """(N,) index of the group among other groups than the standard eight, of a head that says an age"""
    shares: Array | None = None
    """(N, K) the distribution over the head's labels, where what it says is one"""


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


def true_groups(samples: Sequence[Sample], ranges: Ranges = GROUP_RANGES) -> Array:
    """Return the index (N,) of the range that each face's age, or its whole range of ages, is in; else OUTSIDE."""
    groups = (group_of_sample(s, ranges) for s in samples)
    return np.fromiter(groups, dtype=int, count=len(samples))


def ranges_of(labels: Sequence[str]) -> Ranges:
    """Return first and last whole year of each of the groups ``25-32``, ``60-``; ValueError where one is no range."""
    return Head(task="age_group", output="-", decode="argmax", labels=tuple(labels)).ranges()


def borders_of(ranges: Ranges) -> tuple[float, ...]:
    """Return where one range ends and the next begins for a predicted age: the middle of a gap, or the next's first.

    The standard eight have GROUP_BORDERS instead, of which one is not the middle.
    """
    return tuple(first if first == last + 1 else (last + first) / 2 for (_, last), (first, _) in pairwise(ranges))


def other_groups(own: Sequence[str]) -> dict[GroupSet, tuple[str, ...]]:
    """Return the groups beside the standard eight that ages are also counted in; ``own``: the data set's, if any."""
    found: dict[GroupSet, tuple[str, ...]] = {"twelve": TWELVE_GROUPS}
    if own and tuple(own) not in (AGE_GROUPS, TWELVE_GROUPS):
        found["dataset"] = tuple(own)
    return found


def group_of_predicted_age(years: Array, borders: Sequence[float] = GROUP_BORDERS) -> Array:
    """Return the index (N,) of the group that each predicted age falls into; there are no gaps."""
    return np.searchsorted(borders, years, side="right")


def decode(head: Head, output: Array, others: Mapping[GroupSet, Sequence[str]] | None = None) -> Prediction:
    """Read the output tensor (N, K) or (N,) of ``head``; ``others``: further groups that an age is put into.

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
        both = np.column_stack([1 - rows[:, 0], rows[:, 0]]) if head.decode == "scalar" else rows
        genders = np.asarray(head.labels)[index]
        return Prediction(gender=genders, decode={"gender": head.decode}, shares=_distribution(both))
    if head.task == "age_group":
        years = None if head.years is None else _expectation(head, rows, np.asarray(head.years))
        how: dict[str, Decode] = {"age_group": "argmax", "age": "expectation"}
        return Prediction(group=rows.argmax(axis=1), years=years, decode=how, shares=_distribution(rows))
    borders = {name: borders_of(ranges_of(labels)) for name, labels in (others or {}).items()}
    if head.decode == "scalar":
        return Prediction(
            group=group_of_predicted_age(rows[:, 0]),
            years=rows[:, 0],
            decode={"age_group": "borders", "age": "scalar"},
            regrouped={name: group_of_predicted_age(rows[:, 0], between) for name, between in borders.items()},
        )
    ages = np.asarray([float(label) for label in head.labels])
    return Prediction(
        group=_most_mass(rows, ages, GROUP_BORDERS),
        years=_expectation(head, rows, ages) if head.decode == "expectation" else ages[rows.argmax(axis=1)],
        decode={"age_group": "mass", "age": head.decode},
        regrouped={name: _most_mass(rows, ages, between) for name, between in borders.items()},
        shares=_distribution(rows),
    )


def group_shares(shares: Array, ages: Array, borders: Sequence[float] = GROUP_BORDERS) -> Array:
    """Return the share (N, groups) of a distribution (N, K) over ``ages`` (K,) that lies in each group."""
    member = group_of_predicted_age(ages, borders)
    return np.stack([shares[:, member == i].sum(axis=1) for i in range(len(borders) + 1)], axis=1)


def _most_mass(rows: Array, ages: Array, borders: Sequence[float]) -> Array:
    most: Array = group_shares(rows, ages, borders).argmax(axis=1)
    return most


def _distribution(rows: Array) -> Array | None:
    """Return ``rows`` where each is a distribution: no share below zero, and a sum of 1 within a thousandth."""
    whole = (rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=1e-3)
    return rows if whole else None


def _expectation(head: Head, shares: Array, years: Array) -> Array:
    """Return the mean (N,) of ``years`` (K,), weighted by ``shares`` (N, K)."""
    totals = shares.sum(axis=1)
    if (totals <= 0).any():
        raise ValueError(f"output {head.output!r} has shares that add up to {totals.min():g}: there is no mean of them")
    mean: Array = shares @ years / totals
    return mean
