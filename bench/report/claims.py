"""Published numbers beside ours: other images, splits and crops, so they stand side by side, never in one column.

A published table of age groups stands beside ours only where both are of the same groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bench.records import WHOLE, Confusion, GroupSet, Result
from bench.report.scores import Reading, cards, readings
from bench.report.tables import Row
from zoo.card import Card
from zoo.fields import Claim


def claim_rows(networks: Iterable[str], results: Sequence[Result] = ()) -> list[Row]:
    """Return one row for each published number of the networks' cards, with what was measured here beside it."""
    found, ours = [], readings(results)
    for card in cards(networks):
        for claim in card.published:
            if claim.value is None:
                continue
            found.append(
                {
                    "network": card.name,
                    "what": f"{claim.task} {claim.metric}".replace("_", " "),
                    "published": _published(claim),
                    "on": f"{claim.dataset}, {claim.split}",
                    "where": claim.where,
                    "measured here": "; ".join(_measured(card, claim, ours)) or "-",
                    "note": claim.note,
                }
            )
    return found


def _published(claim: Claim) -> str:
    assert claim.value is not None
    factor, unit = (1, "years") if claim.metric == "mae" else (100, "%")
    spread = "" if claim.sd is None else f" ± {claim.sd * factor:.2g}"
    return f"{claim.value * factor:.4g}{spread} {unit}"


def _measured(card: Card, claim: Claim, ours: Sequence[Reading]) -> list[str]:
    """Return our numbers of the same kind, each backend's once where they print alike."""
    found = []
    for reading in ours:
        score, case = reading.scores.get(claim.metric), reading.result.case
        if score is None or reading.task != claim.task or case.network.partition("@")[0] != card.name:
            continue
        if claim.task == "age_group" and (reading.labels != claim.labels if claim.labels else reading.derived):
            continue
        number = f"{score.value:.2f} years" if claim.metric == "mae" else f"{100 * score.value:.1f} %"
        if claim.task == "age_group":
            number += f" of {len(reading.labels)} groups"
        seen = reading.result.fingerprint
        faces = "" if seen is None or seen.faces == WHOLE else f"faces {seen.faces}"
        variant, head = case.network.partition("@")[2], reading.head or ""
        how = [f"@{variant}" if variant else "", head, "derived" if reading.derived else "", faces]
        precision = "" if case.precision == "fp32" else f"{case.precision} "
        found.append(f"{precision}{number} ({', '.join(filter(None, [f'{case.dataset}:{case.split}', *how]))})")
    return list(dict.fromkeys(found))


def confusions(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return each head's table of age groups: ours once for all backends that agree, and the published one."""
    tables: dict[tuple[str, str, str | None, GroupSet | None, Confusion], list[Reading]] = {}
    for reading in readings(results):
        score, case = reading.scores.get("accuracy"), reading.result.case
        if reading.task == "age_group" and score is not None and score.confusion is not None:
            key = (case.network, case.precision, reading.head, reading.groups, score.confusion)
            tables.setdefault(key, []).append(reading)
    several = {n for n, *_ in tables if len({h for name, _, h, *_ in tables if name == n}) > 1}
    found: list[dict[str, Any]] = []
    for (network, precision, head, groups, counted), same in tables.items():
        words = [network, head or "" if network in several else "", "" if precision == "fp32" else precision]
        words += [] if groups is None else [{"twelve": "twelve groups", "dataset": "the data set's groups"}[groups]]
        title = ", ".join(filter(None, words))
        counts = np.asarray(counted.counts, dtype=float)
        totals = counts.sum(axis=0)
        shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
        found.append(
            {
                "title": title,
                "number": 1 + sum(other["title"] == title for other in found),
                "backends": [reading.result.case.backend for reading in same],
                "derived": same[0].derived,
                "labels": counted.labels,
                "shares": shares,
                "rows": _confusion_rows(counted.labels, shares),
                "totals": [int(t) for t in totals],
                **published_table([network], counted.labels),
            }
        )
    return found


def published_table(networks: Iterable[str], labels: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the first published table of the networks that is of the age groups ``labels``; None: of any."""
    claims = (claim for card in cards(networks) for claim in card.published if claim.confusion is not None)
    claim = next((c for c in claims if c.labels is not None and labels in (None, c.labels)), None)
    if claim is None or claim.confusion is None:
        return {"published": None, "published_rows": [], "where": ""}
    return {
        "published": np.asarray(claim.confusion),
        "published_rows": _confusion_rows(claim.labels or (), np.asarray(claim.confusion)),
        "where": f"{claim.dataset}, {claim.split}; {claim.where}",
    }


def unmatched(networks: Iterable[str], shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the published tables of networks that none of the tables ``shown`` has beside it."""
    beside = {table["title"].partition(",")[0].partition("@")[0] for table in shown if table["published"] is not None}
    found = [{"title": card.name, **published_table([card.name])} for card in cards(networks)]
    return [table for table in found if table["published"] is not None and table["title"] not in beside]


def _confusion_rows(labels: Sequence[str], shares: np.ndarray[Any, Any]) -> list[Row]:
    return [
        {
            "predicted \\ true": label,
            **{true: "-" if np.isnan(v) else f"{v:.3f}" for true, v in zip(labels, row, strict=True)},
        }
        for label, row in zip(labels, shares, strict=True)
    ]
