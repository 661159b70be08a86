"""Write the report of a run anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from converters.errors import DONE

HELP = "write the report of a run anew"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("dir", type=Path, metavar="DIR", help="the --out folder of a run")
    parser.add_argument(
        "--format", default="md", metavar="md,html,csv,json", help="which of md, html, csv, json (default: md)"
    )
    parser.add_argument(
        "--limit-ms", type=float, metavar="MS", help="answer with the most accurate whose median is within MS"
    )
    parser.add_argument(
        "--max-mae", type=float, metavar="YEARS", help="answer with the fastest whose error is within YEARS"
    )


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench.report import write

    limits = {"limit_ms": arguments.limit_ms, "max_mae": arguments.max_mae}
    for path in write(arguments.dir, arguments.format.split(","), **limits):
        print(path)
    return DONE
