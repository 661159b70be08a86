"""The tables of ``report.html``, complete without JavaScript, which only makes them sort and filter.

All that is in a cell is escaped, whatever it is; only the marks of the tables' own builders become tags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

SHADES = 10
"""Steps of the shades of a heat map."""


def inline(value: object) -> Markup:
    """Return a value escaped, with what the tables' builders mark: ``**bold**``, ``*slanted*``, code, local links."""
    text = str(escape(value))
    if "*" in text or "`" in text or "](#" in text:
        text = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text)
        text = re.sub(r"\*([^* ][^*]*)\*", r"<em>\1</em>", text)
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        text = re.sub(r"\[([^\]]+)\]\(#([a-z0-9-]+)\)", r'<a href="#\2">\1</a>', text)
    return Markup(text)


def table(rows: Sequence[Mapping[str, Any]], settings: str, title: str) -> Markup:
    """Return rows, which share their keys, as a table; what is the same in all of them stands above it."""
    if not rows:
        return Markup("")
    names = list(rows[0])
    head = Markup("").join(
        Markup('<th scope="col">{}</th>').format(inline(name)) if name else Markup("<td></td>") for name in names
    )
    lines = Markup("\n").join(_line(row) for row in rows)
    above = Markup('<p class="settings">All rows: {}.</p>\n').format(inline(settings)) if settings else Markup("")
    return above + Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="table of {}">\n<table data-all="{}">\n'
        "<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>\n"
    ).format(", ".join(filter(None, names)), ", ".join(filter(None, [settings, title])), head, lines)


def card(row: Mapping[str, Any]) -> Markup:
    """Return a row as a card: its first column is what the card is for, the next two say who and where."""
    (_, title), (_, name), (_, where), *numbers = row.items()
    facts = Markup("").join(
        Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(key, inline(value)) for key, value in numbers
    )
    return Markup('<li><p class="what">{}</p><p class="who">{}</p><p>{}</p><dl>{}</dl></li>').format(
        inline(title), inline(name), inline(where), facts
    )


def _line(row: Mapping[str, Any]) -> Markup:
    return Markup("<tr>{}</tr>").format(
        Markup("").join(Markup("<td>{}</td>").format(inline(value)) for value in row.values())
    )


def heat_map(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """Return a table of shares whose cells are shaded by them; its first column names the rows."""
    corner, *names = rows[0]
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in names)
    lines = Markup("\n").join(
        Markup('<tr><th scope="row">{}</th>{}</tr>').format(
            row[corner], Markup("").join(_shaded(str(row[name])) for name in names)
        )
        for row in rows
    )
    return Markup(
        '<div class="scroll" tabindex="0" role="group" aria-label="confusion table">\n<table class="heat">\n'
        '<thead><tr><th scope="col">{}</th>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>\n'
    ).format(corner, head, lines)


def _shaded(share: str) -> Markup:
    shade = 0 if share == "-" else round(SHADES * float(share))
    return Markup('<td class="h{}">{}</td>').format(shade, share)
