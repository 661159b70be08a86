"""The comparison as markdown: what differs on the whole first, then a table a dimension."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.compare.against import Against, Alone
from bench.compare.rows import Timed
from bench.compare.scores import Scored
from bench.differences import MARGIN
from bench.report.markdown import table

NAMED = 4


def render(found: Sequence[Against]) -> str:
    """Return every comparison, one below the other."""
    return "\n".join(_one(one) for one in found)


def _one(found: Against) -> str:
    told = [("case of both", found.pairs), ("case without a partner", len(found.alone))]
    counted = ", ".join(f"{count} {what.replace('case', 'cases') if count != 1 else what}" for what, count in told)
    parts = [f"# {found.second} against {found.first}", f"{counted}."]
    facts = [{"": f.what, "first": f.first, "second": f.second, "note": f.note} for f in found.facts]
    parts += ["## What differs on the whole", table(facts)] if facts else ["Same machine, versions and commit."]
    parts += _latency(found.latency)
    parts += _scores(found.scores)
    parts += _section("Scores that cannot be compared", [{"case": r.case, "why": r.why} for r in found.refused])
    rest = [
        {
            "dimension": o.dimension,
            "case": o.case,
            "first": o.first,
            "second": o.second,
            "verdict": o.verdict,
            "why": o.why,
        }
        for o in found.others
    ]
    parts += _section("Everything else that is not the same", rest)
    parts += _section("Cases without a partner", _alone(found.alone))
    return "\n\n".join(parts) + "\n"


def _alone(rows: Sequence[Alone]) -> list[dict[str, Any]]:
    """Return the cases of one run and reason in one row; the JSON has each."""
    alike: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        alike.setdefault((row.run, row.why), []).append(row.case)
    told = []
    for (run, why), cases in alike.items():
        which = "; ".join(cases[:NAMED]) + ("; .." if len(cases) > NAMED else "")
        told.append({"in": run, "cases": len(cases), "which": which, "why": why})
    return told


def _section(title: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [f"## {title}", table(rows)] if rows else []


def _latency(rows: Sequence[Timed]) -> list[str]:
    cells = [
        {
            "case": row.case,
            "first p50 ms": f"{row.first_ms:.3g}",
            "second p50 ms": f"{row.second_ms:.3g}",
            "second / first [95 %]": f"{row.ratio:.3f} {_interval(row)}",
            "verdict": row.verdict,
            "rounds": row.rounds,
        }
        for row in rows
    ]
    counted = Counter(row.verdict for row in rows)
    words = ", ".join(f"{counted[word]} {word}" for word in ("slower", "faster", "equal", "open") if counted[word])
    said = "Two runs at different times: what slowed the machine for all of one is in the ratio, and in no interval."
    return ["## Latency", f"{words}. {said}", table(cells)] if rows else []


def _interval(row: Timed) -> str:
    return "[too few rounds]" if row.interval is None else f"[{row.interval[0]:.3f}, {row.interval[1]:.3f}]"


def _scores(rows: Sequence[Scored]) -> list[str]:
    if not rows:
        return []
    cells = []
    for row in rows:
        years = row.metric == "mae"
        factor, unit = (1, "years") if years else (100, "points")
        low, high = (factor * end for end in row.difference.interval)
        only = row.difference.only
        cells.append(
            {
                "case": row.case,
                "what": f"{row.task} {row.metric}" + (f" of {row.head}" if row.head else ""),
                "first": f"{factor * row.first:.2f}",
                "second": f"{factor * row.second:.2f}",
                "difference [99 %]": f"{factor * row.difference.value:+.2f} [{low:+.2f}, {high:+.2f}] {unit}",
                "only right, first / second": "-" if only is None else f"{only[1]} / {only[0]}",
                "p": f"{row.p:.1g}" if row.p >= 1e-4 else "< 1e-4",
                "n": row.difference.n,
                "how": row.how,
                "verdict": f"equal within {_margin(row.metric)}" if row.verdict == "equal" else row.verdict,
            }
        )
    said = f"Shares in %, errors in years; p adjusted by Holm for the {len(rows)} rows."
    return ["## Scores", said, table(cells)]


def _margin(metric: str) -> str:
    return f"{MARGIN[metric]:g} years" if metric == "mae" else f"{100 * MARGIN[metric]:g} point"
