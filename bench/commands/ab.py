"""Measure two sides in one job, in turns, and say what differs: runtimes, revisions, interpreters or model files."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "compare two runtimes, revisions, interpreters or zoo folders side by side"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    forms = "here, a Python executable, a zoo folder, rev:REVISION, package==version; then ,threads=N or ,OPTION=VALUE"
    parser.add_argument("--a", required=True, metavar="SPEC", help=f"the baseline: {forms}")
    parser.add_argument("--b", default="here", metavar="SPEC", help="what is held against it (default: here)")
    parser.add_argument("--zoo", metavar="all|GLOB,..", help="networks (default: all, or those of a zoo folder)")
    parser.add_argument(
        "--backend", metavar="NAME,..", help="default: those that the packages are for, else onnxruntime"
    )
    parser.add_argument("--batch", default="1", metavar="1,8,32", help="batch sizes for latency (default: 1)")
    parser.add_argument("--threads", metavar="N", help="threads of both sides (default: all usable CPUs)")
    parser.add_argument(
        "--budget",
        type=float,
        default=4.0,
        metavar="S",
        help="at most so many seconds of timed runs a case and side, while it is open (default: 4)",
    )
    parser.add_argument("--max-slowdown", default="10%", metavar="10%", help="what B may be slower (default: 10%%)")
    parser.add_argument("--max-drop", default="0.5", metavar="POINTS", help="of accuracy, in points (default: 0.5)")
    parser.add_argument("--data", action="append", metavar="NAME[=PATH][:SPLIT]", help="faces (default: sample)")
    parser.add_argument("--limit", metavar="N", help="score on N images of each split only")
    parser.add_argument("--only", choices=("latency",), help="measure no scores")
    parser.add_argument(
        "--format", default="text", metavar="text|github|junit|json", help="how it is told (default: text)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep both runs there, as a/ and b/, and the table")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="look here for weights first (or $ZOO_MIRROR)")
    parser.add_argument(
        "--timeout", type=float, default=300, metavar="S", help="give up on a worker after S silent seconds"
    )


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench import ab

    return ab.command(arguments)
