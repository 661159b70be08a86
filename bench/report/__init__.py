"""From results to something to read. A report is derived from ``run.json`` and ``results.jsonl`` alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.results import read_results, read_run, write_atomically
from converters.errors import BadInput

FORMATS = ("md", "html", "csv", "json")


def write(
    out: Path, formats: Sequence[str], *, limit_ms: float | None = None, max_mae: float | None = None
) -> list[Path]:
    """Write ``report.<format>`` for each format into ``out`` and return their paths.

    ``limit_ms`` and ``max_mae`` (years) are the limits under which its answer is chosen (`bench.report.answer`).
    Raises BadInput for a folder without a run, an unknown format, a limit that is none, or a file that cannot be
    written.
    """
    from bench.report import flat, html, markdown
    from bench.report.contents import contents

    wrong = [f for f in formats if f not in FORMATS]
    if wrong:
        raise BadInput(f"no report format {wrong[0]!r}; there are: {', '.join(FORMATS)}")
    run, results = read_run(out), read_results(out)
    found = contents(run, results, out, limit_ms=limit_ms, max_mae=max_mae) if {"md", "html"} & set(formats) else {}
    written = []
    for name in formats:
        if name in ("md", "html"):
            text = {"md": markdown, "html": html}[name].render(found)
        else:
            text = flat.render(run, results, name)
        written.append(out / f"report.{name}")
        write_atomically(written[-1], text)
    return written
