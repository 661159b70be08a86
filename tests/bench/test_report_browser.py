"""report.html in a browser: Chromium of the system, without a window; no test is run where there is none."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import page_cases
import pytest
from page_cases import HOSTILE, MEDIANS, NETWORKS

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e .[dev]")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, NARROW = 1400, 390


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    page_cases.written(folder)
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Visit:
    """Pages that are opened, and all that they said to the console, asked for, or showed as a dialog."""

    def __init__(self, browser: Any, address: str) -> None:
        self.browser, self.address = browser, address
        self.said: list[str] = []
        self.asked: list[str] = []
        self.contexts: list[Any] = []

    def __call__(self, width: int = WIDE, scheme: str = "light", **options: Any) -> Any:
        context = self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", **options
        )
        self.contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(self.address)
        return page


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    """Return what opens the page. Whatever a test does, the page says nothing and asks for nothing but itself."""
    visit = Visit(browser, address)
    yield visit
    for context in visit.contexts:
        context.close()
    assert visit.said == []
    assert {url for url in visit.asked if not url.startswith("data:")} == {address}


def table_with(page: Any, header: str) -> Any:
    """Return the longest table that has a column of that name, and unfold all."""
    unfold(page)
    named = page.locator("th", has_text=re.compile(f"^{re.escape(header)}$"))
    tables = page.locator("main table:not(.heat)", has=named).all()
    return max(tables, key=lambda table: table.locator("tbody tr").count())


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('main details').forEach((one) => (one.open = true))")


def column(table: Any, header: str) -> list[str]:
    """Return the cells of a column that can be seen, from above."""
    names = [name.strip() for name in table.locator("thead th, thead td").all_inner_texts()]
    at = names.index(header)
    return list(table.locator(f"tbody tr td:nth-child({at + 1}):visible").all_inner_texts())


def first_number(text: str) -> float:
    found = re.search(r"[\d.]+", text)
    assert found is not None
    return float(found[0])


def test_a_click_on_a_header_sorts_numbers_as_numbers_and_what_is_missing_last(visit):
    table = table_with(visit(), "p90 ms")
    button = table.locator("th", has_text="p90 ms").locator("button")
    before = column(table, "p90 ms")
    assert "n<64" in before, "nothing is missing, so this says nothing"
    for direction, reverse in (("ascending", False), ("descending", True)):
        button.click()
        assert table.locator("th[aria-sort]").get_attribute("aria-sort") == direction
        *measured, missing = column(table, "p90 ms")
        assert missing == "n<64"
        numbers = [first_number(text) for text in measured]
        assert numbers == sorted(numbers, reverse=reverse)
        assert len(set(numbers)) > 4
        assert sorted(map(str, numbers)) != numbers, "sorted as words they would stand otherwise"
    button.click()
    assert column(table, "p90 ms") == before
    assert table.locator("th[aria-sort]").count() == 0


CELLS = {
    "p50 ms [95 %]": (["10.00 [9, 11]", "9.10 [8, 9]", "-"], [1, 0, 2]),
    "vs source": (["1.64x [1.5, 1.8]", "-", "12.00x [9, 13]", "0.90x [0, 2]"], [3, 0, 2, 1]),
    "cold start ms": (["100 + 5 + 5", "50 + 90 + 1", "7 + 1 + 1"], [2, 0, 1]),
    "parameters": (["12,345,678", "9,999", "123,456"], [1, 2, 0]),
    "p": (["0.02", "< 1e-4", "1e-3"], [1, 2, 0]),
    "difference": (["+0.5 points", "-1.5 points", "-0.2 points"], [1, 2, 0]),
    "p99 ms": (["n<662", "3.0", "20.0", "failed"], [1, 2, 0, 3]),
    "network": (["net10", "net9", "a"], [2, 1, 0]),
    "changes": (["8 of 100", "10 of 100"], [0, 1]),
    "p95 ms": (["n<662", "n<662"], [0, 1]),
}
"""Cells of a column, and their order when they are sorted."""

SORT = """([header, cells]) => {
  const table = document.createElement("div").appendChild(document.createElement("table"));
  const head = table.createTHead().insertRow();
  for (const name of [header, "at"]) head.appendChild(document.createElement("th")).textContent = name;
  table.createTBody();
  cells.forEach((cell, at) => {
    const row = table.tBodies[0].insertRow();
    for (const text of [cell, at]) row.insertCell().textContent = text;
  });
  table.dataset.all = "";
  new Table(table);
  head.querySelector("button").click();
  return [...table.tBodies[0].rows].map((row) => Number(row.cells[1].textContent));
}"""


def test_cells_of_every_kind_sort_as_what_they_mean(visit):
    page = visit()
    order = {header: page.evaluate(SORT, [header, cells]) for header, (cells, _) in CELLS.items()}
    assert order == {header: wanted for header, (_, wanted) in CELLS.items()}


def test_the_keyboard_sorts_too(visit):
    page = visit()
    table = table_with(page, "images/s")
    table.locator("th", has_text="images/s").locator("button").focus()
    page.keyboard.press("Enter")
    numbers = [first_number(text) for text in column(table, "images/s")]
    assert numbers == sorted(numbers)
    page.keyboard.press("Space")
    assert [first_number(text) for text in column(table, "images/s")] == numbers[::-1]


def test_a_filter_says_how_much_it_hides(visit):
    page = visit()
    table = table_with(page, "placement")
    box = table.locator("xpath=../preceding-sibling::div[1]")
    total = len(column(table, "network"))
    box.locator("input").fill("dlib OPENCV")
    assert set(column(table, "network")) == {"dlib-age"}
    assert set(column(table, "backend")) == {"opencv"}
    shown = len(column(table, "network"))
    assert box.locator("[role=status]").inner_text() == f"{shown} of {total} rows"
    assert "Hidden:" in page.locator("#hidden").inner_text()
    page.locator("#reset").click()
    assert len(column(table, "network")) == total
    assert page.locator("#hidden").inner_text() == ""


def choose(page: Any, facet: str, value: str) -> None:
    menu = page.locator(".facet", has=page.locator("summary", has_text=facet))
    menu.locator("summary").click()
    menu.get_by_label(value, exact=True).check()
    page.keyboard.press("Escape")


def test_what_is_chosen_above_holds_for_all_tables_and_charts(visit):
    page = visit()
    choose(page, "network", "thesis-age")
    for header in ("p90 ms", "decode", "MACC a face"):
        table = table_with(page, header)
        assert set(column(table, "network")) == {"thesis-age"}, header
    (reason,) = column(table_with(page, "reason"), "reason")
    assert reason == HOSTILE
    marks = page.locator("svg .mark[data-network]")
    off = page.locator("svg .mark.off[data-network]")
    assert 0 < off.count() < marks.count()
    assert page.locator("svg .mark[data-network='thesis-age'].off").count() == 0
    assert page.locator("details:visible:has(.heat) > summary").all_inner_texts()[0].startswith("thesis-age")
    choose(page, "backend", "source")
    assert set(column(table_with(page, "p90 ms"), "backend")) == {"source"}
    page.locator("#reset").click()
    assert off.count() == 0
    assert len(column(table_with(page, "MACC a face"), "network")) == len(NETWORKS)


def test_a_precision_that_a_heading_speaks_of_is_filtered_by(visit):
    page = visit()
    choose(page, "precision", "fp16")
    seen = page.locator("main table:visible", has=page.locator("th", has_text="p90 ms"))
    unfold(page)
    rows = [table.locator("tbody tr:visible").count() for table in seen.all()]
    assert rows == [1, 0], "one latency in half precision; those in single precision are hidden"


def test_a_mark_tells_what_it_is_when_it_is_pointed_at(visit):
    page = visit()
    unfold(page)
    tip = page.locator("#tip")
    assert not tip.is_visible()
    page.locator("svg[aria-label^='Speed-up'] .mark rect").first.hover()
    assert re.fullmatch(r"levi-hassner-age, \w+ on cpu: [\d.]+x \[[\d.]+, [\d.]+\]", tip.inner_text())
    page.locator("table.heat td").nth(3).hover()
    assert re.fullmatch(r"Of true 15-20, [\d.]+ % predicted 0-2", tip.inner_text())
    page.mouse.move(5, 5)
    assert not tip.is_visible()


def test_the_keyboard_goes_from_mark_to_mark(visit):
    page = visit()
    unfold(page)
    chart = page.locator("svg[aria-label^='Times of each network']").last
    assert chart.locator("[tabindex='0']").count() == 1, "one stop of the Tab key a chart"
    chart.locator("[tabindex='0']").focus()
    tip = page.locator("#tip")
    seen = [tip.inner_text()]
    for key in ("ArrowRight", "End", "Home"):
        page.keyboard.press(key)
        seen.append(tip.inner_text())
    assert seen[0] == seen[3]
    assert len(set(seen)) == 3
    assert chart.locator("[tabindex='0']").count() == 1
    box = tip.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= WIDE
    page.keyboard.press("Escape")
    assert not tip.is_visible()


def test_dark_and_light_follow_the_system_until_one_is_chosen(visit):
    page = visit(scheme="dark")

    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    dark = background()
    page.emulate_media(color_scheme="light")
    light = background()
    assert dark != light == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Dark colours").click()
    assert background() == dark
    page.reload()
    assert background() == dark, "the choice is kept"
    page.get_by_role("button", name="Light colours").click()
    assert background() == light
    page.emulate_media(media="print", color_scheme="dark")
    assert background() == light
    assert not page.locator(".tools").is_visible()


@pytest.mark.parametrize("width", [NARROW, 768, WIDE])
def test_the_page_itself_never_scrolls_sideways(visit, width):
    page = visit(width)
    page.locator("#unfold").click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for chart in page.locator("figure").all()[:1]:
        chart.scroll_into_view_if_needed()
    if width == NARROW:
        small = page.evaluate(
            """[...document.querySelectorAll("main p, main td, main li, main summary")]
            .filter((element) => parseFloat(getComputedStyle(element).fontSize) < 12).length"""
        )
        assert small == 0


def test_on_paper_no_table_is_wider_than_the_page(visit):
    """A4 across, less 10 mm on each side, is 277 mm, 1,047 pixels."""
    page = visit(1047)
    page.locator("#unfold").click()
    page.emulate_media(media="print")
    ends = page.evaluate("[...document.querySelectorAll('table')].map((table) => table.getBoundingClientRect().right)")
    assert len(ends) > 10
    assert max(ends) <= 1047


def test_a_table_keeps_its_headers_in_sight(visit):
    page = visit()
    table = table_with(page, "p90 ms")
    top = table.evaluate(
        """(table) => { const box = table.parentElement; box.style.maxHeight = "120px"; box.scrollTop = 60;
        return table.tHead.getBoundingClientRect().top - box.getBoundingClientRect().top; }"""
    )
    header = table.locator("thead th").first.evaluate(
        "(head) => head.getBoundingClientRect().top - head.closest('.scroll').getBoundingClientRect().top"
    )
    assert top < -10, "nothing was scrolled"
    assert 0 <= header <= 2


def test_evidence_is_one_click_away(visit):
    page = visit()
    page.locator(".cards a", has_text="latency").first.click()
    target = page.url.partition("#")[2]
    assert page.evaluate("(id) => document.getElementById(id).getBoundingClientRect().top", target) < 300
    assert table_with(page, "fastest").is_visible()


def test_all_of_it_is_there_without_javascript(visit):
    page = visit(java_script_enabled=False)
    assert not page.locator(".tools").is_visible()
    assert page.locator(".cards li").first.is_visible()
    assert page.locator("svg.chart").first.is_visible()
    rows = page.locator("main table").last.locator("tbody tr")
    assert rows.count() == 2
    assert all(row.is_visible() for row in rows.all())


def test_hostile_names_are_words(visit):
    page = visit()
    page.locator("#unfold").click()
    assert page.locator("img, iframe, object, embed, form").count() == 0
    assert page.locator("script").count() == 2
    assert page.locator("a[href]:not([href^='#'])").count() == 0
    assert page.get_by_text(HOSTILE, exact=True).count() > 3
    menu = page.locator(".facet", has=page.locator("summary", has_text="network"))
    menu.locator("summary").click()
    assert [text.strip() for text in menu.locator("label").all_inner_texts()] == list(NETWORKS)
    page.locator("svg .mark[aria-label*='onerror']").last.evaluate("(mark) => mark.focus()")
    marks = page.locator("svg.chart").last.locator(".mark")
    marks.first.hover()
    assert page.locator("#tip *").count() == 0


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", WIDE),
        ("dark", NARROW),
        pytest.param("dark", WIDE, marks=pytest.mark.slow),
        pytest.param("light", NARROW, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing(visit, scheme, width):
    page = visit(width, scheme)
    page.locator("#unfold").click()
    page.locator(".facet summary").first.click()
    found = axe.Axe().run(page)
    assert len(found.response["passes"]) > 20
    told = [
        f"{v['id']}: {v['help']}: {[n['html'][:120] for n in v['nodes'][:3]]}" for v in found.response["violations"]
    ]
    assert told == []


def test_the_times_of_every_backend_are_in_the_chart(visit):
    page = visit()
    chart = page.locator("svg[aria-label^='Times of each network']").last
    names = [
        label.split(":")[0]
        for label in chart.locator(".mark").evaluate_all(
            "(marks) => marks.map((mark) => mark.getAttribute('aria-label'))"
        )
    ]
    assert set(names) == {f"{network}, {backend} on cpu" for network, backend in MEDIANS}
