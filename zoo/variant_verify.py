"""The built variants of a network against the golden outputs of its original, and against its float32 file on faces.

Half precision has 11 binary digits: a number is off by 2^-12 of itself, some dozens of layers add up to a few
thousandths of a logit, and a probability moves by at most a quarter of what its logit does. Beyond a hundredth
something else is wrong. For 8 bits there is no such bound: what counts is the accuracy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import BadInput
from zoo import golden, variants
from zoo.card import Card
from zoo.variants import VARIANTS
from zoo.verify import BOUNDS, LIMIT, Row
from zoo.verify import compare as compare_with_golden

if TYPE_CHECKING:
    from bench.types import Split

SCORED = 16
"""Faces in a batch."""


def compare(card: Card) -> Iterator[Row]:
    """Yield the rows of `zoo.verify.compare` for each built variant: ``close`` or ``far`` by its bound, none failed."""
    for variant in VARIANTS:
        path = variants.built(card, variant)
        for row in compare_with_golden(card, path) if path else ():
            listed = row.output in golden.load(card.name).found
            yield _judged(replace(row, precision=variant), BOUNDS.get(variant), listed=listed)


def _judged(row: Row, bound: float | None, *, listed: bool) -> Row:
    if row.verdict == "skipped":
        return row
    if listed:
        why = "a list of detections has no distance, its weakest come and go"
        return replace(row, verdict="reported", reason=why, limit=None)
    if row.max_abs is None or row.limit is None:
        return replace(row, verdict="far" if bound else "reported")
    if bound is None:
        return replace(row, verdict="reported", reason="", limit=None)
    limit = row.limit * bound / LIMIT
    close = row.max_abs <= limit
    reason = "" if close else f"half precision is expected within {limit:.1e}"
    return replace(row, verdict="close" if close else "far", reason=reason, limit=limit)


def changes(card: Card, model: Path, split: Split) -> Iterator[dict[str, Any]]:
    """Yield a row for each built variant and metric: what the float32 file scores on the faces, and what the variant.

    A network without heads, or whose weights are made up, has no score. Raises BadInput without ONNX Runtime.
    """
    paths = {variant: path for variant in VARIANTS if (path := variants.built(card, variant))}
    if not paths or not card.heads or card.seeded:
        return
    before = _scores(card, model, split)
    for variant, path in paths.items():
        after = _scores(card, path, split)
        for (output, task, metric), value in before.items():
            there = after.get((output, task, metric))
            if there is None:
                raise BadInput(f"{path}: output {output!r} has no {metric}; build the variant anew")
            what = {"network": card.name, "precision": variant, "output": output, "task": task, "metric": metric}
            yield {**what, "fp32": value, "variant": there, "change": there - value, "n": len(split.samples)}


def _scores(card: Card, model: Path, split: Split) -> dict[tuple[str, str, str], float]:
    from zoo import faces

    try:
        import onnxruntime as ort
    except ImportError as error:
        raise BadInput(f"scoring needs ONNX Runtime ({error}); install the extra cpu or cuda") from error
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    names = [head.output for head in card.heads]
    parts = [session.run(names, feeds) for feeds in faces.batches(split, card.input[0], SCORED)]
    outputs = {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}
    return faces.measured(card.heads, outputs, split)
