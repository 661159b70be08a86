"""Published numbers beside ours, with what differs between them; they stand side by side, never in one column.

A published table of age groups stands beside ours only where both are of the same groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bench.records import WHOLE, Confusion, GroupSet, Result
from bench.report.running import estimate
from bench.report.scores import Reading, cards, readings
from bench.report.slices import label
from bench.report.tables import Row
from zoo.card import Card
from zoo.fields import Claim


def claim_rows(networks: Iterable[str], results: Sequence[Result] = ()) -> list[Row]:
    """Return a row for each published number of the networks' cards and each number of ours beside it.

    What differs between the two stands in columns of its own: the images, the crop, the training set, the labels.
    """
    found, ours = [], readings(results)
    for card in cards(networks):
        for claim in card.published:
            if claim.value is not None:
                beside: list[Reading | None] = [*_measured(card, claim, ours)]
                found += [_beside(card, claim, mine) for mine in beside or [None]]
    return found


def _beside(card: Card, claim: Claim, mine: Reading | None) -> Row:
    score = None if mine is None else mine.scores[claim.metric]
    network = card.name if mine is None else label(mine)
    return {
        "network": network + (" (*derived*)" if mine is not None and mine.derived else ""),
        "what": f"{claim.task} {claim.metric}".replace("_", " "),
        "published": _published(claim),
        "measured here [95 %]": "-" if score is None else estimate(score).text,
        "n": "-" if score is None else score.n,
        "images: theirs / ours": _pair(f"{claim.dataset}, {claim.split}", None if mine is None else _images(mine)),
        "crop: theirs / ours": _pair(claim.crop, None if mine is None else _crop(card, mine)),
        "trained on: theirs / ours": _pair(claim.trained_on, None if mine is None else card.trained_on or UNKNOWN),
        "labels: theirs / ours": _pair(_rule(claim), None if mine is None else _labels(mine)),
        "where": claim.where,
        "note": claim.note,
    }


UNKNOWN = "not stated"


def _pair(theirs: str, ours: str | None) -> str:
    return (theirs or UNKNOWN) + ("" if ours is None else f" / {ours}")


def _images(mine: Reading) -> str:
    return f"{mine.result.case.dataset}:{mine.result.case.split}"


def _crop(card: Card, mine: Reading) -> str:
    """Return in words which part of an image our number was measured on, and how it was brought to size."""
    seen, network = mine.result.fingerprint, mine.result.case.network
    face = "the image" if seen is None or seen.faces == WHOLE else f"the box of {seen.faces}"
    if network not in card.networks():
        return face
    spec = card.networks()[network]
    cut = "" if spec.size == spec.resize else f", the centre {spec.size[0]}x{spec.size[1]} of it"
    cut = ", ten views of it" if spec.views == "ten" else cut
    return f"{face if spec.share == 1 else f'{face} times {spec.share:g}'} as {spec.resize[0]}x{spec.resize[1]}{cut}"


def _rule(claim: Claim) -> str:
    groups = f"{len(claim.labels)} groups" if claim.task == "age_group" and claim.labels else ""
    return ", ".join(filter(None, [claim.label_rule, groups]))


def _labels(mine: Reading) -> str:
    seen = mine.result.fingerprint
    rule = UNKNOWN if seen is None else seen.label_rule.partition(";")[0]
    return f"{rule}, {len(mine.labels)} groups" if mine.task == "age_group" else rule


def _published(claim: Claim) -> str:
    assert claim.value is not None
    factor, unit = (1, "years") if claim.metric == "mae" else (100, "%")
    spread = "" if claim.sd is None else f" ± {claim.sd * factor:.2g}"
    return f"{claim.value * factor:.4g}{spread} {unit}"


def _measured(card: Card, claim: Claim, ours: Sequence[Reading]) -> list[Reading]:
    """Return our readings of the same kind, the first backend's of those that print alike."""
    found: dict[tuple[Any, ...], Reading] = {}
    for reading in ours:
        score, case = reading.scores.get(claim.metric), reading.result.case
        if score is None or reading.task != claim.task or case.network.partition("@")[0] != card.name:
            continue
        if claim.task == "age_group" and (reading.labels != claim.labels if claim.labels else reading.derived):
            continue
        seen = reading.result.fingerprint
        faces = None if seen is None else (seen.split_sha256, seen.faces)
        key = (label(reading), reading.labels, case.dataset, case.split, faces, estimate(score).text)
        found.setdefault(key, reading)
    return list(found.values())


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
