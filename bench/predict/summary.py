"""What is said at the beginning and the end: whose terms hold, how many faces there were, and what was left out."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.predict.asking import Asked
from bench.predict.kept import ABOUT, FACES, PICTURES, SKIPPED, Kept
from bench.predict.request import Request
from bench.predict.said import SCHEMA, FaceLine, own
from converters.errors import one_line
from zoo.card import Card

LISTED = 20
"""Pictures of which nothing is said that are named on the terminal; the file has all."""


def terms(cards: Mapping[str, Card], every: Sequence[Asked]) -> None:
    """Print one line on stderr of what licence each network has."""
    by_licence: dict[str, list[str]] = {}
    for one in every:
        by_licence.setdefault(cards[one.network.name].licence, []).append(one.network.name)
    told = "; ".join(f"{', '.join(names)}: {licence}" for licence, names in by_licence.items())
    print(f"terms: {told} (python -m zoo show NAME has them whole)", file=sys.stderr)


def summary(request: Request, every: Sequence[Asked], left: Mapping[str, str], kept: Kept) -> None:
    """Print what came of it, for a person or as JSON; networks that failed on stderr."""
    for one in every:
        if one.failed is not None:
            print(f"error: {one.network.name}: {one.failed}", file=sys.stderr)
    pages = sorted((path.name for path in request.out.glob("contact-sheet*.png")), key=lambda name: (len(name), name))
    files = [ABOUT, FACES, SKIPPED, *pages]
    if request.as_json:
        told = _told(request, kept)
        told["networks"] = {one.network.name: one.failed or "ok" for one in every}
        print(json.dumps({**told, "left_out": dict(left), "files": files}, indent=1))
        return
    if request.source.kind == "image" and kept.faces:
        print(_table(request.out), end="\n\n")
    print(
        f"{_count(kept.images.total(), 'picture')}: {_count(kept.faces, 'face')} in {kept.images['with faces']}; "
        f"{kept.images['no face']} without a face, {kept.images['unreadable']} skipped"
    )
    for line in kept.skipped[:LISTED]:
        print(one_line(f"  {line['image']}: {line['reason']}"))
    if len(kept.skipped) > LISTED:
        print(f"  and {len(kept.skipped) - LISTED} more: {request.out / SKIPPED}")
    for name in [FACES, *([PICTURES] if kept.faces else []), *pages[:1]]:
        print(request.out / name)
    if len(pages) > 1:
        print(f"{request.out / pages[-1]} is the last of {len(pages)} pages")


def _told(request: Request, kept: Kept) -> dict[str, object]:
    unreadable = [{"image": one["image"], "reason": one["reason"]} for one in kept.skipped if one["kind"] != "no face"]
    return {
        "schema": SCHEMA,
        "out": str(request.out),
        "images": kept.images.total(),
        "with_faces": kept.images["with faces"],
        "faces": kept.faces,
        "no_face": [one["image"] for one in kept.skipped if one["kind"] == "no face"],
        "unreadable": unreadable,
    }


def _table(out: Path) -> str:
    """Return what is said of the faces of the one picture, a row each."""
    from tabulate import tabulate

    rows = []
    for text in (out / FACES).read_text(encoding="utf-8").splitlines():
        line = FaceLine.model_validate_json(text)
        said = {name: ", ".join(own(one)) for name, one in line.networks.items()}
        rows.append({"face": line.face, "box": ", ".join(map(str, line.box)), "score": line.score, **said})
    return tabulate(rows, headers="keys", tablefmt="github", floatfmt=".2f")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
