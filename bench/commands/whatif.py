"""What a network scores if it is fed wrongly."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "what a network's scores become under the usual mistakes in feeding it"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("name", metavar="NAME", help="a network")
    parser.add_argument("--data", default="sample", metavar="NAME[=PATH][:SPLIT]", help="faces (default: sample)")
    parser.add_argument("--limit", type=int, metavar="N", help="score on N of its images only")
    parser.add_argument("--backend", default="onnxruntime", metavar="NAME", help="default: onnxruntime")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="look here for weights first (or $ZOO_MIRROR)")
    parser.add_argument("--json", action="store_true", help="as JSON, with every metric")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench import whatif

    return whatif.command(arguments)
