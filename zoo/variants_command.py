"""What ``zoo build`` and ``zoo verify`` do with the half precision and 8-bit variants of networks.

A variant is no other network: that it differs from its float32 file is told, and fails nothing.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.errors import BadInput
from zoo import progress
from zoo.parallel import processes

if TYPE_CHECKING:
    from zoo.card import Card
    from zoo.variants import Calibration, Variant
    from zoo.verify import Row

Models = Mapping[str, tuple["Card", Path]]
"""Built networks by name: card and ONNX file."""
HEADERS = ("network", "precision", "output", "task", "metric", "fp32", "variant", "change")


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Let ``build`` be told the precisions, and the faces to calibrate with."""
    text = "what to build beside fp32: half precision, 8 bits (default: fp32)"
    parser.add_argument("--precision", default="fp32", metavar="fp32,fp16,int8", help=text)
    text = "faces to calibrate 8 bits with, of the validation split (default: the built-in sample)"
    parser.add_argument("--data", metavar="NAME=PATH[:SPLIT]", help=text)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Let ``verify`` be told the faces to score the variants on."""
    text = "faces to tell the change of accuracy of each built variant on"
    parser.add_argument("--data", metavar="NAME=PATH[:SPLIT]", help=text)
    parser.add_argument("--limit", type=int, metavar="N", help="score on N of them only")


def wanted(text: str) -> tuple[Variant, ...]:
    """Return the variants that ``--precision`` asks for beside fp32. Raises BadInput for an unknown precision."""
    from zoo.variants import VARIANTS

    words = [word.strip() for word in text.split(",")]
    wrong = [word for word in words if word not in {"fp32", *VARIANTS}]
    if wrong:
        raise BadInput(f"--precision {wrong[0]!r}: there are fp32, {', '.join(VARIANTS)}")
    return tuple(variant for variant in VARIANTS if variant in words)


def calibration(variants: Sequence[Variant], data: str | None) -> Calibration | None:
    """Read the faces to calibrate with where a variant asks for them. Raises BadInput for an unknown dataset."""
    if "int8" not in variants:
        if data is not None:
            raise BadInput("--data is for calibrating int8; ask for it with --precision int8, or leave --data away")
        return None
    from zoo import faces
    from zoo.variants import FACES, Calibration

    split = faces.chosen(data, FACES, "validation")
    told = f"{split.dataset} {split.split}, {len(split.samples)} faces"
    return Calibration(told, faces.fingerprint(split), split)


def build(
    models: Models, variants: Sequence[Variant], calibrated: Calibration | None, jobs: int, failed: dict[str, BadInput]
) -> None:
    """Build the variants of built networks, several at a time; print a line each. What cannot be goes to ``failed``."""
    todo = [(card, path, variant) for card, path in models.values() for variant in variants]
    if not todo:
        return
    with progress.task("variants", len(todo)) as advance, processes(max(1, min(jobs, len(todo)))) as start:
        begun = [(c, v, start(f"{v} {c.name}", _build, c, path, v, calibrated)) for c, path, v in todo]
        for done, (card, variant, future) in enumerate(begun, 1):
            try:
                path, seconds = future.result()
            except BadInput as error:
                failed[f"{card.name} {variant}"] = error
            else:
                print(f"{path}  {path.stat().st_size} bytes  {seconds:.1f} s", flush=True)
            advance(done)


def _build(card: Card, model: Path, variant: Variant, calibrated: Calibration | None) -> tuple[Path, float]:
    from zoo import variants

    begin = time.perf_counter()
    return variants.build(card, model, variant, calibrated), time.perf_counter() - begin


def compared(models: Models, jobs: int, failed: dict[str, BadInput]) -> list[Row]:
    """Return how far the built variants are from the golden outputs of their networks."""
    return [row for rows in _each(models, jobs, failed, _compared) for row in rows]


def _compared(card: Card, model: Path) -> list[Row]:
    from zoo.variant_verify import compare

    return list(compare(card))


def changes(models: Models, arguments: argparse.Namespace, failed: dict[str, BadInput]) -> list[dict[str, Any]]:
    """Score each network and its built variants on the faces of ``--data``; return a row a variant and metric."""
    if arguments.data is None:
        if arguments.limit is not None:
            raise BadInput("--limit is for --data; give both, or neither")
        return []
    from zoo import faces

    split = faces.chosen(arguments.data, arguments.limit)
    return [row for rows in _each(models, arguments.jobs, failed, _changes, split) for row in rows]


def _changes(card: Card, model: Path, split: Any) -> list[dict[str, Any]]:
    from zoo.variant_verify import changes

    return list(changes(card, model, split))


def _each(models: Models, jobs: int, failed: dict[str, BadInput], work: Any, *given: Any) -> list[Any]:
    """Do the work for each network that has variants, several at a time; what cannot be done goes to ``failed``."""
    from zoo.variants import VARIANTS, built

    some = {name: model for name, model in models.items() if any(built(model[0], variant) for variant in VARIANTS)}
    found = []
    with progress.task("variants", len(some)) as advance, processes(max(1, min(jobs, len(some)))) as start:
        begun = {name: start(f"variants of {name}", work, card, path, *given) for name, (card, path) in some.items()}
        for done, (name, future) in enumerate(begun.items(), 1):
            try:
                found.append(future.result())
            except BadInput as error:
                failed[name] = error
            advance(done)
    return found


def as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the scores as text for a person, nothing where there are none."""
    from tabulate import tabulate

    if not rows:
        return ""
    cells = [[*(str(row[key]) for key in HEADERS[:5]), *(f"{row[key]:.4f}" for key in HEADERS[5:7])] for row in rows]
    table = [[*cell, f"{row['change']:+.4f}"] for cell, row in zip(cells, rows, strict=True)]
    title = f"Scores of the variants on the same {rows[0]['n']} faces (accuracy as a share, mae and rmse in years)"
    return f"\n{title}\n\n{tabulate(table, HEADERS, disable_numparse=True)}\n"
