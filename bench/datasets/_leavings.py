"""What an adapter leaves out, counted by reason, with the first few of each: no row of a label file just disappears."""

from __future__ import annotations

NAMED = 3
"""How many of a reason's rows its note names; the rest are counted."""
LONGEST = 80
"""Characters of a name in a note; a hostile list may hold a name of a megabyte."""

OLDEST = 120
"""Years."""

AGAIN = "rows dropped: they repeat an earlier row"
DISPUTED = "rows dropped: other rows give the same image another label"
OUTSIDE = "rows dropped: the image's path leads out of the data folder"
MISSING = "images missing: listed, but not in the folder"
NOT_TEXT = "rows dropped: not UTF-8"
BROKEN = "rows dropped: broken"
NO_AGE = f"rows dropped: no age from 0 to {OLDEST}"
UNLABELLED = "rows dropped: neither an age nor a gender"


class Leavings:
    """Counts of what was left out, by reason, in the order in which the reasons came up."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[str]]] = {}

    def drop(self, reason: str, what: str) -> None:
        """Count one more for ``reason``; ``what`` names it, such as ``fold_0_data.txt line 7``."""
        count, named = self._found.get(reason, (0, []))
        if count < NAMED:
            named.append(plain(what))
        self._found[reason] = count + 1, named

    def count(self, reason: str) -> int:
        """How many were left out for ``reason``."""
        return self._found.get(reason, (0, []))[0]

    def notes(self) -> tuple[str, ...]:
        """One line a reason: ``3 rows dropped: no age (a.csv line 2, a.csv line 9, a.csv line 11)``."""
        return tuple(
            f"{count} {reason} ({', '.join(named)}{', ..' if count > len(named) else ''})"
            for reason, (count, named) in self._found.items()
        )


def plain(text: str) -> str:
    """Return ``text`` as it can stand in a report: printable, and not longer than a line."""
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 3]}..."
