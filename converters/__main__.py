"""``python -m converters``: model files in, an ONNX file out, and the proof that nothing changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from converters import bisect, layers_command
from converters.caffe import command as caffe
from converters.errors import Parser, run_command
from converters.keras import command as keras


def _parser() -> Parser:
    parser = Parser(prog="python -m converters", description="Model files in, ONNX out.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    caffe.add_command(commands)
    keras.add_command(commands)
    bisect.add_command(commands)
    layers_command.add_command(commands)
    return parser


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    arguments = _parser().parse_args(argv)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(run_command(main))
