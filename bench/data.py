"""The ``data`` command: what data sets there are, and whether one is whole."""

from __future__ import annotations

import json
from collections import Counter

from bench import datasets
from bench.heads import OUTSIDE, group_of_true_age
from bench.preprocess import Unreadable, read_image
from bench.types import Split
from converters.errors import BadInput
from zoo.fields import AGE_GROUPS


def listing(*, as_json: bool) -> str:
    """List every data set with its splits and terms, as a table or as JSON."""
    from tabulate import tabulate

    described = [datasets.describe(name) for name in datasets.names()]
    if as_json:
        return json.dumps(described, indent=1)
    rows = [
        (d["name"], d["title"], ", ".join(f"{s}*" if s == d["default"] else s for s in d["splits"]), d["terms"])
        for d in described
    ]
    table = tabulate(rows, headers=("name", "what", "splits", "terms"), maxcolwidths=(None, 50, 20, 60))
    return f"{table}\n* the split taken when none is named"


def verify(text: str) -> str:
    """Read every image of ``NAME[=PATH][:SPLIT]`` and return the counts; of features their taps and sizes.

    Raises BadInput that lists the images that cannot be read, if any.
    """
    split = datasets.load(*datasets.parse_data(text))
    taps = {tap: values for sample in split.samples for tap, values in sample.features.items()}
    unreadable = [] if taps else _unreadable(split)
    genders = Counter(s.gender or "unknown" for s in split.samples)
    groups = Counter(group_of_true_age(s.age) for s in split.samples)
    what = "faces" if taps else "images"
    lines = [
        f"{split.dataset}:{split.split}: {len(split.samples)} {what}, fingerprint {datasets.fingerprint(split)}",
        f"labels: {split.label_rule}",
        *split.notes,
        "gender: " + ", ".join(f"{n} {gender}" for gender, n in sorted(genders.items())),
        "age groups: " + ", ".join(f"{label} {groups[i]}" for i, label in enumerate(AGE_GROUPS)),
        f"in no group: {groups[OUTSIDE]}",
        *(f"tap {tap}: {len(values)} features a face" for tap, values in sorted(taps.items())),
        *([] if taps else [f"images that cannot be read: {len(unreadable)}"]),
    ]
    if unreadable:
        print("\n".join(lines))
        raise BadInput(f"{split.dataset}:{split.split}: {len(unreadable)} images cannot be read:", unreadable)
    return "\n".join(lines)


def _unreadable(split: Split) -> list[str]:
    found = []
    for sample in split.samples:
        try:
            read_image(sample.path)
        except Unreadable as error:
            found.append(f"{sample.name}: {error}")
    return found
