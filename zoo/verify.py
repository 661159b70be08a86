"""Built networks against what the source framework itself answered, on every runtime that is here.

Three batch sizes, because a runtime can be right at one and wrong at another: OpenCV 5's old engine is. A runtime that
is not here is a row too, with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tabulate import tabulate

from converters.errors import BadInput
from converters.runtimes import RUNTIMES, available
from converters.verify import close_enough, differences
from zoo import golden
from zoo.card import Card

BATCHES = (1, 3, 8)


@dataclass(frozen=True)
class Row:
    """One output of one network on one runtime at one batch size; ``reason`` says why it is not ``same``."""

    network: str
    output: str
    runtime: str
    version: str | None
    batch: int
    max_abs: float | None
    max_rel: float | None
    verdict: Literal["same", "failed", "skipped"]
    reason: str = ""


def compare(card: Card, model: Path) -> Iterator[Row]:
    """Yield a row for each runtime, batch size and output of the card's golden file, whatever happens.

    Raises BadInput when there is no golden file, or one made of other files than the card's.
    """
    reference = golden.load(card.name)
    sources = {weights.file: weights.sha256 for weights in card.graph()}
    if reference.meta["sha256"] != sources:
        raise BadInput(
            f"{card.name}: its golden outputs are of {reference.meta['sha256']}, the card's files are {sources}"
        )
    versions = available()
    for runtime in RUNTIMES:
        for batch in BATCHES:
            yield from _rows(reference, model, runtime, versions[runtime], batch)


def as_table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for a person."""
    cells = []
    for row in rows:
        numbers = ["" if value is None else f"{value:.1e}" for value in (row.max_abs, row.max_rel)]
        verdict = f"{row.verdict}: {row.reason}" if row.reason else row.verdict
        cells.append((row.network, row.output, f"{row.runtime} {row.version or ''}", row.batch, *numbers, verdict))
    headers = ("network", "output", "runtime", "batch", "max abs", "max rel", "verdict")
    return tabulate(cells, headers, disable_numparse=True)


def _rows(reference: golden.Golden, model: Path, runtime: str, version: str, batch: int) -> Iterator[Row]:
    feeds, wanted = reference.cycle(batch)
    if version.startswith("not installed"):
        for output in wanted:
            yield Row(reference.name, output, runtime, None, batch, None, None, "skipped", version)
        return
    try:
        found = differences(wanted, RUNTIMES[runtime](model, feeds))
    except Exception as error:  # noqa: BLE001 - a runtime that crashes is a failed row; the others still have their turn
        lines = str(error).split("\n")
        for output in wanted:
            yield Row(reference.name, output, runtime, version, batch, None, None, "failed", lines[0] or repr(error))
        return
    for output, difference in found.items():
        where = (reference.name, output, runtime, version, batch)
        if not math.isfinite(difference.max_abs):
            yield Row(*where, None, None, "failed", "another shape, or numbers that are not finite")
            continue
        same = close_enough(wanted[output], difference)
        reason = "" if same else f"differs from {reference.source}"
        yield Row(*where, difference.max_abs, difference.max_rel, "same" if same else "failed", reason)
