"""Show what became of each case over the runs that a file keeps, with the steps marked."""

from __future__ import annotations

import argparse
from pathlib import Path

from converters.errors import DONE

HELP = "the trend of each case over the runs that a file keeps"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument(
        "case", nargs="?", metavar="CASE", help="cases by glob, or by a part of the name (default: list)"
    )
    parser.add_argument(
        "--history", type=Path, required=True, metavar="FILE", help="what bench run --history FILE made"
    )
    parser.add_argument(
        "--add", type=Path, nargs="+", action="extend", default=[], metavar="DIR", help="keep these runs in it first"
    )
    parser.add_argument("--export", type=Path, metavar="FILE.parquet", help="write all numbers as a table")
    parser.add_argument("--picture", type=Path, metavar="FILE.png|FILE.svg", help="draw the trends")
    parser.add_argument("--json", action="store_true", help="as JSON")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench import history_command

    history_command.show(arguments)
    return DONE
