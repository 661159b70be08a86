"""The parts that the charts of ``report.html`` are drawn with, as SVG in the page itself.

A chart is complete without JavaScript, which only adds tooltips: each mark says in its ``aria-label`` what it stands
for. Colours are classes (``c0`` to ``c9``), so that one drawing serves a light page and a dark one. Lengths are pixels
of a drawing `WIDTH` wide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from bench.records import Case

WIDTH = 780
COLOURS = 10
"""Classes of colours there are; what is more begins anew, with dashes."""


@dataclass(frozen=True)
class Scale:
    """From values to pixels: ``low`` lies at ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return where a value lies."""
        ends = (self.low, self.high, max(value, self.low) if self.log else value)
        low, high, at = map(math.log, ends) if self.log else ends
        return self.start + (at - low) / ((high - low) or 1.0) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round values within the scale."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        wide = self.log and self.high / self.low > 500
        log = LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0))
        found = (log if self.log else MaxNLocator(6)).tick_values(self.low, self.high)
        slack = 1e-9 * abs(self.high)
        return [float(v) for v in found if self.low - slack <= v <= self.high + slack]


def log_scale(values: Iterable[float], start: float, end: float) -> Scale:
    """Return a logarithmic scale that leaves some room around positive values."""
    found = [value for value in values if value > 0] or [1.0]
    return Scale(min(found) / 1.15, max(found) * 1.15, start, end, log=True)


def linear_scale(values: Iterable[float], start: float, end: float, *, low: float | None = None) -> Scale:
    """Return a linear scale over values with some room, from ``low`` on where that is given."""
    found = list(values)
    room = 0.06 * ((max(found) - min(found if low is None else [low])) or 1.0)
    return Scale(min(found) - room if low is None else low, max(found) + room, start, end)


def tag(name: str, body: str | Markup = "", **attributes: Any) -> Markup:
    """Return an element, its body and attributes escaped; None: no such attribute. ``class_`` is the class."""
    said = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, said, body)


def _short(value: Any) -> Any:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def joined(parts: Iterable[Markup]) -> Markup:
    """Return parts one after the other."""
    return Markup("").join(parts)


def words(x: float, y: float, text: str, anchor: str = "start", class_: str | None = None) -> Markup:
    """Return text that begins, ends or is centred at a place."""
    return tag("text", text, x=float(x), y=float(y), text_anchor=None if anchor == "start" else anchor, class_=class_)


def mark(shape: Markup, tip: str, colour: str, facets: Mapping[str, str] | None = None) -> Markup:
    """Return a shape that says what it stands for, with the facets by which the page can filter it."""
    asked = {f"data_{name}": value for name, value in (facets or {}).items()}
    return tag("g", shape, class_=f"mark {colour}", role="img", aria_label=tip, **asked)


def facets_of(case: Case) -> dict[str, str]:
    """Return the facets of a case."""
    return {"network": case.network, "backend": case.backend, "device": case.device, "precision": case.precision}


def colour(number: int) -> str:
    """Return the class of the colour, and of the dashes, of the n-th of several things."""
    dashes = number // COLOURS % 4
    return f"c{number % COLOURS}" + (f" d{dashes}" if dashes else "")


def grid_x(scale: Scale, top: float, bottom: float, label: str) -> Markup:
    """Return the vertical lines of a grid with their values below, and what they are values of."""
    lines = [tag("path", d=f"M{scale(v):.1f} {top:.1f}V{bottom:.1f}", class_="grid") for v in scale.ticks()]
    values = [words(scale(v), bottom + 15, f"{v:g}", "middle") for v in scale.ticks()]
    return joined([*lines, *values, words((scale.start + scale.end) / 2, bottom + 33, label, "middle", "axis")])


def grid_y(scale: Scale, left: float, right: float, label: str) -> Markup:
    """Return the horizontal lines of a grid with their values, and what they are values of above them."""
    lines = [tag("path", d=f"M{left:.1f} {scale(v):.1f}H{right:.1f}", class_="grid") for v in scale.ticks()]
    values = [words(left - 7, scale(v) + 4, f"{v:g}", "end") for v in scale.ticks()]
    return joined([*lines, *values, words(4, 13, label, class_="axis")])


def drawing(height: float, label: str, parts: Sequence[Markup], legend: Mapping[str, str], note: str = "") -> Markup:
    """Return a chart: the names of its colours, the drawing in a box that scrolls, and how to read it."""
    keys = joined(tag("li", name, class_=of) for name, of in legend.items())
    body = joined(parts)
    svg = tag("svg", body, viewBox=f"0 0 {WIDTH} {height:.0f}", role="group", aria_label=label, class_="chart")
    told = tag("p", note, class_="note") if note else Markup("")
    names = tag("ul", keys, class_="legend") if legend else Markup("")
    box = tag("div", svg, class_="scroll", tabindex="0", role="group", aria_label=f"{label}, scrolls sideways")
    return joined([names, box, told])
