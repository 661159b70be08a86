"""``report.md``: the answer first, then what ran where, how fast, how well, and what did not run; for GitHub.

What is long and seldom asked for (confusion tables, files, warnings in full) is folded away in ``<details>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.report.contents import TEMPLATE, TEMPLATES, Contents

WIDEST = 120
"""Columns of characters: a table that is wider is in no terminal read as a table, and needs no blanks to line it up."""


def render(contents: Contents) -> str:
    """Return the report as markdown."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,
    )
    environment.filters.update(table=table, cards=table, cell=cell)
    environment.globals.update(figure=figure, heat_maps=heat_maps)
    return environment.get_template(TEMPLATE).render(contents)


def table(rows: Iterable[Mapping[str, Any]], settings: str = "", title: str = "") -> str:
    """Return rows, which share their keys, as a markdown table; the keys are its header.

    ``settings``: what is the same in all rows, and stands above the table. ``title``: what the heading says of it.
    """
    from tabulate import tabulate

    escaped = [{key: cell(value) for key, value in row.items()} for row in rows]
    text = tabulate(escaped, headers="keys", tablefmt="github", disable_numparse=True)
    if max(map(len, text.splitlines()), default=0) > WIDEST:
        text = _narrow(text)
    return f"All rows: {settings}.\n\n{text}" if settings else text


def _narrow(text: str) -> str:
    head, rule, *rows = text.splitlines()
    return "\n".join(re.sub(" {2,}", " ", line) for line in (head, re.sub("-{4,}", "---", rule), *rows))


def figure(caption: str, picture: str | None, chart: object = None) -> str:
    """Return a picture that lies beside the report, if there is one. Markdown has no charts."""
    return f"![{caption}]({picture})" if picture else ""


def heat_maps(caption: str, picture: str | None, tables: Sequence[tuple[str, list[Mapping[str, Any]]]]) -> str:
    """Return tables of shares, each below its text, and the picture of them."""
    parts = [f"{said.strip()}\n\n{table(rows)}" for said, rows in tables]
    return "\n\n".join([*parts, *([figure(caption, picture)] if picture else [])])


def cell(value: Any) -> str:
    """Return a value as one markdown cell: on one line, its bars harmless, and no HTML tag."""
    text = " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|")
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
