"""The results as one flat table, CSV or JSON, for a spreadsheet or a program: a row a case, head or point.

Shares of age groups other than the standard eight stand in columns that name those groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.points import images_per_s, meets
from bench.records import Case, Point, Result, RunRecord
from bench.report.scores import readings
from bench.report.speed import Bound, SpeedUp, bounds, speed_ups
from bench.report.stages import stages_ms
from bench.statistics import percentile
from zoo.fields import AGE_GROUPS


def render(run: RunRecord, results: Sequence[Result], form: str) -> str:
    """Return the table as ``csv`` or ``json`` text."""
    import pandas as pd

    faster, limits = speed_ups(results), bounds(run, results)
    found = [row for r in results for row in rows(r, {**_costs(run, r), **_beside(r.case, faster, limits)})]
    table = pd.DataFrame(found).convert_dtypes()
    if form == "csv":
        return str(table.to_csv(index=False))
    return str(table.to_json(orient="records", indent=1)) + "\n"


def _costs(run: RunRecord, result: Result) -> dict[str, Any]:
    """Return what a run of a case costs at the least; the multiplications are those of its whole batch."""
    case = result.case
    costs = run.costs.get(case.network, {}).get(case.precision)
    if costs is None:
        return {}
    work = {"macc": costs.macc * case.batch, "bytes_moved": costs.moved(case.batch)}
    return {"file_bytes": costs.file_bytes, "parameters": costs.parameters, **work}


def _beside(case: Case, faster: Mapping[Case, SpeedUp], limits: Mapping[Case, Bound]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if case in faster:
        ratio = faster[case].ratio
        found |= {"speed_up": ratio.value, "speed_up_low": ratio.low, "speed_up_high": ratio.high}
        found["speed_up_paired"] = faster[case].paired
    if case in limits:
        bound = limits[case]
        found |= {"limit_ms": bound.limit_ms, "limit_by": bound.by, "limit_share": bound.share}
    return found


def rows(result: Result, beside: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return one case with its statistics, a row for each head, or for each point of a scenario.

    Times in ms, those of stages an image; shares between 0 and 1; ages in years. ``beside``: what is known of the case
    from elsewhere.
    """
    found: dict[str, Any] = {**result.case.model_dump(), "status": result.status, "reason": result.reason}
    if result.latency is not None:
        found["samples"] = len(result.latency.times_ms)
        found |= {f"p{q}_ms": percentile(result.latency.times_ms, q) for q in (10, 50, 90, 99)}
        found |= {f"cold_{stage}_ms": time for stage, time in result.latency.cold_ms.items()}
        found |= {"memory_mb": result.memory_mb, "device_memory_mb": result.device_memory_mb}
        found |= {f"stage_{stage}_ms": time for stage, time in stages_ms(result).items()}
    if result.parity is not None:
        found |= {"parity_max_abs": result.parity.max_abs, "parity_max_rel": result.parity.max_rel}
    if result.fingerprint is not None:
        found |= {"split_sha256": result.fingerprint.split_sha256, "split_n": result.fingerprint.n}
        found["faces"] = result.fingerprint.faces
    if result.points:
        return [{**found, **_point(point)} for point in result.points]
    found |= beside or {}
    heads: dict[str | None, dict[str, Any]] = {}
    for reading in readings([result]):
        own = "" if reading.labels in ((), AGE_GROUPS) else f"[{' '.join(reading.labels)}]"
        head = heads.setdefault(reading.head, {"head": reading.head})
        for metric, score in reading.scores.items():
            name = f"{reading.task}{own}_{metric}"
            head |= {name: score.value, f"{name}_low": score.ci95[0], f"{name}_high": score.ci95[1]}
            head[f"{name}_n"] = score.n
            if score.folds is not None:
                head |= {f"{name}_folds_mean": score.folds.mean, f"{name}_folds_sd": score.folds.sd}
            if score.calibration is not None:
                head[f"{name}_calibration_error"] = score.calibration.error
        head |= {f"{reading.task}_decode": score.decode, f"{reading.task}_derived": reading.derived}
    return [{**found, **head} for head in heads.values()] or [found]


def _point(point: Point) -> dict[str, Any]:
    return {
        "point_batch": point.batch,
        "part": point.part,
        "rate_per_s": point.rate_per_s,
        "requests": point.requests,
        "limit_ms": point.limit_ms,
        "limit_percentile": point.judged,
        "met": None if point.judged is None else meets(point),
        "images": point.images,
        "images_per_s": images_per_s(point) if point.rate_per_s is None else None,
        "samples": len(point.times_ms),
        **{f"p{q}_ms": percentile(point.times_ms, q) for q in (10, 50, 90, 99)},
        "memory_mb": point.memory_mb,
    }
