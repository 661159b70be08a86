"""The results as one flat table for a spreadsheet (CSV) or a program (JSON): a row for each case, or each head of it.

Shares of age groups other than the standard eight stand in columns that name those groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.records import Result
from bench.report.scores import readings
from bench.statistics import percentile
from zoo.fields import AGE_GROUPS


def render(results: Sequence[Result], form: str) -> str:
    """Return the table as ``csv`` or ``json`` text."""
    import pandas as pd

    table = pd.DataFrame([row for result in results for row in rows(result)]).convert_dtypes()
    if form == "csv":
        return str(table.to_csv(index=False))
    return str(table.to_json(orient="records", indent=1)) + "\n"


def rows(result: Result) -> list[dict[str, Any]]:
    """Return one case with its statistics, a row for each head: times in ms, shares between 0 and 1, ages in years."""
    found: dict[str, Any] = {**result.case.model_dump(), "status": result.status, "reason": result.reason}
    if result.latency is not None:
        found["samples"] = len(result.latency.times_ms)
        found |= {f"p{q}_ms": percentile(result.latency.times_ms, q) for q in (10, 50, 90, 99)}
        found |= {f"cold_{stage}_ms": time for stage, time in result.latency.cold_ms.items()}
        found["memory_mb"] = result.memory_mb
    if result.parity is not None:
        found |= {"parity_max_abs": result.parity.max_abs, "parity_max_rel": result.parity.max_rel}
    if result.fingerprint is not None:
        found |= {"split_sha256": result.fingerprint.split_sha256, "split_n": result.fingerprint.n}
    heads: dict[str | None, dict[str, Any]] = {}
    for reading in readings([result]):
        own = "" if reading.labels in ((), AGE_GROUPS) else f"[{' '.join(reading.labels)}]"
        head = heads.setdefault(reading.head, {"head": reading.head})
        for metric, score in reading.scores.items():
            name = f"{reading.task}{own}_{metric}"
            head |= {name: score.value, f"{name}_low": score.ci95[0], f"{name}_high": score.ci95[1]}
            head[f"{name}_n"] = score.n
        head |= {f"{reading.task}_decode": score.decode, f"{reading.task}_derived": reading.derived}
    return [{**found, **head} for head in heads.values()] or [found]
