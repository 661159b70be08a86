"""How a comparison is told: its table, then what the check's own form says of the findings."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from bench.ab.findings import Found
from bench.ab.given import Measured
from bench.ab.request import Request
from bench.ab.table import Row, loads
from bench.check import formats
from bench.check.formats import github
from bench.report.markdown import table
from bench.results import write_atomically
from converters.errors import BadInput, one_line

TABLE, FINDINGS = "ab.md", "ab.json"

SETTINGS = ("backend", "batch", "loads?", "placement", "outputs differ", "file")
"""Columns that are said once above the table where they are the same in every row."""


def tell(request: Request, found: Found, out: Path) -> None:
    """Print it in the form that was asked for; keep table and findings where ``--out`` keeps both runs."""
    if request.out is not None:
        write_atomically(out / TABLE, markdown(request, found))
        write_atomically(out / FINDINGS, _json(found))
    if request.form == "json":
        print(_json(found), end="")
    elif request.form == "github":
        _summarise(request, found)
        print(formats.named("github").render(found.judged, everything=False), end="")
    else:
        if request.form == "text":
            print(_text(request, found))
        print(formats.named(request.form).render(found.judged, everything=False), end="")


def line(one: Measured) -> str:
    """Return one line about a network that is done, for whoever waits."""
    told = []
    for pair in one.pairs:
        word = loads(*pair.results) if pair.verdict is None else f"{pair.verdict.verdict}, {pair.verdict.why}"
        told.append(f"batch {pair.results[0].case.batch}: {word}")
    return one_line(f"{one.given.network.name} on {one.given.backend}: {'; '.join(told) or 'scores only'}")


def markdown(request: Request, found: Found) -> str:
    """Return the comparison as markdown."""
    return f"## {_title(request)}\n\n{_table(found.table)}\n\n{github.summary(found.judged, everything=False)}"


def _title(request: Request) -> str:
    first, second = request.specs
    return f"A: {first.text}; B: {second.text}"


def _text(request: Request, found: Found) -> str:
    return f"{_title(request)}\n\n{_table(found.table)}\n"


def _table(rows: Sequence[Row]) -> str:
    """Return the table in markdown, with what is the same in every row said once above it."""
    same = [c for c in SETTINGS if len(rows) > 1 and len({row[c] for row in rows}) == 1]
    words = ", ".join(f"{column} {rows[0][column]}" for column in same)
    narrow = [{name: value for name, value in row.items() if name not in same} for row in rows]
    return f"{words}\n\n{table(narrow)}" if words else table(narrow)


def _json(found: Found) -> str:
    told = json.loads(formats.named("json").render(found.judged, everything=True))
    return json.dumps({**told, "table": found.table}, indent=1, ensure_ascii=False) + "\n"


def _summarise(request: Request, found: Found) -> None:
    """Append the table to the job summary, before the findings that the form itself appends."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"## {_title(request)}\n\n{_table(found.table)}\n\n")
    except OSError as error:
        raise BadInput(f"$GITHUB_STEP_SUMMARY {path}: cannot be written: {error.strerror}") from error
