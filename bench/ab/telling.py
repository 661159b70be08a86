"""How a comparison is told: its table, then what the check's own form says of the findings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.ab.findings import Found
from bench.ab.given import Measured
from bench.ab.request import Request
from bench.ab.table import Row, loads
from bench.check import formats
from bench.check.formats import github
from bench.report.markdown import table
from bench.report.tables import shared
from bench.results import write_atomically
from converters.errors import one_line

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
        github.summarise(
            f"## {_title(request)}\n\n{_table(found.table)}\n\n"
        )  # before the findings that the form appends
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
    words, narrow = shared(rows, SETTINGS if len(rows) > 1 else ())
    return f"{words}\n\n{table(narrow)}" if words else table(narrow)


def _json(found: Found) -> str:
    told = json.loads(formats.named("json").render(found.judged, everything=True))
    return json.dumps({**told, "table": found.table}, indent=1, ensure_ascii=False) + "\n"
