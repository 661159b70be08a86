"""The ``data`` command: what data sets there are, and whether one is whole."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import datasets
from bench.heads import OUTSIDE, group_of_sample
from bench.preprocess import OtherType, Unreadable, read_image
from bench.types import Sample, Split
from converters.errors import BadInput
from zoo.fields import AGE_GROUPS

NAMED = 3
"""How many images a line of counts names."""
LISTED = 20
"""How many missing images an error lists."""


@dataclass
class Images:
    """What the images of a split turned out to be; samples by name."""

    unreadable: list[str] = field(default_factory=list)
    lying: list[str] = field(default_factory=list)
    """of another type than the name says"""
    copies: int = 0
    disputed: list[str] = field(default_factory=list)
    """groups of byte-identical images with different labels"""


def listing(*, as_json: bool) -> str:
    """List every data set with its splits, size, terms, citation and how to get it, as text or as JSON."""
    described = [datasets.describe(name) for name in datasets.names()]
    if as_json:
        return json.dumps(described, indent=1)
    blocks = []
    for d in described:
        splits = ", ".join(f"{s}*" if s == d["default"] else s for s in d["splits"])
        told = {"splits": splits, "size": d["size"], "terms": d["terms"], "get": d["get"], "cite": d["citation"]}
        rows = [_wrapped(f"{what + ':':9}{text}", hang=9) for what, text in told.items()]
        blocks.append("\n".join([d["name"], _wrapped(d["title"]), *rows]))
    return "\n\n".join([*blocks, "* the split taken when none is named. Nothing is downloaded: --data NAME=PATH"])


def verify(text: str) -> str:
    """Read every image of ``NAME[=PATH][:SPLIT]`` and return the counts; of features their taps and sizes.

    Raises BadInput that lists the images that are missing, cannot be read, or are of another type than their name
    says, if there are any.
    """
    name, path, chosen = datasets.parse_data(text)
    split = datasets.load(name, path, chosen)
    whole = datasets.listed(name, path, chosen)
    taps = {tap: values for sample in split.samples for tap, values in sample.features.items()}
    what = "faces" if taps else "images"
    lines = [
        f"{split.dataset}:{split.split}: {len(split.samples)} {what}, fingerprint {datasets.fingerprint(split)}",
        f"published: {_published(split)}",
        f"labels: {split.label_rule}",
        *split.notes,
        *_counts(split),
        *(f"tap {tap}: {len(values)} features a face" for tap, values in sorted(taps.items())),
    ]
    there = {sample.name for sample in split.samples}
    missing = [s.name for s in whole.samples if s.name not in there] if whole else []
    if whole and missing:
        lines.append(f"the list alone: {len(whole.samples)} images, fingerprint {datasets.fingerprint(whole)}")
        lines.append(f"published: {_published(whole)}")
    images = Images() if taps else _images(split.samples)
    if not taps:
        lines += [
            *([f"images missing: {_named(missing)}"] if whole else []),
            f"images that cannot be read: {_named(images.unreadable)}",
            f"images of another type than their name says: {_named(images.lying)}",
            f"byte-duplicates: {images.copies}",
            f"byte-duplicates with different labels: {_named(images.disputed)}",
        ]
    _refuse(f"{split.dataset}:{split.split}", lines, images, missing)
    return "\n".join(lines)


def _refuse(what: str, lines: Sequence[str], images: Images, missing: Sequence[str]) -> None:
    unreadable = [*images.unreadable, *images.lying]
    if not unreadable and not missing:
        return
    print("\n".join(lines))
    told = [f"{name}: missing" for name in missing[:LISTED]]
    told += [f"and {len(missing) - LISTED} more missing"] if len(missing) > LISTED else []
    wrong = [f"{len(unreadable)} images cannot be read"] if unreadable else []
    wrong += [f"{len(missing)} images are missing"] if missing else []
    raise BadInput(f"{what}: {', '.join(wrong)}:", [*unreadable, *told])


def _counts(split: Split) -> list[str]:
    genders = Counter(s.gender or "unknown" for s in split.samples)
    groups = Counter(group_of_sample(s) for s in split.samples)
    exact = sum(s.age is not None for s in split.samples)
    ranges = sum(s.age is None and s.age_range is not None for s in split.samples)
    folds = f" in {len(split.folds)} folds" if split.folds else ""
    subjects = len({s.subject for s in split.samples if s.subject is not None})
    return [
        "gender: " + ", ".join(f"{n} {gender}" for gender, n in sorted(genders.items())),
        f"ages: {exact} exact, {ranges} ranges, {len(split.samples) - exact - ranges} unknown",
        "age groups: " + ", ".join(f"{label} {groups[i]}" for i, label in enumerate(AGE_GROUPS)),
        f"in no group: {groups[OUTSIDE]}",
        *([f"people: {subjects}{folds}"] if subjects else []),
    ]


def _published(split: Split) -> str:
    """Say whether the split is, label by label, the one that the official lists make."""
    known = datasets.describe(split.dataset)["published"].get(split.split, [])
    if not known:
        return "unknown: no official list of this split was at hand to compute its fingerprint from"
    if datasets.fingerprint(split) in known:
        return "yes, this is the split that the official lists, or the whole public folder, make"
    others = ", ".join(f"{one[:12]}.." for one in known)
    return f"no, the official lists, or the whole public folder, make another ({others})"


def _images(samples: Sequence[Sample]) -> Images:
    """Read every image once as a picture and once as bytes."""
    found = Images()
    by_content: dict[bytes, list[Sample]] = {}
    for sample in samples:
        try:
            read_image(sample.path)
            by_content.setdefault(_sha256(sample.path), []).append(sample)
        except OtherType as error:
            found.lying.append(f"{sample.name}: {error}")
        except (Unreadable, OSError) as error:
            found.unreadable.append(f"{sample.name}: {error}")
    for group in by_content.values():
        found.copies += len(group) - 1
        if len({(s.age, s.age_range, s.gender) for s in group}) > 1:
            found.disputed.append(" = ".join(sorted(s.name for s in group)))
    return found


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _named(names: Sequence[str]) -> str:
    if not names:
        return "0"
    return f"{len(names)} ({'; '.join(names[:NAMED])}{'; ..' if len(names) > NAMED else ''})"


def _wrapped(text: str, hang: int = 0) -> str:
    return textwrap.fill(text, 110, initial_indent="  ", subsequent_indent=" " * (2 + hang))
