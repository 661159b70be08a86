"""``python -m converters layers``: what a network may be made of."""

from __future__ import annotations

import argparse
from typing import Any

from converters.errors import DONE, Parser


def add_command(commands: Any) -> None:
    """Add the command ``layers`` to a parser."""
    layers: Parser = commands.add_parser(
        "layers",
        help="print the layers that are known",
        description="Print in markdown what each layer becomes, who judges it, and what is refused.",
    )
    layers.add_argument("framework", choices=("caffe", "keras"), nargs="?", default="caffe", help="(default: caffe)")
    layers.set_defaults(run=print_layers)


def print_layers(arguments: argparse.Namespace) -> int:
    """Print what is known of each layer, in markdown."""
    from converters.caffe import coverage as caffe
    from converters.keras import coverage as keras

    print((keras if arguments.framework == "keras" else caffe).markdown(), end="")
    return DONE
