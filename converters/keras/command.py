"""``python -m converters keras``: a Keras model in, an ONNX file out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.errors import CHECK_FAILED, DONE, BadInput, Parser, one_line

if TYPE_CHECKING:
    import onnx


def add_command(commands: Any) -> None:
    """Add the command ``keras`` to a parser."""
    keras: Parser = commands.add_parser("keras", help="a Keras model", description="Convert a Keras model to ONNX.")
    keras.set_defaults(run=convert_keras)
    files = "HDF5 of Keras 1 to 3, .keras, .json (its weights are made up), or a SavedModel folder"
    keras.add_argument("model", type=Path, metavar="MODEL", help=files)
    keras.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT.onnx", help="where to write")
    roads = "read the file without TensorFlow, or let TensorFlow run it and tf2onnx convert that"
    keras.add_argument("--via", choices=("direct", "tf2onnx"), default="direct", help=f"{roads} (default: direct)")
    judge = "compare with Keras itself on every runtime that is here; needs TensorFlow"
    keras.add_argument("--verify", action="store_true", help=judge)


def convert_keras(arguments: argparse.Namespace) -> int:
    """Convert a Keras model, write it, and with ``--verify`` compare both; returns 1 when they differ."""
    from converters.onnx_file import to_bytes, write_whole

    start = time.perf_counter()
    source, out = arguments.model, arguments.out
    if out.exists() and source.exists() and source.samefile(out):
        raise BadInput(f"{out}: is the source file; give -o another name")
    if arguments.verify and out.exists() and not out.is_file():
        raise BadInput(f"{out}: is no regular file, and --verify reads it again; give -o another name")
    if arguments.verify:
        from converters.keras.load import tensorflow

        tensorflow()
    model = _converted(source, arguments.via)
    size = write_whole(out, [to_bytes(model)])
    seconds = time.perf_counter() - start
    print(one_line(f"{out}: {size} bytes, {len(model.graph.node)} nodes, {seconds:.1f} s, by the {arguments.via} road"))
    said = {entry.key: entry.value for entry in model.metadata_props}
    if "weights" in said:
        print(one_line(f"warning: {said['weights']}; give a whole model for real ones"), file=sys.stderr)
    return _verify(source, out) if arguments.verify else DONE


def _converted(source: Path, via: str) -> onnx.ModelProto:
    if via == "tf2onnx":
        from converters.keras.tf2onnx_road import convert as convert_by_tf2onnx

        return convert_by_tf2onnx(source)
    from converters.keras import convert

    return convert(source)


def _verify(source: Path, out: Path) -> int:
    """Compare the file that was written with its source and print a line an output and runtime."""
    from converters.keras.verify import BATCHES, SCALES, TOLERANCE, verify

    rows, refused = verify(source, out)
    batches, scales = ", ".join(map(str, BATCHES)), " and up to ".join(map(str, SCALES))
    print(f"judge: Keras itself, float32, on the CPU; seeded inputs up to {scales}, batch {batches}")
    print(f"passes: within {TOLERANCE:g}, of the largest number where that is above 1")
    for row in rows:
        found = f"max_abs {row.difference.max_abs:.2g}  max_rel {row.difference.max_rel:.2g}"
        print(one_line(f"{row.output}  {row.runtime}  {found}  {'ok' if row.ok else 'FAILED'}"))
    for runtime, why in refused.items():
        print(one_line(f"warning: {runtime} cannot run it: {why}"), file=sys.stderr)
    return DONE if rows and all(row.ok for row in rows) else CHECK_FAILED
