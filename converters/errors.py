"""The errors that a person can mend, and how a command line ends on them: one line, exit code 2, no traceback."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

DONE, CHECK_FAILED, BAD_INPUT, NOT_USABLE, INTERRUPTED = 0, 1, 2, 3, 130


LONGEST_LINE = 1000


class BadInput(Exception):  # noqa: N818 - it says what it is
    """Something that was given is wrong. The message says what, where, and what would be right, in one line.

    ``details`` are lines of a list that goes with it, such as one a backend.
    """

    exit_code = BAD_INPUT

    def __init__(self, message: str, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class Unsupported(BadInput):
    """A layer or a feature that a converter does not know. Names it, and what is known."""


def run_command(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> int:
    """Run ``main(argv)`` and turn what a person can mend into one line on stderr; ``--debug`` shows the traceback.

    Returns the exit code: what ``main`` returned, or the error's own (2 for bad input), or 130 after Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    try:
        return main([a for a in arguments if a != "--debug"])
    except BadInput as error:
        if debug:
            traceback.print_exc()
            return error.exit_code
        for line in (f"error: {error}", *(f"  {detail}" for detail in error.details)):
            print(one_line(line), file=sys.stderr)
        return error.exit_code
    except MemoryError:
        if debug:
            raise
        print("error: out of memory; is a file or a size in it far too large?", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # who reads the output wants no more of it
        if debug:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except OSError as error:
        if debug or (error.filename is None and error.errno != errno.ENOSPC):
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(one_line(f"error: {where}{error.strerror}"), file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        if debug:
            raise
        print("stopped", file=sys.stderr)
        return INTERRUPTED


def one_line(text: str) -> str:
    """Return ``text`` as one line that a terminal can show: what a file brought in cannot break or steer it."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if len(shown) <= LONGEST_LINE else f"{shown[:LONGEST_LINE]} (and {len(shown) - LONGEST_LINE} more)"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what was wrong with the arguments and where the right ones are listed."""
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(BAD_INPUT)
