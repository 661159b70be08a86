"""``python -m converters``: model files in, an ONNX file out, and the proof that nothing changed."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from converters.errors import CHECK_FAILED, DONE, BadInput, Parser, run_command


def convert_caffe(arguments: argparse.Namespace) -> int:
    """Convert a Caffe network, write it, and with ``--verify`` compare both; returns 1 when they differ."""
    from converters.caffe import convert_net, to_bytes
    from converters.caffe.net import read_net

    start = time.perf_counter()
    sources = [path for path in (arguments.prototxt, arguments.caffemodel) if path is not None]
    if any(arguments.out.exists() and path.exists() and path.samefile(arguments.out) for path in sources):
        raise BadInput(f"{arguments.out}: is a source file; give -o another name")
    net = read_net(arguments.prototxt, arguments.caffemodel)
    model = convert_net(net, lrn=arguments.lrn)
    data = to_bytes(model)
    write_whole(arguments.out, data)
    seconds = time.perf_counter() - start
    print(f"{arguments.out}: {len(data)} bytes, {len(model.graph.node)} nodes, {seconds:.1f} s")
    if not arguments.verify:
        return DONE
    from converters.verify import verify_caffe

    rows = verify_caffe(net, data, arguments.prototxt, arguments.caffemodel)
    print("judge: the Caffe layers in numpy, double precision; seeded inputs, batch 1 and 3")
    for row in rows:
        verdict = {True: "ok", False: "FAILED", None: "-"}[row.ok]
        found = f"max_abs {row.difference.max_abs:.2g}  max_rel {row.difference.max_rel:.2g}"
        print(f"{row.output}  {row.runtime}  {found}  {verdict}")
    return CHECK_FAILED if any(row.ok is False for row in rows) else DONE


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all; a device or a pipe is written to as it is.

    Raises BadInput when it cannot be written.
    """
    path = path.resolve() if path.is_symlink() else path
    part = path.with_name(f".{path.name}.{os.getpid()}.part") if path.is_file() or not path.exists() else path
    try:
        with part.open("wb") as file:
            file.write(data)
        if part != path:
            part.replace(path)
    except OSError as error:
        if part != path:
            part.unlink(missing_ok=True)
        raise BadInput(f"{path}: cannot be written: {error.strerror}; give a file in a folder with room") from error


def _parser() -> Parser:
    parser = Parser(prog="python -m converters", description="Model files in, ONNX out.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="FORMAT", parser_class=Parser)
    caffe = commands.add_parser("caffe", help="a Caffe network", description="Convert a Caffe network to ONNX.")
    caffe.set_defaults(run=convert_caffe)
    caffe.add_argument("prototxt", type=Path, metavar="PROTOTXT", help="the network, a deploy file, text or binary")
    caffe.add_argument("caffemodel", type=Path, nargs="?", metavar="CAFFEMODEL", help="its weights")
    caffe.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT.onnx", help="where to write")
    caffe.add_argument("--verify", action="store_true", help="compare with the source on every runtime that is here")
    forms = "how LRN is written: as parts that every runtime has fast code for, or as ONNX's LRN"
    caffe.add_argument("--lrn", choices=("lowered", "native"), default="lowered", help=f"{forms} (default: lowered)")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(run_command(main))
