"""Text in pictures: DejaVu Sans, which comes with matplotlib, so a picture looks the same on every machine.

It has no Chinese, Japanese or Korean: such letters are shown as the box that the font has for them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PIL.ImageFont import FreeTypeFont, truetype

from converters.errors import one_line


@cache
def font(size: int, *, bold: bool = False) -> FreeTypeFont:
    """Return the font in a size of pixels."""
    from matplotlib import get_data_path

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return truetype(str(Path(get_data_path(), "fonts", "ttf", name)), size)


def width(text: str, letters: FreeTypeFont) -> int:
    """Return how many pixels a line is wide."""
    return round(letters.getlength(text))


def height(letters: FreeTypeFont) -> int:
    """Return how many pixels a line is high, the gap to the next one included."""
    ascent, descent = letters.getmetrics()
    return ascent + descent


def fitted(text: str, letters: FreeTypeFont, most: int) -> str:
    """Return ``text`` as one line of at most ``most`` pixels, with dots for what is left out of its middle."""
    whole = one_line(text.encode("utf-8", "backslashreplace").decode())
    kept = len(whole)
    shown = whole
    while width(shown, letters) > most and kept > 1:
        kept -= 1
        shown = f"{whole[: (kept + 1) // 2]}…{whole[len(whole) - kept // 2 :]}"
    return shown
