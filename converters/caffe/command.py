"""``python -m converters caffe``: a Caffe network in, an ONNX file out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.caffe.options import add_preprocessing, add_state, state_of
from converters.errors import CHECK_FAILED, DONE, BadInput, Parser, one_line

if TYPE_CHECKING:
    from converters.caffe.net import Net


def add_command(commands: Any) -> None:
    """Add the command ``caffe`` to a parser."""
    caffe: Parser = commands.add_parser("caffe", help="a Caffe network", description="Convert a Caffe network to ONNX.")
    caffe.set_defaults(run=convert_caffe)
    caffe.add_argument("prototxt", type=Path, metavar="PROTOTXT", help="the network, a deploy file, text or binary")
    caffe.add_argument("caffemodel", type=Path, nargs="?", metavar="CAFFEMODEL", help="its weights")
    caffe.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT.onnx", help="where to write")
    caffe.add_argument("--verify", action="store_true", help="compare with the source on every runtime that is here")
    forms = "how LRN is written: as parts that every runtime has fast code for, or as ONNX's LRN"
    caffe.add_argument("--lrn", choices=("lowered", "native"), default="lowered", help=f"{forms} (default: lowered)")
    add_state(caffe)
    add_preprocessing(caffe)


def convert_caffe(arguments: argparse.Namespace) -> int:
    """Convert a Caffe network, write it, and with ``--verify`` compare both; returns 1 when they differ."""
    from converters.caffe import assemble
    from converters.caffe.net import read_net
    from converters.caffe.preprocessing import embed, from_arguments
    from converters.onnx_file import pieces, write_whole

    start = time.perf_counter()
    sources = [path for path in (arguments.prototxt, arguments.caffemodel) if path is not None]
    if any(arguments.out.exists() and path.exists() and path.samefile(arguments.out) for path in sources):
        raise BadInput(f"{arguments.out}: is a source file; give -o another name")
    if arguments.verify and arguments.out.exists() and not arguments.out.is_file():
        raise BadInput(f"{arguments.out}: is no regular file, and --verify reads it again; give -o another name")
    preprocessing = from_arguments(arguments)
    net = read_net(arguments.prototxt, arguments.caffemodel, state=state_of(arguments))
    if preprocessing is not None:
        net = embed(net, preprocessing)
    metadata = {"preprocessing": preprocessing.described()} if preprocessing is not None else {}
    model, constants = assemble(net, lrn=arguments.lrn, metadata=metadata)
    size = write_whole(arguments.out, pieces(model, constants))
    seconds = time.perf_counter() - start
    print(one_line(f"{arguments.out}: {size} bytes, {len(model.graph.node)} nodes, {seconds:.1f} s"))
    for line in _warnings(net):
        print(one_line(f"warning: {line}"), file=sys.stderr)
    return _verify(net, arguments, embedded=preprocessing is not None) if arguments.verify else DONE


def _warnings(net: Net) -> list[str]:
    """Return what a user has to know of the converted network."""
    found = []
    if net.seeded:
        found.append("no file has weights: they are made up, with a seed; give the .caffemodel for real ones")
    if net.fixed:
        found.append(f"the batch is fixed at the file's size: {net.fixed}")
    return found


def _verify(net: Net, arguments: argparse.Namespace, *, embedded: bool) -> int:
    """Compare the file that was written with its source and print a line an output and runtime."""
    from converters.caffe.verify import scales, verify
    from converters.verify import PROBABILITY_TOLERANCE, RELATIVE_TOLERANCE

    rows, refused = verify(net, arguments.out, arguments.prototxt, None if embedded else arguments.caffemodel)
    sizes = " and up to ".join(map(str, scales(net)))
    batches = "its own batch" if net.fixed else "batch 1 and 3"
    print(f"judge: the Caffe layers in numpy, double precision; seeded inputs up to {sizes}, {batches}")
    print(
        f"passes: probabilities within {PROBABILITY_TOLERANCE:g}, others within {RELATIVE_TOLERANCE:g} of the largest"
    )
    for row in rows:
        verdict = {True: "ok", False: "FAILED", None: "-"}[row.ok]
        found = f"max_abs {row.difference.max_abs:.2g}  max_rel {row.difference.max_rel:.2g}"
        print(one_line(f"{row.output}  {row.runtime}  {found}  {verdict}"))
    for runtime, why in refused.items():
        print(one_line(f"warning: {runtime} cannot run it: {why}"), file=sys.stderr)
    return DONE if all(row.ok is not False for row in rows) and any(row.ok for row in rows) else CHECK_FAILED
