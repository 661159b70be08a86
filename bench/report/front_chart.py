"""The chart of accuracy against latency with the Pareto front: what `front_picture` draws, to hover over.

Only the steps of the front carry their names in the drawing; all others say them when pointed at.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from bench.report.answer import Answer, Candidate
from bench.report.candidates import source_of
from bench.report.choices import best_of_each
from bench.report.svg import (
    WIDTH,
    Scale,
    colour,
    drawing,
    grid_x,
    grid_y,
    joined,
    linear_scale,
    log_scale,
    mark,
    tag,
    words,
)

LEFT, RIGHT, TOP, BOTTOM = 56, WIDTH - 16, 26, 400
LETTER = 6.5
"""About how wide a letter is, in pixels."""


def draw(answer: Answer, limit_ms: float | None = None, max_mae: float | None = None) -> Markup:
    """Draw the candidates that have both a score and a time, the front, and the limits."""
    shown = [c for c in answer.candidates if c.score is not None and c.p50 is not None]
    heads = best_of_each(shown, answer.metric)
    years = answer.metric == "mae"
    across = log_scale([x for c in shown for x in _times(c)], LEFT, RIGHT)
    up = linear_scale([y for c in shown for y in _scores(c)], BOTTOM, TOP)
    places = {place: colour(number) for number, place in enumerate(dict.fromkeys(map(_place, shown)))}
    grid = [
        grid_y(up, LEFT, RIGHT, "mean error, years" if years else "exact, %"),
        grid_x(across, TOP, BOTTOM, "ms a face (p50), logarithmic"),
    ]
    faint = [_dot(c, across, up, f"{places[_place(c)]} faint") for c in shown if c not in heads]
    whole = [_dot(c, across, up, places[_place(c)] + (" hollow" if c.home else "")) for c in heads]
    front = [step.candidate for step in answer.front]
    asked = _limits(across, up, limit_ms, max_mae if years else None)
    drawn = [*grid, asked, _steps(front, across, up), *faint, *whole]
    names = _names(front, across, up, below=years)
    hollow = ""
    if answer.question is not None and any(c.home for c in heads):
        hollow = f" Hollow: trained on {source_of(answer.question)}, elsewhere it may do worse."
    note = f"Dashed: the Pareto front. Thin bars: 95 % intervals. Faint: a slower backend of the same network.{hollow}"
    return drawing(BOTTOM + 42, f"Accuracy against latency: {answer.name}", [*drawn, names], places, note)


def _place(one: Candidate) -> str:
    return f"{one.backend} on {one.device}"


def _times(one: Candidate) -> tuple[float, float, float]:
    """Return the median in ms, and its interval; the median itself where there is none."""
    assert one.p50 is not None
    middle, low, high = one.p50.value, one.p50.low, one.p50.high
    return middle, middle if low is None else low, middle if high is None else high


def _scores(one: Candidate) -> tuple[float, float, float]:
    """Return the score in its unit, years or per cent, and its interval."""
    assert one.score is not None
    factor = 100 if one.score.unit == "share" else 1
    middle, low, high = one.score.value, one.score.low, one.score.high
    return factor * middle, factor * (middle if low is None else low), factor * (middle if high is None else high)


def _dot(one: Candidate, across: Scale, up: Scale, colours: str) -> Markup:
    assert one.p50 is not None
    assert one.score is not None
    x, left, right = map(across, _times(one))
    y, low, high = map(up, _scores(one))
    bars = f"M{left:.1f} {y:.1f}H{right:.1f}M{x:.1f} {low:.1f}V{high:.1f}"
    shape = joined([tag("path", d=bars, class_="rule"), tag("circle", cx=x, cy=y, r="4.5")])
    trained = f"; {one.home}" if one.home else ""
    tip = f"{one.name}, {one.where}: {one.score.text} of {one.score.n} faces, {one.p50.text}{trained}"
    facets = {"network": one.network, "backend": one.backend, "device": one.device, "precision": one.precision}
    return mark(shape, tip, colours, facets)


def _steps(front: Sequence[Candidate], across: Scale, up: Scale) -> Markup:
    """Draw the best score within each time: it steps where a network becomes possible."""
    if not front:
        return Markup("")
    places = [(across(_times(one)[0]), up(_scores(one)[0])) for one in front]
    (x, y), *others = places
    path = f"M{x:.1f} {y:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in others) + f"H{RIGHT}"
    return tag("path", d=path, class_="front")


def _limits(across: Scale, up: Scale, limit_ms: float | None, max_mae: float | None) -> Markup:
    lines = []
    if limit_ms is not None and across.low < limit_ms < across.high:
        x = across(limit_ms)
        lines += [tag("path", d=f"M{x:.1f} {TOP}V{BOTTOM}", class_="limit")]
        lines += [words(x + 4, TOP + 10, f"{limit_ms:g} ms")]
    if max_mae is not None and up.low < max_mae < up.high:
        y = up(max_mae)
        lines += [tag("path", d=f"M{LEFT} {y:.1f}H{RIGHT}", class_="limit")]
        lines += [words(LEFT + 4, y - 4, f"{max_mae:g} years")]
    return joined(lines)


def _names(front: Sequence[Candidate], across: Scale, up: Scale, *, below: bool) -> Markup:
    """Write the names on that side of the front where nothing is; ``below``: where less is better."""
    found: list[Markup] = []
    taken: list[tuple[float, float, float]] = []
    for one in front:
        x, y, width = across(_times(one)[0]), up(_scores(one)[0]), LETTER * len(one.name)
        left = max(LEFT + 2, x - 8 - width)
        y += 19 if below else -10
        while any(left < right and begin < left + width and abs(y - line) < 13 for begin, right, line in taken):
            y += 13 if below else -13
        taken.append((left, left + width, y))
        found.append(words(left + width, y, one.name, "end"))
    return joined(found)
