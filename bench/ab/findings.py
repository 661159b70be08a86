"""What `bench.check` finds between the two sides, and what only two sides in one job can show: who loads what.

To a check a case that failed before and fails now is as before. Here it is a failure with its reason, since nothing was
compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.ab.given import Measured
from bench.ab.request import Request
from bench.ab.runs import SideRun
from bench.ab.table import Row, rows
from bench.check.findings import Finding, Judged, Verdict, case_words
from bench.check.judge import judge
from bench.records import Result
from bench.run import Missing


@dataclass(frozen=True)
class Found:
    """All findings, the table, and, where nothing at all was measured, why: the first reason."""

    judged: Judged
    table: list[Row]
    nothing: str | None


def of(
    request: Request, runs: tuple[SideRun, SideRun], measured: Sequence[Measured], missing: Mapping[str, Missing]
) -> Found:
    """Return what was found of both sides; ``missing`` are the networks that the harness itself could not have."""
    before, now = (run.compared() for run in runs)
    found = [_lacking(name, one) for name, one in missing.items()]
    if any(result.status == "ok" for result in before.results.values()):
        found += [f for f in judge(before, now, request.allowed, paired=True) if f.dimension != "status"]
    found += [_status(before.results[case], now.results[case]) for case in before.results]
    first, second = request.specs
    title = f"B ({second.text}) against A ({first.text})"
    reasons = [result.reason for result in (*before.results.values(), *now.results.values()) if result.reason]
    reasons += [one.reason for one in missing.values()]
    idle = all(result.status == "skipped" for result in (*before.results.values(), *now.results.values()))
    return Found(Judged(title, tuple(found)), rows(measured, runs, found), reasons[0] if idle and reasons else None)


def _lacking(name: str, one: Missing) -> Finding:
    verdict: Verdict = "regression" if one.status == "failed" else "not compared"
    return Finding(name, "status", verdict, one.status, one.status, one.reason)


def _status(before: Result, now: Result) -> Finding:
    words, both = case_words(now.case), (before.status, now.status)
    told = [f"{label}: {one.reason}" for label, one in (("A", before), ("B", now)) if one.status == "failed"]
    if told:
        return Finding(words, "status", "regression", *both, "; ".join(told), now.case)
    if before.status == now.status == "ok":
        return Finding(words, "status", "ok", *both, "both sides run it", now.case)
    if (before.reason or "").startswith("new: "):
        return Finding(words, "status", "new", *both, str(before.reason), now.case)
    return Finding(words, "status", "not compared", *both, str(before.reason or now.reason), now.case)
