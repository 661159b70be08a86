"""Built networks against what the source framework itself answered, on every runtime that is here.

Three batch sizes, because a runtime can be right at one and wrong at another: OpenCV 5's old engine is. A runtime that
is not here is a row too, with its reason. The limit of 1e-5 is one for probabilities; 60 years in float32 are 4e-6 off
by their last bit alone, so beyond 1 the limit grows with the output's largest value, and the rows say it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from converters.errors import BadInput
from converters.runtimes import RUNTIMES, available
from converters.verify import Difference, differences
from zoo import golden
from zoo.card import Card

BATCHES = (1, 3, 8)

LIMIT = 1e-5
"""How far an output may be from the original's, as a share of the largest value that it has there."""

SMALLEST_SCALE = 0.01
"""Outputs up to 1, as probabilities are, may be off by `LIMIT` itself; smaller ones are held to their own size."""

RULE = f"passes: within {LIMIT:g}; an output beyond 1, or all below {SMALLEST_SCALE:g}: that share of its largest value"
BOUNDS = {"fp16": 1e-2}
"""What `LIMIT` is for a variant of fewer bits, see `zoo.variant_verify`; without one nothing is too far."""

LABELS, SCORES, BOXES = slice(2), slice(2, 3), slice(3, None)
"""The columns of a list of detections: which picture and which class, how sure, and where."""

Array = NDArray[Any]
Verdict = Literal["same", "failed", "skipped", "close", "far", "reported"]
"""The last three are of variants of fewer bits, see `zoo.variant_verify`."""
Where = tuple[str, str, str, str, int]
"""The first fields of a row: network, output, runtime, its version, batch."""


@dataclass(frozen=True)
class Row:
    """One output of one network on one runtime at one batch size; ``reason`` says why it is not ``same``.

    ``max_rel`` is ``max_abs`` over the largest magnitude of the original's output, ``limit`` what ``max_abs`` may be.
    Without a ``limit`` nothing was compared: no runtime, no answer, or one of another shape or not finite. Other
    detections than the original's have a limit but no ``max_abs``. ``calibrated_on`` is for 8 bits alone.
    """

    network: str
    output: str
    runtime: str
    version: str | None
    batch: int
    max_abs: float | None
    max_rel: float | None
    verdict: Verdict
    reason: str = ""
    limit: float | None = None
    precision: str = "fp32"
    calibrated_on: str = ""


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
        where = (row.network, row.precision, row.output, f"{row.runtime} {row.version or ''}", row.batch)
        cells.append((*where, *numbers, verdict))
    headers = ("network", "precision", "output", "runtime", "batch", "max abs", "max rel", "verdict")
    return tabulate(cells, headers, disable_numparse=True)


def summary(rows: Sequence[Row]) -> str:
    """Return a line for each network, precision and runtime: the row nearest to its limit, or beyond it."""
    found: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.network, row.precision, row.runtime), []).append(row)
    cells = []
    for (network, precision, runtime), those in found.items():
        worst = max(those, key=_badness)
        numbers = ["" if value is None else f"{value:.1e}" for value in (worst.max_abs, worst.limit)]
        where = (network, precision, f"{runtime} {worst.version or ''}", worst.batch, worst.output)
        cells.append((*where, *numbers, worst.verdict))
    headers = ("network", "precision", "runtime", "worst batch", "output", "max abs", "limit", "verdict")
    return tabulate(cells, headers, disable_numparse=True)


def _badness(row: Row) -> tuple[bool, float]:
    if row.max_abs is None:
        return row.verdict == "failed", math.inf
    return row.verdict == "failed", row.max_abs / (row.limit or 1)


def _rows(reference: golden.Golden, model: Path, runtime: str, version: str, batch: int) -> Iterator[Row]:
    feeds, wanted = reference.cycle(batch)
    if version.startswith("not installed"):
        for output in wanted:
            yield Row(reference.name, output, runtime, None, batch, None, None, "skipped", version)
        return
    try:
        answer = RUNTIMES[runtime](model, feeds)
        differ = differences(wanted, answer)
    except Exception as error:  # noqa: BLE001 - a runtime that crashes is a failed row; the others still have their turn
        lines = str(error).split("\n")
        for output in wanted:
            yield Row(reference.name, output, runtime, version, batch, None, None, "failed", lines[0] or repr(error))
        return
    for output, difference in differ.items():
        where = (reference.name, output, runtime, version, batch)
        if output in reference.found:
            yield _detections(reference, where, wanted[output], answer[output])
        else:
            yield _row(reference, where, difference, limit_of(reference.outputs[output]))


def _row(reference: golden.Golden, where: Where, difference: Difference, limit: float) -> Row:
    if not math.isfinite(difference.max_abs):
        return Row(*where, None, None, "failed", "another shape, or numbers that are not finite")
    same = difference.max_abs <= limit
    reason = "" if same else f"differs from {reference.source}; {limit:.1e} is the limit"
    return Row(*where, difference.max_abs, difference.max_rel, "same" if same else "failed", reason, limit)


def _detections(reference: golden.Golden, where: Where, wanted: Array, given: Array) -> Row:
    """Judge detections (1, 1, K, 7): labels must be the same in the same order, scores and boxes have their own limits.

    A list of other detections, or of more or fewer, has no distance; one that is empty is no answer.
    """
    expected = reference.found[where[1]]
    fits = given.ndim == 4 and given.shape[:2] == wanted.shape[:2] and given.shape[3] == wanted.shape[3]
    if not fits or given.size < min(wanted.size, 1) or not np.isfinite(given).all():
        return Row(*where, None, None, "failed", "another shape, or numbers that are not finite")
    if not np.array_equal(given[..., LABELS], wanted[..., LABELS]):
        reason = f"other detections ({given.shape[2]}) than those of {reference.source} ({wanted.shape[2]})"
        return Row(*where, None, None, "failed", reason, limit_of(expected[..., SCORES]))
    parts = [
        (differences({"": wanted[..., part]}, {"": given[..., part]})[""], limit_of(expected[..., part]))
        for part in (SCORES, BOXES)
    ]
    return _row(reference, where, *max(parts, key=lambda part: part[0].max_abs / (part[1] or 1)))


def limit_of(expected: Array) -> float:
    """Return how far an output may be from ``expected``, all that the source answered: the same at any batch size."""
    largest = float(np.abs(expected).max(initial=0))
    return LIMIT if SMALLEST_SCALE <= largest <= 1 else LIMIT * largest
