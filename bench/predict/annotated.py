"""A picture with a frame around each face and what the networks say beside it, in the picture's own size.

A label never covers another face, nor another label, as long as a shorter one fits; the shortest is the face's number
in ``faces.jsonl``. All labels of a picture are of one kind wherever that is possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.predict.lettering import font, height, width
from bench.predict.said import FaceLine, own
from bench.preprocess import Box, Image
from bench.report.pictures import COLOURS

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

SHARE, SMALLEST, LARGEST = 1 / 55, 11, 96
"""Of the picture's longer side, a letter's height; and its bounds in pixels."""
KINDS = ("networks", "brief", "lines", "bare", "number")
"""What a label may say, the longest first; ``lines`` is ``brief`` with a line an answer, ``bare`` has no per cents."""
TRIED = (
    ("networks", 1.0), ("networks", 0.75), ("brief", 1.0), ("lines", 1.0), ("brief", 0.75), ("lines", 0.75),
    ("bare", 0.75), ("lines", 0.6), ("bare", 0.6),
)  # fmt: skip
"""What is tried for all faces alike, and in letters of which share of their size."""
COVERED = 0.25
"""How much of its own face a label may cover where there is no room beside it."""


class Label(NamedTuple):
    """Lines of text and where they go."""

    lines: tuple[str, ...]
    box: Box


def annotate(image: Image, lines: Sequence[FaceLine]) -> Image:
    """Return a copy of ``image`` (H, W, 3), BGR, with the faces and what is said of them."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    rows, columns = image.shape[:2]
    picture = Pillow.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    draw = ImageDraw.Draw(picture)
    size = int(np.clip(round(max(rows, columns) * SHARE), SMALLEST, LARGEST))
    stroke = max(1, round(max(rows, columns) / 400))
    colours = [colour for _, colour in zip(lines, cycle(COLOURS), strict=False)]
    for line, colour in zip(lines, colours, strict=True):
        _frame(draw, line.box, colour, stroke)
    labels, letters = _placed(lines, size, (columns, rows))
    for label, colour in zip(labels, colours, strict=True):
        left, top, right, bottom = label.box
        draw.rectangle((left, top, right - 1, bottom - 1), fill="black")
        draw.rectangle((left, top, left + stroke, bottom - 1), fill=colour)
        for number, text in enumerate(label.lines):
            at = (left + stroke + _pad(letters), top + number * height(letters) + 1)
            draw.text(at, text, font=letters, fill="white")
    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def _frame(draw: Any, box: Box, colour: str, stroke: int) -> None:
    """Draw a frame that shows on any ground: the colour between black and white lines."""
    left, top, right, bottom = box[0], box[1], box[2] - 1, box[3] - 1
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline="white")
    for inset in range(stroke + 1):
        if right - left < 2 * inset or bottom - top < 2 * inset:
            return
        edge = "black" if inset == stroke else colour
        draw.rectangle((left + inset, top + inset, right - inset, bottom - inset), outline=edge)


def _placed(lines: Sequence[FaceLine], size: int, room: tuple[int, int]) -> tuple[list[Label], FreeTypeFont]:
    """Return a label for each face, alike for all, and its letters: the longest text that has a place at every face.

    Where not even the shortest has, faces in the order of their size get what is left.
    """
    for kind, scale in TRIED:
        letters = font(max(SMALLEST, round(size * scale)))
        found = _fitting(lines, [(kind,)] * len(lines), letters, room)
        if all(label is not None for label in found):
            break
    else:
        found = _fitting(lines, [KINDS[2:]] * len(lines), letters, room)
    pairs = zip(found, lines, strict=True)
    return [label or _last_resort(line, letters, room) for label, line in pairs], letters


def _fitting(
    lines: Sequence[FaceLine], kinds: Sequence[Sequence[str]], letters: FreeTypeFont, room: tuple[int, int]
) -> list[Label | None]:
    taken: list[Box] = []
    found: list[Label | None] = []
    for line, tried in zip(lines, kinds, strict=True):
        others = [*(other.box for other in lines if other is not line), *taken]
        places = (
            Label(texts, place)
            for texts in (_text(line, kind) for kind in tried)
            for place in _places(line.box, texts, letters, room)
            if not any(_overlap(place, box) for box in others)
        )
        found.append(next(places, None))
        taken += [] if found[-1] is None else [found[-1].box]
    return found


def _text(line: FaceLine, kind: str) -> tuple[str, ...]:
    """Return what a label says: every network by its name, the first answer of each kind, or the face's number."""
    number = f"{line.face}  " if line.faces > 1 else ""
    if kind == "number":
        return (str(line.face),)
    if kind == "networks":
        names = [f"{name}: {', '.join(own(said))}" for name, said in line.networks.items()]
        return (f"{number}{names[0]}", *names[1:])
    every = list(dict.fromkeys(word for said in line.networks.values() for word in own(said)))
    firsts = (next((w for w in every if w.endswith("years")), None), next((w for w in every if "male" in w), None))
    brief = [word for word in firsts if word] or every[:1]
    if kind == "bare":
        brief = [word.rpartition(" ")[0].rpartition(" ")[0] if word.endswith("%") else word for word in brief]
    return (f"{number}{', '.join(brief)}",) if kind == "brief" else (f"{number}{brief[0]}", *brief[1:])


def _places(box: Box, texts: Sequence[str], letters: FreeTypeFont, size: tuple[int, int]) -> Iterator[Box]:
    """Yield where a label may go, all inside the picture: above, below, right, left, or over the rim of the face."""
    wide, high = _size(texts, letters)
    columns, rows = size
    if wide > columns or high > rows:
        return
    left, top, right, bottom = box
    across = min(max(0, left), columns - wide)
    beside = min(max(0, top), rows - high)
    for x, y in ((across, top - high - 1), (across, bottom + 1), (right + 1, beside), (left - wide - 1, beside)):
        if x >= 0 and y >= 0 and x + wide <= columns and y + high <= rows:
            yield x, y, x + wide, y + high
    if wide * high <= COVERED * (right - left) * (bottom - top):
        y = min(bottom, rows) - high
        yield across, y, across + wide, y + high


def _last_resort(line: FaceLine, letters: FreeTypeFont, size: tuple[int, int]) -> Label:
    """Return the number at the face's corner, in small letters, whatever is there."""
    wide, high = _size((str(line.face),), letters)
    x, y = (max(0, min(at, most - needed)) for at, most, needed in zip(line.box[:2], size, (wide, high), strict=True))
    return Label((str(line.face),), (x, y, min(size[0], x + wide), min(size[1], y + high)))


def _size(texts: Sequence[str], letters: FreeTypeFont) -> tuple[int, int]:
    return max(width(text, letters) for text in texts) + 3 * _pad(letters), len(texts) * height(letters) + 3


def _pad(letters: FreeTypeFont) -> int:
    return max(2, int(letters.size) // 4)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
