"""The results as one flat table, one row a case, for a spreadsheet (CSV) or a program (JSON)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.records import Result
from bench.statistics import percentile


def render(results: Sequence[Result], form: str) -> str:
    """Return the table as ``csv`` or ``json`` text."""
    import pandas as pd

    table = pd.DataFrame([row(result) for result in results]).convert_dtypes()
    if form == "csv":
        return str(table.to_csv(index=False))
    return str(table.to_json(orient="records", indent=1)) + "\n"


def row(result: Result) -> dict[str, Any]:
    """Return one case with its statistics: times in ms, shares between 0 and 1, ages in years."""
    found: dict[str, Any] = {**result.case.model_dump(), "status": result.status, "reason": result.reason}
    if result.latency is not None:
        found["samples"] = len(result.latency.times_ms)
        found |= {f"p{q}_ms": percentile(result.latency.times_ms, q) for q in (10, 50, 90, 99)}
        found |= {f"cold_{stage}_ms": time for stage, time in result.latency.cold_ms.items()}
        found["memory_mb"] = result.memory_mb
    if result.parity is not None:
        found |= {"parity_max_abs": result.parity.max_abs, "parity_max_rel": result.parity.max_rel}
    for score in result.scores:
        name = f"{score.task}_{score.metric}"
        found |= {name: score.value, f"{name}_low": score.ci95[0], f"{name}_high": score.ci95[1], f"{name}_n": score.n}
    if result.fingerprint is not None:
        found |= {"split_sha256": result.fingerprint.split_sha256, "split_n": result.fingerprint.n}
    return found
