"""The one table of ``bench ab``: a row for each network, backend and batch size, with what differs from A to B."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.ab.given import Measured, Pair
from bench.ab.runs import SideRun
from bench.check.findings import Finding
from bench.records import Result, Score

Row = dict[str, Any]

KEY_METRICS = (("age", "mae"), ("age_group", "accuracy"), ("gender", "accuracy"))
"""Of each head one score stands in the table; the findings have all."""


def rows(measured: Sequence[Measured], runs: tuple[SideRun, SideRun], findings: Sequence[Finding]) -> list[Row]:
    """Return the rows, in the order they were measured."""
    return [_row(one, pair, runs, findings) for one in measured for pair in one.pairs]


def _row(one: Measured, pair: Pair, runs: tuple[SideRun, SideRun], findings: Sequence[Finding]) -> Row:
    before, now = pair.results
    return {
        "network": one.given.network.name,
        "backend": one.given.backend,
        "batch": before.case.batch,
        "loads?": loads(before, now),
        "placement": _from_to(_placement(before), _placement(now)),
        "outputs differ": "-" if pair.farthest is None else _far(pair.farthest),
        "accuracy": _scores(one, findings),
        "p50 ms": _from_to(_median(before), _median(now)),
        "latency [95 %]": _ratio(pair),
        "verdict": "-" if pair.verdict is None else pair.verdict.verdict,
        "cold start ms": _from_to(_cold(before), _cold(now)),
        "memory MB": _from_to(_memory(before), _memory(now)),
        "file": _file(one.given.network.name, runs),
    }


def loads(before: Result, now: Result) -> str:
    """Say whether both sides can run a case: ``yes``, or which does not, and why."""
    told = [
        f"{label}: no, {result.reason}"
        for label, result in (("A", before), ("B", now))
        if result.status == "failed" or (result.status == "skipped" and not result.placement)
    ]
    return "; ".join(told) or "yes"


def _from_to(before: str, now: str) -> str:
    return before if before == now else f"{before} → {now}"


def _placement(result: Result) -> str:
    strays = f", {len(result.strays)} elsewhere" if result.strays else ""
    return ", ".join(f"{n} {place}" for place, n in (result.placement or {}).items()) + strays or "-"


def _far(farthest: float) -> str:
    return "other shapes or names" if math.isinf(farthest) else "0" if farthest == 0 else f"{farthest:.1e}"


def _median(result: Result) -> str:
    return "-" if result.latency is None else f"{np.median(result.latency.times_ms):.2f}"


def _ratio(pair: Pair) -> str:
    found = pair.verdict
    if found is None or pair.results[0].latency is None:
        return "-"
    rounds = f"{len(pair.results[0].latency.rounds)} rounds"
    if found.interval is None:
        return f"{found.ratio - 1:+.1%} ({rounds}: too few for an interval)"
    low, high = found.interval
    return f"{found.ratio - 1:+.1%} [{low - 1:+.1%}, {high - 1:+.1%}] ({rounds})"


def _cold(result: Result) -> str:
    return "-" if result.latency is None else f"{sum(result.latency.cold_ms.values()):.0f}"


def _memory(result: Result) -> str:
    return "-" if result.memory_mb is None else f"{result.memory_mb:.0f}"


def _file(name: str, runs: tuple[SideRun, SideRun]) -> str:
    told = []
    for run in runs:
        costs = run.costs(name)
        told.append("-" if costs is None else f"{costs.file_bytes / 1e6:.3g} MB, {costs.nodes} nodes")
    return _from_to(*told)


def _scores(one: Measured, findings: Sequence[Finding]) -> str:
    cells = [_score_cell(*both, findings) for both in one.scores]
    return "; ".join(filter(None, cells)) or "-"


def _score_cell(before: Result, now: Result, findings: Sequence[Finding]) -> str:
    on = f"{before.case.dataset}:{before.case.split}"
    if before.status != "ok" or now.status != "ok":
        return f"{on} {before.status}" if before.status == now.status else f"{on} {before.status} → {now.status}"
    told, theirs = [], {_key(score): score for score in now.scores}
    for score in before.scores:
        if (score.task, score.metric) in KEY_METRICS and score.groups is None and _key(score) in theirs:
            told.append(_change(score, theirs[_key(score)]))
    bad = [f for f in findings if f.of == now.case and f.dimension == "scores" and f.verdict not in ("ok", "better")]
    return f"{', '.join(told)} (n {before.scores[0].n}, {on}{', ' + bad[0].verdict if bad else ''})" if told else ""


def _change(before: Score, now: Score) -> str:
    change = now.value - before.value
    if before.metric == "mae":
        return f"{before.task} MAE {change:+.3f} years"
    return f"{before.task.replace('_', ' ')} {100 * change:+.2f} points"


def _key(score: Score) -> tuple[Any, ...]:
    return score.head, score.task, score.metric, score.groups
