"""report.html as text: that it holds what report.md holds, and that nothing in it can become a tag or be fetched."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import page_cases
import pytest
from numpy.testing import assert_allclose
from page_cases import HOSTILE, LINE, MEDIANS, NETWORKS, PLACE

from bench.report.html_tables import inline
from bench.report.svg import Scale, linear_scale, log_scale

VOID = ("meta", "link", "input", "br", "hr", "img")


class Page(HTMLParser):
    """The elements of a page, with the words of its headings, and of the rows of its tables and cards."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.headings: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.raw: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("tr", "li"):
            self.rows.append([])
        if tag in ("td", "th", "p", "dt", "dd") and ("tr" in self.open or "li" in self.open):
            self.rows[-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append((tag, ""))
        if tag in ("script", "style"):
            self.raw.setdefault(tag, []).append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> where something else is open"

    def handle_data(self, data):
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]][-1] += data
        elif {"h1", "h2", "h3"} & set(self.open):
            self.headings[-1] = (self.headings[-1][0], self.headings[-1][1] + data)
        elif ({"tr", "li"} & set(self.open)) and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    page_cases.written(folder)
    return folder


@pytest.fixture(scope="module")
def text(out: Path) -> str:
    return (out / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def plain(words: str) -> str:
    """Return what stands in a cell or heading of markdown, without its marks."""
    words = words.replace("\\|", "|").replace("\\\\", "\\").replace("&lt;", "<")
    words = re.sub(r"\[([^\]]+)\]\(#[a-z0-9-]+\)", r"\1", words)
    return " ".join(re.sub(r"\*\*?|`", "", words).split())


def markdown_tables(text: str) -> list[list[list[str]]]:
    blocks = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    rows = [[re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()] for block in blocks]
    return [[[plain(cell) for cell in row] for n, row in enumerate(table) if n != 1] for table in rows]


def test_every_heading_of_the_one_is_in_the_other_in_the_same_order(out, page):
    found = re.findall(r"^(#+) (.*)$", (out / "report.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [(f"h{len(level)}", plain(words)) for level, words in found] == [
        (level, plain(words)) for level, words in page.headings
    ]
    assert len(found) > 15


def test_every_row_of_every_table_of_the_one_is_in_the_other(out, page):
    tables = markdown_tables((out / "report.md").read_text(encoding="utf-8"))
    there = [[plain(cell) for cell in row] for row in page.rows]
    left = [tuple(row) for row in there]
    for table in tables:
        head, *rows = table
        for row in rows:
            card = [*row[:3], *(word for pair in zip(head[3:], row[3:], strict=True) for word in pair)]
            found = next((kind for kind in (row, card) if tuple(kind) in left), None)
            assert found is not None, f"{row} is not in the page"
            left.remove(tuple(found))
    assert len(tables) > 20
    cells = [row for row in left if len(row) > 1]
    headers = {tuple(table[0]) for table in tables}
    assert [row for row in cells if row not in headers] == [], "the page has rows that report.md does not have"


def test_names_and_reasons_are_words_and_never_tags(text, page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "iframe", "object", "embed", "form", "base", "audio", "video"}
    assert [tag for tag, _ in page.elements].count("script") == 2
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert HOSTILE in {cell for row in page.rows for cell in row}
    addresses = [a[name] for _, a in page.elements for name in ("href", "src", "action", "data") if name in a]
    assert {address for address in addresses if not address.startswith("#")} == {"data:,"}
    assert len(addresses) > 20
    assert "style" not in {name for _, attributes in page.elements for name in attributes}


def test_a_name_that_looks_like_a_place_for_a_value_is_none(text):
    assert text.count(PLACE) == 1
    assert not set("\ue000\ue001\ue002") & set(text.replace(PLACE, "")), "every value came to its place"


def test_data_for_the_script_cannot_end_it(text, page):
    data, script = page.raw["script"]
    assert json.loads(data)["network"] == list(NETWORKS)
    assert not set("<>&" + LINE) & set(data)
    assert HOSTILE not in script


def test_every_link_leads_somewhere(page):
    anchors = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    links = {a["href"][1:] for tag, a in page.elements if tag == "a" and "href" in a}
    assert links <= set(anchors)
    assert any(link.startswith("scores-own") for link in links), "the answer's evidence"


def test_the_policy_lets_nothing_load_and_only_the_pages_own_script_run(page):
    (policy,) = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name, source in (("script-src", page.raw["script"][1]), ("style-src", page.raw["style"][0])):
        assert rules[name] == f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
    assert rules["img-src"] == "data:"


def test_the_same_run_gives_the_same_bytes(out, text, tmp_path):
    page_cases.written(tmp_path)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("**4.51** [4, 5]", "<strong>4.51</strong> [4, 5]"),
        ("borders, *derived*", "borders, <em>derived</em>"),
        ("`ab12`", "<code>ab12</code>"),
        ("[scores](#a-b)", '<a href="#a-b">scores</a>'),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[x](#a onclick=y)", "[x](#a onclick=y)"),
        ("**<b>**", "<strong>&lt;b&gt;</strong>"),
        ("n<662", "n&lt;662"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        (3, "3"),
    ],
)
def test_marks_of_the_tables_become_tags_and_nothing_else(value, wanted):
    assert inline(value) == wanted


def test_scales_put_values_between_their_ends():
    assert [Scale(2, 6, 100, 300)(v) for v in (2, 3, 6)] == [100, 150, 300]
    assert_allclose([Scale(1, 100, 0, 10, log=True)(v) for v in (1, 10, 100)], [0, 5, 10])
    assert set(Scale(0.5, 70, 0, 10, log=True).ticks()) >= {1, 10}
    for scale in (log_scale([3, 70], 0, 10), linear_scale([3, 70], 0, 10)):
        assert 0 < scale(3) < scale(70) < 10
        assert all(scale.low <= tick <= scale.high for tick in scale.ticks())


def test_boxes_lie_where_the_quantiles_of_all_times_are(text):
    """The axis is read off the drawing: two of its lines and what stands below them."""
    drawings = [text[at.start() : text.index("</svg>", at.start())] for at in re.finditer("<svg ", text)]
    drawing = next(found for found in drawings if "Times of each network" in found and "thesis-age" in found)
    ticks = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">([\d.]+)</text>', drawing)
    (x0, v0), (x1, v1) = ((float(x), float(v)) for x, v in (ticks[0], ticks[-1]))
    marks = re.findall(r'aria-label="(\S+), (\w+) on cpu: .*?<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawing)
    assert len(marks) == len(MEDIANS) - sum(network == HOSTILE for network, _ in MEDIANS)
    for network, backend, x, width in marks:
        ends = np.array([float(x), float(x) + float(width)])
        read = v0 * (v1 / v0) ** ((ends - x0) / (x1 - x0))
        middle = MEDIANS[network, backend]
        assert_allclose(read, [0.95 * middle, 1.05 * middle], rtol=0.01)
