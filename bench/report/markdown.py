"""``report.md``: what ran where, how fast, how well, and what did not run; its tables render on GitHub."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.records import Result, RunRecord
from bench.report import pictures
from bench.report.tables import accuracy_rows, claim_rows, confusions, latency_rows, where_rows

TEMPLATE = Path(__file__).with_name("report.md.jinja")


def render(run: RunRecord, results: Sequence[Result], out: Path) -> str:
    """Return the report, and write its pictures into ``out``."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters["table"] = table
    environment.filters["cell"] = cell
    counted = Counter(result.status for result in results)
    splits: dict[tuple[str | None, str | None, str], list[Result]] = {}
    for result in results:
        if result.fingerprint is not None:
            key = (result.case.dataset, result.case.split, result.fingerprint.split_sha256)
            splits.setdefault(key, []).append(result)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        run=run,
        counted=", ".join(f"{counted[status]} {status}" for status in ("ok", "skipped", "failed")),
        where=where_rows(run),
        latency=latency_rows(results),
        latency_picture=pictures.latency(results, out),
        splits=[_split(members, out) for members in splits.values()],
        claims=claim_rows(run.config.networks),
        warned=[(result.case, warning) for result in results for warning in result.warnings],
        unmeasured=[(r.status, str(r.case), r.reason) for r in results if r.status != "ok"],
    )


def _split(members: Sequence[Result], out: Path) -> dict[str, Any]:
    fingerprint, case = members[0].fingerprint, members[0].case
    assert fingerprint is not None
    tables = confusions(members)
    return {
        "name": f"{case.dataset}:{case.split}",
        "fingerprint": fingerprint,
        "rows": accuracy_rows(members),
        "confusions": [{**t, "picture": pictures.confusion(t, f"{case.dataset}-{case.split}", out)} for t in tables],
    }


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows, which share their keys, as a markdown table; the keys are its header."""
    from tabulate import tabulate

    escaped = [{key: cell(value) for key, value in row.items()} for row in rows]
    return tabulate(escaped, headers="keys", tablefmt="github", disable_numparse=True)


def cell(value: Any) -> str:
    """Return a value as one markdown cell: on one line, its bars harmless, and no HTML tag."""
    text = " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|")
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
