"""JSON for programs: every finding, whatever its verdict."""

from __future__ import annotations

import json
from collections import Counter

from bench.check.findings import Finding, Judged

FORM = 1


def render(judged: Judged, *, everything: bool) -> str:
    """Return the check as JSON, every finding in it whatever ``everything`` says."""
    told = {
        "check": FORM,
        "title": judged.title,
        "passed": not judged.failed,
        "strict": judged.strict,
        "counts": dict(Counter(finding.verdict for finding in judged.findings)),
        "findings": [_finding(judged, finding) for finding in judged.findings],
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _finding(judged: Judged, finding: Finding) -> dict[str, object]:
    return {
        "case": finding.case,
        "of": None if finding.of is None else finding.of.model_dump(),
        "dimension": finding.dimension,
        "verdict": finding.verdict,
        "fails": judged.fails(finding),
        "baseline": finding.baseline,
        "now": finding.candidate,
        "why": finding.why,
    }
