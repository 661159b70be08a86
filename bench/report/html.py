"""``report.html``: all of ``report.md`` as one page that needs no network; tables sort, charts tell when hovered over.

The templates are the same, and their words are markdown. What they are filled with never is: each value waits outside
until the markdown around it has become HTML, and comes in escaped. So no name or reason, whatever is in it, can become
a tag, a link or a picture. The page's own security policy lets nothing run or load but the style and script in it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from bench.records import Result, RunRecord
from bench.report.contents import TEMPLATE, TEMPLATES, Contents
from bench.report.html_tables import card, heat_map, inline, table

if TYPE_CHECKING:
    from markdown_it.token import Token

INLINE, BLOCK, END = "\ue000", "\ue001", "\ue002"
"""Characters of Unicode's private use: between one of the first two and the last stands the number of a value."""

PLACE = re.compile(f"<p>{BLOCK}([0-9]+){END}</p>|(?:{INLINE}|{quote(INLINE)})([0-9]+)(?:{END}|{quote(END)})")
"""Where a value belongs: a block where markdown saw a paragraph, any other anywhere, in the address of a link too."""


PARTS = ("page.css", "page_tables.js", "page.js")
"""The page's style and scripts."""


def render(contents: Contents) -> str:
    """Return the page. The same contents give the same bytes."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    page = _Page()
    loader = FileSystemLoader(TEMPLATES)
    words = Environment(
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=True,
        finalize=page.kept,
    )
    words.filters.update(table=page.table, cards=page.cards, cell=lambda value: " ".join(str(value).split()))
    words.globals.update(figure=page.figure, heat_maps=page.heat_maps)
    body, headings = page.html(words.get_template(TEMPLATE).render(contents))
    frame = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True)
    frame.policies["json.dumps_kwargs"] = {"sort_keys": False}
    style, *scripts = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in PARTS)
    script = Markup("\n").join(scripts)
    return frame.get_template("page.html.jinja").render(
        title=_title(body),
        body=body,
        headings=headings,
        facets=facets(contents["run"], contents["results"]),
        style=style,
        script=script,
        policy=policy(style, script),
    )


def _title(body: Markup) -> str:
    found = re.search("<h1>(.*?)</h1>", body, re.DOTALL)
    return Markup(found[1]).striptags() if found else "Report"


def facets(run: RunRecord, results: Sequence[Result]) -> dict[str, list[str]]:
    """Return what rows and marks can be filtered by, and the values of each."""
    cases = [result.case for result in results]
    found: dict[str, list[str]] = {
        "network": [*run.config.networks, *(case.network for case in cases)],
        "backend": [case.backend for case in cases],
        "device": [case.device for case in cases],
        "precision": [case.precision for case in cases],
        "status": [result.status for result in results],
    }
    return {name: list(dict.fromkeys(values)) for name, values in found.items()}


def policy(style: str, script: str) -> str:
    """Return a content security policy under which only this style and this script apply, and nothing is loaded."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    styles, scripts = (f"'sha256-{of}'" for of in hashes)
    sources = f"default-src 'none'; style-src {styles}; script-src {scripts}; img-src data:"
    return f"{sources}; base-uri 'none'; form-action 'none'"


class _Page:
    """What the templates call, and the values that wait for their places."""

    def __init__(self) -> None:
        from markdown_it import MarkdownIt

        self.waiting: list[Markup] = []
        self.markdown = MarkdownIt("commonmark")  # knows HTML, which only the templates can have
        self.named: dict[str, int] = {}

    def kept(self, value: Any) -> Any:
        """Keep a value until its place is known; what is HTML already stays. Jinja calls it for all it puts in."""
        from jinja2 import Undefined

        if isinstance(value, Markup | Undefined):
            return value
        return self._wait(inline(value), INLINE)

    def _wait(self, html: Markup, kind: str = BLOCK) -> Markup:
        self.waiting.append(html)
        return Markup(f"{kind}{len(self.waiting) - 1}{END}")

    def filled(self, html: str) -> Markup:
        """Return HTML with the values in their places, once: what is in a value is no place."""
        return Markup(PLACE.sub(lambda found: self.waiting[int(found[1] or found[2])], html))

    def table(self, rows: Iterable[Mapping[str, Any]], settings: str = "", title: str = "") -> Markup:
        """Return rows, which share their keys, as a table; what is the same in all rows stands above it.

        ``title``: what the heading says of all rows, such as their precision, for the page's filters.
        """
        return self._wait(table(list(rows), settings, title))

    def cards(self, rows: Iterable[Mapping[str, Any]]) -> Markup:
        """Return rows as cards: the first column is what a card is for, the next two say who and where."""
        return self._wait(Markup('<ul class="cards">\n{}\n</ul>\n').format(Markup("\n").join(map(card, rows))))

    def figure(self, caption: str, picture: str | None, chart: Callable[[], Markup] | None = None) -> Markup:
        """Return a chart in the picture's stead."""
        if chart is None:
            return Markup("")
        text = Markup("<figure><figcaption>{}</figcaption>\n{}</figure>").format(caption, chart())
        return self._wait(text)

    def heat_maps(
        self, caption: str, picture: str | None, tables: Sequence[tuple[str, list[Mapping[str, Any]]]]
    ) -> Any:
        """Return tables of shares side by side, shaded, each below its text."""
        parts = []
        for said, rows in tables:
            above = self.filled(self.markdown.render(said.strip()))
            parts.append(Markup("<div>{}{}</div>").format(above, heat_map(rows)))
        return self._wait(Markup('<div class="beside">{}</div>').format(Markup("\n").join(parts)))

    def html(self, text: str) -> tuple[Markup, list[tuple[int, str, str]]]:
        """Return markdown as HTML, a section for each of its chapters, and its headings: level, anchor and words."""
        tokens, headings, chapter = self.markdown.parse(text), [], ""
        for opened, within in pairwise(tokens):
            if opened.type == "heading_open" and opened.tag != "h1":
                words = self._words(within)
                anchor = self._anchor(words)
                opened.attrSet("id", anchor)
                if opened.tag == "h2":
                    chapter = words.rpartition(" on ")[2]  # what all its sections are on need not be said again
                headings.append((int(opened.tag[1]), anchor, words.removesuffix(f", {chapter}")))
        body = self.markdown.renderer.render(tokens, self.markdown.options, {})
        first, *chapters = re.split(r"(?=<h2 )", body)
        sections = [f"<header>\n{first}</header>\n", *(f"<section>\n{chapter}</section>\n" for chapter in chapters)]
        return self.filled("".join(sections)), headings

    def _words(self, within: Token) -> str:
        html = self.filled(self.markdown.renderInline(within.content))
        return Markup(html).striptags()

    def _anchor(self, words: str) -> str:
        """Return an anchor as GitHub makes them, numbered where there is one already."""
        name = re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", words.lower()))
        self.named[name] = self.named.get(name, 0) + 1
        return name if self.named[name] == 1 else f"{name}-{self.named[name] - 1}"
