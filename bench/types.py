"""The nouns of the benchmark, all frozen; this module imports nothing of ours, and workers import it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Literal

import numpy as np

Feeds = dict[str, np.ndarray[Any, Any]]
"""Tensors by name: what goes into a network, and what comes out of it."""

Run = Callable[[Feeds], Feeds]
"""One inference: host tensors in, host tensors out."""

Stages = dict[str, float]
"""Milliseconds of the parts of one inference: ``host_to_device``, ``inference``, ``device_to_host``."""


class Unavailable(Exception):  # noqa: N818 - it says what it is
    """A backend cannot use the device that was asked for, or cannot prove that it does. Says why."""


class Advice(StrEnum):
    """What may be odd about a row; a warning begins with one of these words, and says what to do about it."""

    UNSTEADY = "unsteady"
    DRIFT = "drift"
    OUTLIERS = "outliers"
    FREQUENCY = "frequency"
    LOAD = "load"
    THROTTLED = "throttled"
    FIRST_SLOW = "first-slow"
    FEW_RUNS = "few-runs"
    PARTIAL = "partial"
    SKIPPED = "skipped"


def _as_given(feeds: Feeds) -> Feeds:
    return feeds


def _none() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Session:
    """One model opened by one backend."""

    run: Run
    placement: Callable[[], dict[str, int]]
    """after the first run: how many nodes ran where, the device's own place first"""
    details: Mapping[str, str]
    """the choices that a runtime leaves open, such as engine or provider options"""
    prepare: Callable[[Feeds], Feeds] = _as_given
    """brings feeds, NCHW as in the ONNX file, into the layout that ``run`` takes; it is not timed"""
    strays: Callable[[], tuple[str, ...]] = _none
    """after the first run: the names of the nodes that ran elsewhere than on the device"""
    staged: Callable[[Feeds], tuple[Feeds, Stages]] | None = None
    """one run with the milliseconds of its stages, where the runtime can tell them apart"""
    device_memory_mb: Callable[[], float | None] | None = None
    """what the process holds of the device's own memory; None where nobody tells"""
    clock: Callable[[], int] = perf_counter_ns
    """what runs are timed by, in ns; only a script of made-up times has another (``null``)"""


_NO_FEATURES: Mapping[str, np.ndarray[Any, Any]] = {}
"""Shared by all samples that have none: a split may hold half a million."""


def _no_features() -> Mapping[str, np.ndarray[Any, Any]]:
    return _NO_FEATURES


@dataclass(frozen=True, slots=True)
class Sample:
    """One labelled face. ``name`` is unique in its split; for folder datasets it is the file name.

    ``path`` is its image. A data set without images has ``features`` instead, by the tap that they were taken at, each
    a vector (F,) of float32; ``path`` is then the file of one of them.

    A face whose age is known only to lie in a range has ``age_range`` and no ``age``: it counts for a group that holds
    the whole range, and for no error in years.
    """

    name: str
    path: Path
    age: float | None
    """years"""
    gender: Literal["male", "female"] | None
    features: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=_no_features, compare=False, repr=False)
    age_range: tuple[float, float] | None = None
    """first and last whole year, both included; the last is infinite where the range is open"""
    subject: str | None = None
    """whose face it is, where the data set says"""
    ethnicity: str | None = None
    """in the data set's own words"""
    fold: str | None = None
    """the part of the data set's own protocol that it belongs to"""


@dataclass(frozen=True)
class Split:
    """The labelled images that a score is measured on, in a fixed order, and how they came about."""

    dataset: str
    split: str
    label_rule: str
    """one line: how the labels and the split were made, for the report"""
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()
    """counted leavings, such as ``390 byte-duplicates dropped``"""
    age_groups: tuple[str, ...] = ()
    """the data set's own age groups, where it has any: ranges such as ``25-32``, the last one open: ``70-``"""

    @property
    def folds(self) -> tuple[str, ...]:
        """The folds that its faces are in, sorted; none where the data set has no fold protocol."""
        return tuple(sorted({sample.fold for sample in self.samples if sample.fold is not None}))
