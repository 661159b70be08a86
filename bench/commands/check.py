"""Hold a run against a baseline, and fail where it is worse; or let the ruler measure itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from converters.errors import BadInput

HELP = "whether a run is worse than a baseline; --self-test: whether what is measured here can be trusted"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("run", nargs="?", type=Path, metavar="RUN", help="the --out folder of a run")
    parser.add_argument("--baseline", type=Path, metavar="BASE", help="the --out folder of a run, or a baseline file")
    parser.add_argument("--update-baseline", action="store_true", help="make RUN the baseline file BASE")
    bound = parser.add_argument_group("how much worse something may be (10% or 0.1)")
    bound.add_argument("--max-slowdown", metavar="SHARE", help="of a time, on the same machine (default: 10%%)")
    bound.add_argument(
        "--max-slowdown-elsewhere",
        metavar="SHARE",
        help="of a time in units of a reference, where BASE is of another machine (default: 50%%)",
    )
    bound.add_argument("--max-drop", metavar="POINTS", help="of accuracy, one-off, CS@5, in points (default: 0.5)")
    bound.add_argument("--max-years", metavar="YEARS", help="rise of MAE and RMSE (default: 0.1)")
    bound.add_argument("--max-memory", metavar="SHARE", help="rise of peak memory (default: 20%%)")
    bound.add_argument("--max-size", metavar="SHARE", help="growth of a network's file (default: 1%%)")
    bound.add_argument("--max-nodes", metavar="N", help="more nodes in a network's file (default: 0)")
    bound.add_argument("--max-cold-start", metavar="SHARE", help="rise of import, load and first run (default: 100%%)")
    bound.add_argument("--max-parity", metavar="FACTOR", help="times as far from the reference (default: 10)")
    bound.add_argument("--max-age", metavar="DAYS", help="from BASE to RUN (default: 90)")
    parser.add_argument(
        "--subset",
        action="store_true",
        help="RUN was asked for less than BASE: what it lacks is told, and fails nothing",
    )
    parser.add_argument("--strict", action="store_true", help="fail as well where nobody can tell")
    parser.add_argument(
        "--format", default="text", metavar="text|github|junit|json", help="how it is told (default: text)"
    )
    parser.add_argument("--all", action="store_true", help="tell also what is fine")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it there (default: stdout)")
    parser.add_argument("--self-test", action="store_true", help="let the ruler measure itself")
    parser.add_argument("--short", action="store_true", help="self-test: under a minute instead of about five")
    parser.add_argument("--json", action="store_true", help="the same as --format json")


def command(arguments: argparse.Namespace) -> int:
    """Run it. Returns the exit code."""
    if arguments.self_test:
        if arguments.run is not None or arguments.baseline is not None:
            raise BadInput("check: --self-test is of this machine: give it no RUN and no --baseline")
        from bench.selftest import self_test

        return self_test(short=arguments.short, as_json=arguments.json or arguments.format == "json")
    if arguments.run is None or arguments.baseline is None:
        raise BadInput("check: give a run and what to hold it against: RUN --baseline BASE; or --self-test")
    if arguments.short:
        raise BadInput("check: --short is of --self-test")
    from bench.check.command import check

    return check(arguments)
