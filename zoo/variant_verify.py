"""The built variants of a network against the golden outputs of its original, and against its float32 file on faces.

Half precision has 11 binary digits: a number is off by 2^-12 of itself, some dozens of layers add up to a few
thousandths of a logit, and a probability moves by at most a quarter of what its logit does. Beyond a hundredth
something else is wrong. For 8 bits there is no such bound: what counts is the accuracy. Winograd's algorithm
computes in float32, and is held to what that is held to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import BadInput, one_line
from zoo import golden, variants
from zoo.card import Card
from zoo.variants import VARIANTS
from zoo.verify import BOUNDS, LIMIT, Row
from zoo.verify import compare as compare_with_golden

if TYPE_CHECKING:
    from bench.records import Score
    from bench.types import Split

SCORED = 16
"""Faces in a batch."""


def compare(card: Card) -> Iterator[Row]:
    """Yield the rows of `zoo.verify.compare` for each built variant, by its bound ``close``, ``far`` or ``reported``.

    Those of ``winograd`` are ``same`` or ``failed``, as of the float32 file.

    What gave no answer of the right shape in finite numbers is ``failed`` in every precision.
    """
    for variant in VARIANTS:
        path = variants.built(card, variant)
        if path is None:
            continue
        calibrated = variants.calibration_of(path)
        for row in compare_with_golden(card, path):
            listed = row.output in golden.load(card.name).found
            told = replace(row, precision=variant, calibrated_on=calibrated)
            yield told if variant == "winograd" else _judged(told, BOUNDS.get(variant), listed=listed)


def _judged(row: Row, bound: float | None, *, listed: bool) -> Row:
    if row.limit is None:
        return row  # nothing was compared: no runtime, or no answer
    if listed:
        why = "a list of detections has no distance, its weakest come and go"
        return replace(row, verdict="reported", reason=why, limit=None)
    assert row.max_abs is not None
    if bound is None:
        return replace(row, verdict="reported", reason="", limit=None)
    limit = row.limit * bound / LIMIT
    close = row.max_abs <= limit
    reason = "" if close else f"half precision is expected within {limit:.1e}"
    return replace(row, verdict="close" if close else "far", reason=reason, limit=limit)


def changes(card: Card, model: Path, split: Split) -> Iterator[dict[str, Any]]:
    """Yield a row for each built variant and metric: what the float32 file scores on the faces, and what the variant.

    Each says on which faces, how many of them counted, and what an 8-bit file was calibrated on. A network without
    heads, or whose weights are made up, has no score. Raises BadInput without ONNX Runtime, or for a file without one.
    """
    from zoo import faces

    paths = {variant: path for variant in VARIANTS if (path := variants.built(card, variant))}
    if not paths or not card.heads or card.seeded:
        return
    before = _scores(card, model, split)
    about = {"dataset": split.dataset, "split": split.split, "split_sha256": faces.fingerprint(split)}
    for variant, path in paths.items():
        after = _scores(card, path, split)
        said = {**about, "calibrated_on": variants.calibration_of(path)}
        for (output, task, metric), score in before.items():
            what = {"network": card.name, "precision": variant, "output": output, "task": task, "metric": metric}
            yield {**what, **_change(score, after[output, task, metric]), **said}


def _change(before: Score, after: Score) -> dict[str, Any]:
    """Return two scores on the same faces, and by how much they differ."""
    return {
        "fp32": before.value,
        "variant": after.value,
        "change": after.value - before.value,
        "n": before.n,
        "ci95": {"fp32": before.ci95, "variant": after.ci95},
    }


def _scores(card: Card, model: Path, split: Split) -> dict[tuple[str, str, str], Score]:
    from zoo import faces

    try:
        import onnxruntime as ort
    except ImportError as error:
        raise BadInput(f"scoring needs ONNX Runtime ({error}); install the extra cpu or cuda") from error
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    names = [head.output for head in card.heads]
    fed = faces.batches(split, card.input[0], SCORED)
    try:
        session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        parts = [session.run(names, feeds) for feeds in fed]
    except BadInput:
        raise
    except Exception as error:  # ONNX Runtime's own have no class in common
        raise BadInput(f"{model}: does not run: {one_line(str(error))}") from error
    outputs = {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(names)}
    shapes = {name: values.shape[1:] for name, values in golden.load(card.name).outputs.items()}
    for name, numbers in outputs.items():
        if numbers.shape[1:] != shapes[name] or not np.isfinite(numbers).all():
            raise BadInput(f"{model}: output {name!r} has another shape, or numbers that are not finite; no score")
    return faces.measured(card.heads, outputs, split)
