"""From results to something to read. A report is derived from ``run.json`` and ``results.jsonl`` alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.results import read_results, read_run, write_atomically
from converters.errors import BadInput

FORMATS = ("md", "csv", "json")


def write(out: Path, formats: Sequence[str]) -> list[Path]:
    """Write ``report.<format>`` for each format into ``out`` and return their paths.

    Raises BadInput for a folder without a run, an unknown format, or a file that cannot be written.
    """
    from bench.report import flat, markdown

    wrong = [f for f in formats if f not in FORMATS]
    if wrong:
        raise BadInput(f"no report format {wrong[0]!r}; there are: {', '.join(FORMATS)}")
    run, results = read_run(out), read_results(out)
    written = []
    for name in formats:
        text = markdown.render(run, results, out) if name == "md" else flat.render(run, results, name)
        written.append(out / f"report.{name}")
        write_atomically(written[-1], text)
    return written
