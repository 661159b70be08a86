"""``bench compare A B [C..]``: every further run against the first."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from bench import sides
from bench.check.allowed import share_of
from bench.check.pairs import ignored
from bench.compare import markdown
from bench.compare.against import Against, against
from bench.results import write_atomically
from bench.verdict import MAX_SLOWDOWN
from converters.errors import DONE, BadInput

FORM = 1
FORMATS = ("md", "json")


def compare(arguments: argparse.Namespace) -> int:
    """Print or write the comparison. Raises BadInput for what cannot be read, or has nothing in common."""
    if arguments.format not in FORMATS:
        raise BadInput(f"--format {arguments.format!r}: there are {', '.join(FORMATS)}")
    if not arguments.others:
        raise BadInput(f"compare: give a second run to hold against {arguments.first}")
    ignore = ignored(arguments.ignore)
    slowdown = MAX_SLOWDOWN
    if arguments.max_slowdown is not None:
        slowdown = share_of(arguments.max_slowdown, "--max-slowdown", zero=False)
    if arguments.out is not None and not arguments.out.parent.is_dir():
        raise BadInput(f"--out {arguments.out}: there is no folder {arguments.out.parent}")
    first = sides.read(arguments.first)
    found = [against(first, sides.read(path), ignore, slowdown) for path in arguments.others]
    text = markdown.render(found) if arguments.format == "md" else as_json(found)
    if arguments.out is None:
        print(text, end="")
        return DONE
    write_atomically(arguments.out, text)
    print(arguments.out)
    return DONE


def as_json(found: list[Against]) -> str:
    """Return every comparison with all its numbers: shares between 0 and 1, ages in years, times in ms."""
    return json.dumps({"compare": FORM, "comparisons": [asdict(one) for one in found]}, indent=1) + "\n"
