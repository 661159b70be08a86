"""A short table for people: what is not fine, the worst first, and how many of what there are.

What does not fail the check is cut short: of each verdict and dimension the first few.
"""

from __future__ import annotations

from collections import Counter

from bench.check.findings import Judged
from converters.errors import one_line

WIDTHS = (None, None, 44, 26, 26, 60)
FIRST = 8


def render(judged: Judged, *, everything: bool) -> str:
    """Return a headline and the table; the headline alone where all is fine."""
    from tabulate import tabulate

    rows = _rows(judged, everything=everything)
    if not rows:
        return judged.headline() + "\n"
    headers = ("verdict", "dimension", "case", "baseline", "now", "why")
    table = tabulate(rows, headers, disable_numparse=True, maxcolwidths=list(WIDTHS), break_on_hyphens=False)
    return f"{judged.headline()}\n\n{table}\n"


def _rows(judged: Judged, *, everything: bool) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    alike = Counter[tuple[str, str]]()
    for f in judged.told(everything=everything):
        if not judged.fails(f):
            alike[f.verdict, f.dimension] += 1
            if alike[f.verdict, f.dimension] > FIRST and not everything:
                continue
        rows.append((f.verdict, f.dimension, *map(one_line, (f.case, f.baseline, f.candidate, f.why))))
    more: list[tuple[str, ...]] = [
        (*kind, f"and {count - FIRST} more", "", "", "--all tells them")
        for kind, count in alike.items()
        if count > FIRST
    ]
    return rows if everything else rows + more
