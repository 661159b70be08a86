"""Faces in rows, networks in columns: what each says of the same face, side by side, on pages of twenty faces.

A page is written as soon as it is full, so that a folder of any size takes the memory of one page.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.predict.lettering import fitted, font, height
from bench.predict.said import FaceLine, Said, words
from bench.preprocess import Image
from bench.results import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

ROWS = 20
"""Faces on a page."""
THUMB, NAME, COLUMN, GAP, HEAD = 112, 200, 166, 10, 56
"""Pixels: a face, its name, a network's column, between them, the heading."""
MARGIN = 0.25
"""Of the face's sides, what is shown around it."""
INK, GREY, LINE, BAND = "#111111", "#666666", "#d0d0d0", "#f5f5f5"


class ContactSheet:
    """Pages in ``folder``, begun after those that are there. Add faces, then finish."""

    def __init__(self, folder: Path, networks: Sequence[str]) -> None:
        """Keep the columns; nothing is written yet."""
        self.folder = folder
        self.networks = tuple(networks)
        self.pages: list[Path] = []
        self._rows: list[tuple[Picture, FaceLine]] = []

    def add(self, image: Image, lines: Sequence[FaceLine]) -> None:
        """Add the faces of a picture (H, W, 3), BGR, and write each page that is full."""
        for line in lines:
            self._rows.append((thumbnail(image, line.box), line))
            if len(self._rows) == ROWS:
                self.finish()

    def finish(self) -> None:
        """Write the page that is begun, if it has a face."""
        if not self._rows:
            return
        number = 1
        while (path := self.folder / f"contact-sheet{'' if number == 1 else f'-{number}'}.png").exists():
            number += 1
        write_atomically(path, _png(self._page(number)))
        self.pages.append(path)
        self._rows.clear()

    def _page(self, number: int) -> Picture:
        from PIL import Image as Pillow
        from PIL import ImageDraw

        high = HEAD + len(self._rows) * (THUMB + GAP) + 2 * GAP + height(font(12))
        sheet = Pillow.new("RGB", (2 * GAP + THUMB + NAME + COLUMN * len(self.networks), high), "white")
        draw = ImageDraw.Draw(sheet)
        for column, name in enumerate(self.networks):
            network, at, variant = name.partition("@")
            draw.text(
                (_left(column), GAP), fitted(network, font(12, bold=True), COLUMN - GAP), INK, font(12, bold=True)
            )
            draw.text((_left(column), GAP + 18), fitted(at + variant, font(12), COLUMN - GAP), INK, font(12))
        draw.text((GAP, GAP), f"page {number}", GREY, font(13))
        for row, (face, line) in enumerate(self._rows):
            top = HEAD + row * (THUMB + GAP)
            if row % 2 == 0:
                draw.rectangle((0, top - GAP // 2, sheet.width, top + THUMB + GAP // 2), fill=BAND)
            sheet.paste(face, (GAP + (THUMB - face.width) // 2, top + (THUMB - face.height) // 2))
            self._row(draw, top, line)
        draw.line((0, HEAD - GAP // 2 - 1, sheet.width, HEAD - GAP // 2 - 1), fill=LINE)
        draw.text((GAP, high - GAP - height(font(12))), "* derived: follows from what it says", GREY, font(12))
        return sheet

    def _row(self, draw: Any, top: int, line: FaceLine) -> None:
        left, most = 2 * GAP + THUMB, NAME - 2 * GAP
        folder, _, name = line.image.rpartition("/")
        where = f"face {line.face} of {line.faces}" if line.faces > 1 else "one face"
        sure = "" if line.score is None else f", score {line.score:.2f}"
        size = f"{line.box[2] - line.box[0]}x{line.box[3] - line.box[1]} pixels"
        for number, text in enumerate(text for text in (name, folder, f"{where}{sure}", size) if text):
            letters = font(13) if number == 0 else font(12)
            draw.text((left, top + 8 + 22 * number), fitted(text, letters, most), GREY if number else INK, letters)
        for column, network in enumerate(self.networks):
            _cell(draw, _left(column), top, line.networks[network])


def thumbnail(image: Image, box: tuple[int, int, int, int]) -> Picture:
    """Return a face with something around it, at most `THUMB` pixels wide and high, the face itself framed."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    left, top, right, bottom = box
    across, down = (round(MARGIN * side) for side in (right - left, bottom - top))
    x, y = max(0, left - across), max(0, top - down)
    cut = image[y : bottom + down, x : right + across]
    face = Pillow.fromarray(np.ascontiguousarray(cut[:, :, ::-1]))
    scale = THUMB / max(face.size)
    face = face.resize((max(1, round(face.width * scale)), max(1, round(face.height * scale))))
    frame = tuple(round(scale * at) for at in (left - x, top - y, right - x, bottom - y))
    if (right - left, bottom - top) != (image.shape[1], image.shape[0]):
        draw = ImageDraw.Draw(face)
        draw.rectangle((frame[0], frame[1], frame[2] - 1, frame[3] - 1), outline="white")
        draw.rectangle((frame[0] - 1, frame[1] - 1, frame[2], frame[3]), outline="black")
    return face


def _cell(draw: Any, left: int, top: int, said: Said) -> None:
    if said.status == "failed":
        draw.text((left, top + 8), "failed", "#b00020", font(14, bold=True))
        draw.text((left, top + 30), fitted(said.reason or "", font(11), COLUMN - GAP), GREY, font(11))
        return
    for number, text in enumerate(words(said)):
        derived = text.endswith("*")
        letters = font(14) if derived else font(15, bold=True)
        draw.text((left, top + 8 + 26 * number), fitted(text, letters, COLUMN - GAP), GREY if derived else INK, letters)


def _left(column: int) -> int:
    return 2 * GAP + THUMB + NAME + COLUMN * column


def _png(picture: Picture) -> bytes:
    from io import BytesIO

    content = BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()
