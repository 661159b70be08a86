"""How fast a row is beside something else: the network's original framework, and what the machine can do at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bench.records import Case, Limit, Result, RunRecord
from bench.statistics import Ratio, paired_ratio, unpaired_ratio

SOURCE = "source"
"""The backend that runs a network's original files in its original framework."""


def timed(results: Sequence[Result]) -> list[Result]:
    """Return the results of one request after the other: those that a table of latency is of."""
    return [r for r in results if r.latency is not None and r.case.scenario in (None, "single")]


@dataclass(frozen=True)
class SpeedUp:
    """How many times as fast a row is as its network's original framework. ``paired``: measured side by side."""

    ratio: Ratio
    paired: bool


def speed_ups(results: Sequence[Result]) -> dict[Case, SpeedUp]:
    """Return the speed-up of each row that has a ``source`` row of its network, batch size and number of threads.

    That row is in single precision and was measured side by side with the other backends' rows in single precision;
    rows in other precisions had rounds of their own.
    """
    rounds = {r.case: r.latency.by_round() for r in timed(results) if r.latency is not None}
    sources = {_work(case): case for case in rounds if case.backend == SOURCE}
    found = {}
    for case, own in rounds.items():
        source = sources.get(_work(case))
        if source is None or source == case or not own or not rounds[source]:
            continue
        paired = source.precision == case.precision and len(own) == len(rounds[source])
        ratio = (paired_ratio if paired else unpaired_ratio)(rounds[source], own)
        found[case] = SpeedUp(ratio, paired)
    return found


def _work(case: Case) -> tuple[Any, ...]:
    return case.network, case.batch, case.threads


@dataclass(frozen=True)
class Bound:
    """The least time in ms that the machine's limits leave a row, and which of them does."""

    limit_ms: float
    by: Literal["compute", "memory"]
    share: float
    """the least time as part of the row's median; above 1 where the limit does not hold for it"""


def bounds(run: RunRecord, results: Sequence[Result]) -> dict[Case, Bound]:
    """Return the bound of each row whose network's costs and whose device's limits are known."""
    limits = {(limit.device, limit.threads): limit for limit in run.limits}
    found = {}
    for result in timed(results):
        bound = _bound(result, run.costs, limits.get((result.case.device, result.case.threads)))
        if bound is not None:
            found[result.case] = bound
    return found


def _bound(result: Result, costs: Mapping[str, Mapping[Any, Any]], limit: Limit | None) -> Bound | None:
    case = result.case
    cost = costs.get(case.network, {}).get(case.precision)
    if cost is None or limit is None or limit.gflops is None or limit.gb_s is None or result.latency is None:
        return None
    moved = cost.moved(case.batch)
    compute_ms = 2 * cost.macc * case.batch / limit.gflops / 1e6
    memory_ms = 0.0 if limit.cache_bytes and moved <= limit.cache_bytes else moved / limit.gb_s / 1e6
    least = max(compute_ms, memory_ms)
    share = least / float(np.median(result.latency.times_ms))
    return Bound(least, "compute" if compute_ms >= memory_ms else "memory", share)


def speed_up_cell(case: Case, found: Mapping[Case, SpeedUp]) -> str:
    """Return a speed-up with its interval; ``-`` where there is nothing to hold the row against."""
    if case.backend == SOURCE:
        return "1"
    if case not in found:
        return "-"
    ratio = found[case].ratio
    interval = "too few rounds" if ratio.low is None or ratio.high is None else f"{ratio.low:.2f}, {ratio.high:.2f}"
    return f"{ratio.value:.2f}x [{interval}]{'' if found[case].paired else ' apart'}"


def bound_cell(case: Case, found: Mapping[Case, Bound]) -> str:
    """Return how much of its limit a row reaches, and whether that is of compute (C) or memory (M)."""
    return "-" if case not in found else f"{found[case].share:.0%} {found[case].by[0].upper()}"
