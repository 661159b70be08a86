"""The pictures of a report, beside it: as PNG, which it shows, and as SVG.

A figure is made in no time and drawn in about a second, twice. So figures are collected, and then drawn several at a
time, each process with figures of its own: a report of the whole zoo has fifty.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.results import write_atomically
from zoo.parallel import cores, processes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG: Any = {"svg.hashsalt": "agebench", "svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans", "Verdana"]}
"""Without a salt the ids of an SVG are drawn by chance; as text its words take few bytes, and can be searched."""

WORTH = 4
"""Figures that take as long as starting a process to draw them."""


class Album:
    """The figures of a report, in the order in which they were added."""

    def __init__(self, folder: Path) -> None:
        """Begin an album whose pictures will lie in ``folder``."""
        self.folder = folder
        self._figures: dict[str, Figure] = {}

    def add(self, figure: Figure, name: str) -> str:
        """Take a figure in; return the file's name that its PNG will have. The SVG is called like it."""
        plain = re.sub(r"[^A-Za-z0-9.-]+", "-", name)
        self._figures[plain] = figure
        return f"{plain}.png"

    def draw(self) -> None:
        """Draw all that was taken in. Raises BadInput where a picture cannot be written."""
        jobs = max(1, min(cores(), len(self._figures) // WORTH))
        with processes(jobs) as start:
            begun = [start(name, drawn, figure, self.folder, name) for name, figure in self._figures.items()]
            for one in begun:
                one.result()


def drawn(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as PNG and SVG, the same bytes from the same figure."""
    from matplotlib import rc_context

    for form, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        content = BytesIO()
        with rc_context(SVG):
            figure.savefig(content, format=form, dpi=110, metadata=metadata)
        figure.set_layout_engine("none")  # the layout is found by now, and finding it takes longest
        write_atomically(folder / f"{name}.{form}", _palette(content) if form == "png" else content.getvalue())


def _palette(png: BytesIO) -> bytes:
    """Return a PNG of 128 colours, which is what drawings need, and makes it a third as large."""
    from PIL import Image

    small = BytesIO()
    png.seek(0)
    with Image.open(png) as image:
        few = image.convert("RGB").quantize(128, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    return small.getvalue()
