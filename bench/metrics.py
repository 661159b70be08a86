"""Scores with their 95 % intervals: Wilson's for shares, a seeded percentile bootstrap for years.

A face whose true age lies between two groups, or beyond the last, counts for the error in years, for no group metric.
One whose age is a range counts for the group that holds the whole range, and for no error in years.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.heads import GROUP_RANGES, OUTSIDE, Prediction, group_of_sample
from bench.records import Confusion, Score
from bench.types import Sample
from zoo.fields import AGE_GROUPS, Head

Array = np.ndarray[Any, Any]
SEED = 20150607


def scores(head: Head, prediction: Prediction, samples: Sequence[Sample]) -> list[Score]:
    """Score what ``head`` predicted of ``samples``, in the same order. A label that is missing leaves its metrics.

    A head for age groups is scored on its own groups, every other age on the standard eight.
    """
    found: list[Score] = []
    if prediction.gender is not None:
        known = np.asarray([s.gender is not None for s in samples])
        truth = np.asarray([s.gender or "" for s in samples])
        if known.any():
            found.append(_gender(prediction.gender[known], truth[known], head.labels))
    if prediction.group is not None:
        labels, ranges = (head.labels, head.ranges()) if head.task == "age_group" else (AGE_GROUPS, GROUP_RANGES)
        truth = np.asarray([group_of_sample(s, ranges) for s in samples])
        inside = truth != OUTSIDE
        if inside.any():
            found += _groups(prediction.group[inside], truth[inside], labels)
    if prediction.years is not None:
        known = np.asarray([s.age is not None for s in samples])
        if known.any():
            truth = np.asarray([s.age for s in samples if s.age is not None])
            found += _years(np.abs(prediction.years[known] - truth))
    return [
        score.model_copy(
            update={
                "head": head.output,
                "decode": prediction.decode.get(score.task),
                "derived": score.task != head.task,
            }
        )
        for score in found
    ]


def confusion(predicted: Array, truth: Array, labels: Sequence[str]) -> Confusion:
    """Count (N,) predicted and true class indices: predicted in rows, true in columns."""
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (predicted, truth), 1)
    return Confusion(labels=tuple(labels), counts=tuple(tuple(int(c) for c in row) for row in counts))


def share(hits: Array) -> tuple[float, tuple[float, float]]:
    """Return the share of true values and its 95 % Wilson score interval."""
    from scipy.stats import binomtest

    interval = binomtest(int(hits.sum()), len(hits)).proportion_ci(method="wilson")
    return float(hits.mean()), (float(interval.low), float(interval.high))


def _gender(predicted: Array, truth: Array, labels: Sequence[str]) -> Score:
    value, ci95 = share(predicted == truth)
    index = {label: i for i, label in enumerate(labels)}
    table = confusion(np.asarray([index[p] for p in predicted]), np.asarray([index[t] for t in truth]), labels)
    return Score(task="gender", metric="accuracy", value=value, ci95=ci95, n=len(truth), confusion=table)


def _groups(predicted: Array, truth: Array, labels: Sequence[str]) -> list[Score]:
    value, ci95 = share(predicted == truth)
    near, near95 = share(np.abs(predicted - truth) <= 1)
    table = confusion(predicted, truth, labels)
    return [
        Score(task="age_group", metric="accuracy", value=value, ci95=ci95, n=len(truth), confusion=table),
        Score(task="age_group", metric="one_off", value=near, ci95=near95, n=len(truth)),
    ]


def _years(errors: Array) -> list[Score]:
    close, close95 = share(errors <= 5)
    return [
        Score(task="age", metric="mae", value=float(errors.mean()), ci95=_bootstrap(errors), n=len(errors)),
        Score(
            task="age",
            metric="rmse",
            value=float(np.sqrt(np.mean(errors**2))),
            ci95=tuple(np.sqrt(_bootstrap(errors**2))),
            n=len(errors),
        ),
        Score(task="age", metric="cs5", value=close, ci95=close95, n=len(errors)),
    ]


def _bootstrap(values: Array) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean of ``values`` (N,); 1,000 resamples, seeded."""
    from scipy.stats import bootstrap

    if len(values) < 2 or np.ptp(values) == 0:
        return float(values.mean()), float(values.mean())
    rng = np.random.default_rng(SEED)
    result = bootstrap((values,), np.mean, n_resamples=1000, method="percentile", batch=50, rng=rng)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)
