"""Hold runs against each other: two commits, two versions of a runtime, OpenCV 4 and 5, two machines."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "what differs between runs, with a verdict on each number"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("first", type=Path, metavar="A", help="the --out folder of a run, or a baseline file")
    parser.add_argument("others", type=Path, nargs="*", metavar="B", help="as many more, each held against the first")
    parser.add_argument(
        "--ignore",
        metavar="backend,device,precision,threads",
        help="pair cases that differ in these too, where there is one in each run",
    )
    parser.add_argument("--max-slowdown", metavar="SHARE", help="what counts as slower (10%% or 0.1; default: 5%%)")
    parser.add_argument("--format", default="md", metavar="md|json", help="default: md")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write it there (default: stdout)")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench.compare.command import compare

    return compare(arguments)
