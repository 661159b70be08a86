"""The command line. What is heavy is imported by the command that needs it: ``--help`` stays under 0.3 s."""

from __future__ import annotations

from collections.abc import Sequence

from bench.commands import commands
from converters.errors import Parser, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 1 a check failed, 2 bad input, 3 not usable here."""
    return run_command(_main, argv)


def _main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    code: int = arguments.command(arguments)
    return code


def _parser() -> Parser:
    parser = Parser(prog="python -m bench", description="Measure face age and gender networks, with the proof.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    adding = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)
    for name, module in commands().items():
        one = adding.add_parser(name, help=module.HELP, description=module.__doc__)
        module.arguments(one)
        one.set_defaults(command=module.command)
    return parser
