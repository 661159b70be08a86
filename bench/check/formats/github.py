"""For GitHub Actions: annotations on stdout, and a job summary in markdown where ``$GITHUB_STEP_SUMMARY`` names a file.

GitHub shows ten annotations of a level and step and drops the rest in silence, so the tenth says how many more.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.check.findings import Finding, Judged, Level
from bench.report.markdown import table
from converters.errors import BadInput

SHOWN = 10
LEVELS: tuple[Level, ...] = ("error", "warning", "notice")


def render(judged: Judged, *, everything: bool) -> str:
    """Return the annotations and the headline; append the summary to the file that GitHub names."""
    summarise(summary(judged, everything=everything))
    lines = [line for level in LEVELS for line in _annotations(judged, level)]
    return "\n".join([*lines, judged.headline()]) + "\n"


def summarise(markdown: str) -> None:
    """Append to the job summary, where GitHub names a file for it. Raises BadInput when that cannot be written."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown)
    except OSError as error:
        raise BadInput(f"$GITHUB_STEP_SUMMARY {path}: cannot be written: {error.strerror}") from error


def summary(judged: Judged, *, everything: bool) -> str:
    """Return the check as markdown."""
    rows = [
        {
            "verdict": f"**{f.verdict}**" if judged.fails(f) else f.verdict,
            "dimension": f.dimension,
            "case": f.case,
            "baseline": f.baseline,
            "now": f.candidate,
            "why": f.why,
        }
        for f in judged.told(everything=everything)
    ]
    head = f"### {'❌' if judged.failed else '✅'} {judged.headline()}\n"
    return head + (f"\n{table(rows)}\n" if rows else "")


def _annotations(judged: Judged, level: Level) -> list[str]:
    found = [finding for finding in judged.told() if judged.level(finding) == level]
    lines = [_annotation(level, finding) for finding in found]
    if len(lines) <= SHOWN:
        return lines
    more = len(lines) - SHOWN + 1
    return [*lines[: SHOWN - 1], f"::{level} title=agebench::and {more} more: see the job summary"]


def _annotation(level: Level, finding: Finding) -> str:
    title = _property(f"{finding.verdict}: {finding.dimension} of {finding.case}")
    return f"::{level} title={title}::{_data(f'{finding.baseline} -> {finding.candidate}: {finding.why}')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
