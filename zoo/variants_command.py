"""What ``zoo build`` and ``zoo verify`` do with the variants of networks: Winograd's, half precision, 8 bits.

A variant is no other network: that it differs from its float32 file is told, and fails nothing. That it gives no answer
does; and Winograd's, which computes in float32, must not differ more than that file may.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.errors import BadInput, one_line
from zoo import progress
from zoo.parallel import processes

if TYPE_CHECKING:
    from zoo.card import Card
    from zoo.variants import Calibration, Variant
    from zoo.verify import Row

Models = Mapping[str, tuple["Card", Path]]
"""Built networks by name: card and ONNX file."""
HEADERS = ("network", "precision", "output", "task", "metric", "fp32 [95 %]", "variant [95 %]", "change", "n")


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Let ``build`` be told the precisions, and the faces to calibrate with."""
    text = "what to build beside fp32: fewer multiplications, half precision, 8 bits (default: fp32)"
    parser.add_argument("--precision", default="fp32", metavar="fp32,winograd,..", help=text)
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
    sha256 = faces.fingerprint(split)
    told = f"{split.dataset} {split.split}, {len(split.samples)} faces ({sha256[:12]})"
    return Calibration(told, sha256, split)


def build(
    models: Models, variants: Sequence[Variant], calibrated: Calibration | None, jobs: int, failed: dict[str, BadInput]
) -> None:
    """Build the variants of built networks, several at a time; print a line each. What cannot be goes to ``failed``.

    Where Winograd's algorithm would change nothing that is told, and fails nothing.
    """
    from zoo.variants import calibration_of
    from zoo.winograd import NoGain

    todo = [(card, path, variant) for card, path in models.values() for variant in variants]
    if not todo:
        return
    with progress.task("variants", len(todo)) as advance, processes(max(1, min(jobs, len(todo)))) as start:
        begun = [(c, v, start(f"{v} {c.name}", _build, c, path, v, calibrated)) for c, path, v in todo]
        for done, (card, variant, future) in enumerate(begun, 1):
            try:
                path, seconds, before = future.result()
            except NoGain as error:
                print(one_line(f"{card.name} {variant}: {error}"), file=sys.stderr)
            except BadInput as error:
                failed[f"{card.name} {variant}"] = error
            else:
                took = "up to date" if seconds is None else f"{seconds:.1f} s"
                told = _calibrated(before, calibration_of(path))
                print(f"{path}  {path.stat().st_size} bytes  {took}{told}", flush=True)
            advance(done)


def _build(card: Card, model: Path, variant: Variant, calibrated: Calibration | None) -> tuple[Path, float | None, str]:
    """Return the path of a variant, how long it took to make, and what the file before it was calibrated on.

    There is no time where it was there and up to date.
    """
    from zoo import variants

    if path := variants.up_to_date(card, variant, calibrated):
        return path, None, ""
    before = variants.calibration_of(variants.variant_path(card, variant))
    begin = time.perf_counter()
    return variants.make(card, model, variant, calibrated), time.perf_counter() - begin, before


def _calibrated(before: str, now: str) -> str:
    if before not in ("", now):
        return f"  calibrated anew: was {before}, now {now}"
    return f"  calibrated on {now}" if now else ""


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


def calibrations(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a line for each 8-bit file, what it was calibrated on; nothing where there is none."""
    told = [(row["network"], row["precision"], row["calibrated_on"]) for row in rows if row["calibrated_on"]]
    return "".join(
        f"{network} {precision}: calibrated on {faces}\n" for network, precision, faces in dict.fromkeys(told)
    )


def as_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the scores as text for a person, nothing where there are none."""
    from tabulate import tabulate

    if not rows:
        return ""
    cells = [
        (
            *(row[key] for key in HEADERS[:5]),
            _score(row, "fp32"),
            _score(row, "variant"),
            f"{row['change']:+.4f}",
            row["n"],
        )
        for row in rows
    ]
    first = rows[0]
    faces = f"{first['dataset']}:{first['split']}, sha256 {first['split_sha256'][:12]}.."
    units = "accuracy as a share, mae and rmse in years"
    title = f"Scores of the variants on the same faces, {faces} ({units})\n{calibrations(rows)}"
    return f"\n{title}\n{tabulate(cells, HEADERS, disable_numparse=True)}\n"


def _score(row: Mapping[str, Any], which: str) -> str:
    low, high = row["ci95"][which]
    return f"{row[which]:.4f} [{low:.4f}, {high:.4f}]"
