"""Say which backend can use which device here, and why not."""

from __future__ import annotations

import argparse

from converters.errors import DONE

HELP = "say which backend can use which device here, and why not"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    from bench.doctor import examine

    print(examine(as_json=arguments.json))
    return DONE
