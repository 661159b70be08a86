"""Let the ruler measure itself."""

from __future__ import annotations

import argparse

from converters.errors import BadInput

HELP = "let the ruler measure itself: false alarms, what it finds, what it adds"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("--self-test", action="store_true", help="needed: there is nothing else to check yet")
    parser.add_argument("--short", action="store_true", help="under a minute instead of about five")
    parser.add_argument("--json", action="store_true", help="as JSON")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    if not arguments.self_test:
        raise BadInput("check: say what to check; so far that is the ruler itself: --self-test")
    from bench.selftest import self_test

    return self_test(short=arguments.short, as_json=arguments.json)
