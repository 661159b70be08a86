"""List the data sets, or look into one."""

from __future__ import annotations

import argparse

from converters.errors import DONE, Parser

HELP = "list the data sets, or look into one"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    actions = parser.add_subparsers(required=True, dest="action", metavar="list|verify", parser_class=Parser)
    listing = actions.add_parser("list", help="every data set: what it is, its splits and terms")
    listing.add_argument("--json", action="store_true", help="as JSON")
    verify = actions.add_parser("verify", help="count a data set's images and labels, and read every image")
    verify.add_argument("data", metavar="NAME[=PATH][:SPLIT]")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench import data

    print(data.listing(as_json=arguments.json) if arguments.action == "list" else data.verify(arguments.data))
    return DONE
