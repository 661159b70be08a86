"""``python -m converters bisect``: the first layer whose numbers are not Caffe's, and who is to blame."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.caffe.options import add_preprocessing, add_state, state_of
from converters.errors import CHECK_FAILED, DONE, BadInput, Parser, one_line

if TYPE_CHECKING:
    from converters.caffe.bisection.graph import Graph
    from converters.caffe.bisection.report import Finding, Report
    from converters.caffe.preprocessing import Preprocessing
    from converters.verify import Difference

ABOUT = "Compare an ONNX file with the Caffe network that it was made from, layer by layer. Exit code 1: they differ."


def add_command(commands: Any) -> None:
    """Add the command to a parser."""
    found: Parser = commands.add_parser("bisect", help="where an ONNX file differs from Caffe", description=ABOUT)
    found.set_defaults(run=bisect_files)
    found.add_argument("prototxt", type=Path, metavar="PROTOTXT", help="the Caffe network")
    found.add_argument("caffemodel", type=Path, metavar="CAFFEMODEL", help="its weights")
    found.add_argument("onnx", type=Path, metavar="ONNX", help="the file to judge, from any converter")
    found.add_argument("--json", action="store_true", help="print the result as JSON")
    add_state(found)
    add_preprocessing(found)


def bisect_files(arguments: argparse.Namespace) -> int:
    """Compare, print what was found, and return 1 where the two differ."""
    from converters.caffe.bisection import bisect
    from converters.caffe.bisection.graph import read_graph
    from converters.caffe.net import read_net
    from converters.caffe.preprocessing import embed

    with contextlib.suppress(ImportError):
        import cv2

        cv2.utils.logging.setLogLevel(
            cv2.utils.logging.LOG_LEVEL_SILENT
        )  # what goes wrong in OpenCV is part of the result
    net = read_net(arguments.prototxt, arguments.caffemodel, state=state_of(arguments))
    graph = read_graph(arguments.onnx)
    for role, (name, sha256) in net.sources.items():
        if graph.metadata(f"source_{role}_sha256") not in ("", sha256):
            other = f"warning: {arguments.onnx}: says that it was made from another {role} than {name}"
            print(one_line(other), file=sys.stderr)
    if weights := graph.metadata("weights"):
        print(one_line(f"warning: {arguments.onnx}: says of its weights: {weights}"), file=sys.stderr)
    preprocessing = _preprocessing(arguments, graph)
    if preprocessing is not None:
        net = embed(net, preprocessing)
    report = bisect(net, graph, arguments.onnx)
    print(json.dumps(as_json(report), indent=1) if arguments.json else "\n".join(map(one_line, as_text(report))))
    return CHECK_FAILED if report.findings else DONE


def _preprocessing(arguments: argparse.Namespace, graph: Graph) -> Preprocessing | None:
    """Return the preprocessing that was asked for, or what the ONNX file says of itself.

    Raises BadInput where a mean image is in the graph and its file is not given.
    """
    from converters.caffe.preprocessing import from_arguments

    text = graph.metadata("preprocessing")
    if arguments.embed_preprocessing or not text:
        return from_arguments(arguments)
    try:
        said = json.loads(text)
        source, scale, swap_rb = said["mean"], float(said["scale"]), bool(said["swap_rb"])
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{arguments.onnx}: its 'preprocessing' cannot be read; give --embed-preprocessing ..") from None
    mean = arguments.mean or source
    if arguments.mean is None and source and " sha256 " in source:
        raise BadInput(f"{arguments.onnx}: has a mean image in its graph; give --mean {source.split(' sha256 ')[0]}")
    scale = arguments.scale if arguments.scale != 1 else scale
    swap_rb = arguments.swap_rb or swap_rb
    return from_arguments(argparse.Namespace(embed_preprocessing=True, mean=mean, scale=scale, swap_rb=swap_rb))


def as_json(report: Report) -> dict[str, Any]:
    """Return the result as plain values; ``first`` is the first of ``differences``, or None."""
    rows = [
        {
            "layer": finding.layer,
            "layers": list(finding.layers),
            "title": finding.title,
            "blob": finding.blob,
            "where": finding.where,
            "found": {name: _plain(far) for name, far in finding.found.items()},
            "blame": list(finding.blame),
            "why": finding.why,
            "hint": finding.hint,
        }
        for finding in report.findings
    ]
    return {
        "ok": not rows,
        "runtimes": report.runtimes,
        "compared": len(report.compared),
        "first": rows[0] if rows else None,
        "differences": rows,
        "notes": list(report.notes),
    }


def _plain(far: Difference | str) -> dict[str, float | None] | str:
    """Return a difference as JSON has it: null where it is infinite, since shapes differ or numbers are not finite."""
    if isinstance(far, str):
        return far
    values = {"max_abs": far.max_abs, "max_rel": far.max_rel}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def as_text(report: Report) -> list[str]:
    """Return the lines to print."""
    runtimes = ", ".join(f"{name} {version}" for name, version in report.runtimes.items())
    lines = [f"judge: the Caffe layers in numpy, double precision; {len(report.compared)} blobs compared in {runtimes}"]
    for finding in report.findings:
        first = finding is report.findings[0]
        lines += ["first difference:" if first else "also, by itself:", *(f"  {line}" for line in _rows(finding))]
    if not report.findings:
        lines.append("no difference")
    return [*lines, *(f"note: {note}" for note in report.notes)]


def _rows(finding: Finding) -> list[str]:
    rows = [f"layer  {finding.title}", f"blob   {finding.blob}"]
    rows += [f"file   {finding.where}"] if finding.where else []
    for name, found in finding.found.items():
        far = (
            f"does not run it: {found}"
            if isinstance(found, str)
            else f"max_abs {found.max_abs:.2g}  max_rel {found.max_rel:.2g}"
        )
        rows.append(f"{name}  {far}")
    rows.append(f"blame  {', '.join(finding.blame)}: {finding.why}")
    hint = f"{finding.layer}: {finding.hint}" if finding.hint and finding.layer else finding.hint
    return [*rows, f"looks as if  {hint}"] if hint else rows
