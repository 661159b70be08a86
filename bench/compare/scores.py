"""Scores of two runs: in pairs, face by face, where both kept their answers; else by their intervals, and said so.

Both have to be of the same images with the same labels; otherwise there is no difference to speak of, and the reason
stands in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.check.pairs import Pair
from bench.check.scores import another
from bench.comparison import Contender, compare, contenders
from bench.differences import ALPHA, MARGIN, Difference, Verdict, holm, verdict
from bench.predictions import Predictions
from bench.records import Score
from bench.sides import Side

Key = tuple[Any, ...]

PAIRED, UNPAIRED = "paired", "not paired"


@dataclass(frozen=True)
class Scored:
    """One metric of one head on both sides: shares or years, the second less the first with its 99 % interval.

    ``p`` is adjusted by Holm over all rows of the table.
    """

    case: str
    task: str
    metric: str
    head: str | None
    first: float
    second: float
    difference: Difference
    p: float
    verdict: Verdict
    how: str


@dataclass(frozen=True)
class Refused:
    """A case whose scores cannot be compared, and why not."""

    case: str
    why: str


def scored(pairs: Sequence[Pair], first: Side, second: Side) -> tuple[list[Scored], list[Refused]]:
    """Return every score that both sides have, and the cases that were refused."""
    rows: list[Scored] = []
    refused = []
    for pair in pairs:
        if not pair.first.scores or not pair.second.scores:
            continue
        why = another(pair.first.fingerprint, pair.second.fingerprint)
        if why is not None:
            refused.append(Refused(pair.words, why))
            continue
        said = first.predicted(pair.first), second.predicted(pair.second)
        if said[0] is not None and said[1] is not None:
            rows += _in_pairs(pair, said[0], said[1])
        else:
            lacking = " and ".join(side.name for side, s in zip((first, second), said, strict=True) if s is None)
            rows += _by_intervals(pair, f"{UNPAIRED}: {lacking} without predictions")
    return _adjusted(rows), refused


def _in_pairs(pair: Pair, mine: Predictions, theirs: Predictions) -> list[Scored]:
    first, second = ({_of(c): c for c in contenders(name, said)} for name, said in (("1", mine), ("2", theirs)))
    found = []
    for key, one in first.items():
        if key in second:
            difference = compare([second[key], one])[0].difference
            values = [float(c.column.values.mean()) for c in (one, second[key])]
            task, metric = one.column.task, one.column.metric
            name = f"{one.head.output}" + (f" ({one.column.groups})" if one.column.groups else "")
            found.append(_row(pair, task, metric, name, values, difference, PAIRED))
    return found


def _of(contender: Contender) -> Key:
    column = contender.column
    return contender.head.output, column.task, column.metric, column.groups


def _by_intervals(pair: Pair, how: str) -> list[Scored]:
    first, second = ({_key(s): s for s in result.scores if s.metric in MARGIN} for result in (pair.first, pair.second))
    found = []
    for key, one in first.items():
        if key in second:
            two = second[key]
            name = None if one.head is None else one.head + (f" ({one.groups})" if one.groups else "")
            found.append(_row(pair, one.task, one.metric, name, [one.value, two.value], unpaired(two, one), how))
    return found


def _key(score: Score) -> Key:
    return score.head, score.task, score.metric, score.groups


def unpaired(first: Score, second: Score) -> Difference:
    """Return the first less the second by a z of Welch's kind from their 95 % intervals, as if of other faces each.

    The faces are the same, so this knows less than a paired comparison would; it never claims more.
    """
    from scipy.stats import norm

    spreads = [(score.ci95[1] - score.ci95[0]) / (2 * norm.ppf(0.975)) for score in (first, second)]
    value, error = first.value - second.value, float(np.hypot(*spreads))
    half = float(norm.ppf(1 - ALPHA / 2)) * error
    p = float(2 * norm.sf(abs(value) / error)) if error else float(value == 0)
    return Difference(value, (value - half, value + half), p, min(first.n, second.n))


def _row(
    pair: Pair, task: str, metric: str, head: str | None, values: list[float], difference: Difference, how: str
) -> Scored:
    said = verdict(difference, MARGIN[metric])
    return Scored(pair.words, task, metric, head, values[0], values[1], difference, difference.p, said, how)


def _adjusted(rows: list[Scored]) -> list[Scored]:
    """Adjust the p-values for their number, and judge by them."""
    adjusted = holm([row.p for row in rows]) if rows else []
    return [
        replace(row, p=p, verdict=verdict(row.difference, MARGIN[row.metric], p))
        for row, p in zip(rows, adjusted, strict=True)
    ]
