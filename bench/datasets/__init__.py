"""Labelled faces to score on. One file per dataset; no registry: the file name is the name on the command line.

A hyphen on the command line stands for the underscore of a file name: ``appa-real`` is ``appa_real``, and goes by that
name in results.

A dataset's module has a docstring (first line: the title), ``SPLITS``, ``DEFAULT_SPLIT``, ``TERMS``, ``CITATION``,
``SIZE``, ``GET`` (how to get it) and ``load(path, split) -> Split``. One that is built in has ``PATH``, and is given
none; one whose splits depend on what it is given also has ``splits(path)``. One with official lists has
``labels(path, split) -> Split``, the split as the lists have it whatever images are there, and ``PUBLISHED``: the
fingerprints of its splits that were computed from the official lists.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

from bench.types import Sample, Split
from converters.errors import BadInput

HOME = "BENCH_DATA"
"""The environment variable that names a folder of datasets, each in a folder of its own name."""


class Dataset(Protocol):
    """What a module of this package offers."""

    SPLITS: tuple[str, ...]
    DEFAULT_SPLIT: str
    TERMS: str
    CITATION: str
    SIZE: str
    GET: str

    def load(self, path: Path, split: str) -> Split:
        """Read ``split`` of the dataset that lies at ``path``."""


def names() -> tuple[str, ...]:
    """List the datasets there are: the files of this folder."""
    return tuple(sorted(file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_")))


def describe(name: str) -> dict[str, Any]:
    """Say what a dataset is: ``name title terms splits``, ``default`` (split) and ``built_in`` (needs no path).

    Also its ``size``, ``citation``, how to ``get`` it, and the ``published`` fingerprints by split.
    """
    dataset = _dataset(name)
    return {
        "name": _file_name(name),
        "title": (inspect.getdoc(dataset) or "").partition("\n")[0],
        "terms": dataset.TERMS,
        "splits": dataset.SPLITS,
        "default": dataset.DEFAULT_SPLIT,
        "built_in": hasattr(dataset, "PATH"),
        "size": dataset.SIZE,
        "citation": dataset.CITATION,
        "get": dataset.GET,
        "published": {split: list(known) for split, known in getattr(dataset, "PUBLISHED", {}).items()},
    }


def load(name: str, path: Path | None = None, split: str | None = None) -> Split:
    """Read a dataset; without ``path`` the one in ``$BENCH_DATA/name``, without ``split`` its default split.

    An unknown name or split, and a missing path, are ``BadInput`` that says what there is.
    """
    dataset = _dataset(name)
    where = _where(name, dataset, path)
    chosen = dataset.DEFAULT_SPLIT if split is None else split
    if chosen not in (known := _splits(dataset, where)):
        raise BadInput(f"{name}: no split {chosen!r}; there are {', '.join(known)}")
    return dataset.load(where, chosen)


def listed(name: str, path: Path | None = None, split: str | None = None) -> Split | None:
    """Read a split as its official lists have it, whatever images are there; None for a dataset without lists."""
    dataset = _dataset(name)
    read = getattr(dataset, "labels", None)
    chosen = dataset.DEFAULT_SPLIT if split is None else split
    return None if read is None else cast(Split, read(_where(name, dataset, path), chosen))


def parse_data(text: str) -> tuple[str, Path | None, str | None]:
    """Take ``NAME[=PATH][:SPLIT]`` apart. What follows the last colon is a split only if the dataset has that split.

    So a path may hold colons. A plain word there that is no split, in a path that does not exist, is ``BadInput``.
    """
    name, equals, rest = text.partition("=")
    if not equals:
        name, colon, split = text.partition(":")
        dataset = _dataset(name)
        if colon and split not in (known := _splits(dataset, _home(name))):
            raise BadInput(f"--data {text}: {name} has no split {split!r}; there are {', '.join(known)}")
        return _file_name(name), None, split or None
    dataset, name = _dataset(name), _file_name(name)
    if not rest:
        raise BadInput(f"--data {text}: no path after the equals sign; give {name}=PATH")
    before, colon, word = rest.rpartition(":")
    if not (colon and before) or _path(rest).exists():
        return name, _path(rest), None
    plain = re.fullmatch(r"[\w-]+", word) is not None
    known = _splits(dataset, _path(before) if plain or _path(before).exists() else None)
    if word in known:
        return name, _path(before), word
    if plain:
        raise BadInput(f"--data {text}: {name} has no split {word!r}; there are {', '.join(known)}")
    return name, _path(rest), None


def fingerprint(split: Split) -> str:
    """Hash a split's names and labels with sha256, in hex: splits that differ in one of them never share it.

    One line ``name age gender`` per sample, single spaces between; ``-`` for a label that is unknown; an age that is
    whole is written as an integer, any other as Python's ``repr`` writes it. Where only a range is known, first and
    last year stand for the age, joined by a hyphen (``25-32``), and nothing after the hyphen of an open range
    (``70-``). The lines are sorted by code point, joined by a newline without one at the end, and encoded as UTF-8 (a
    byte of a name that is not UTF-8 stays that byte). Subject, ethnicity and fold are not in it.
    """
    lines = sorted(f"{sample.name} {_age(sample)} {sample.gender or '-'}" for sample in split.samples)
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def limited(split: Split, n: int) -> Split:
    """Keep the ``n`` samples with the smallest sha256 of the name, in the split's order, so ages stay mixed."""
    if n < 1:
        raise BadInput(f"--limit {n}: must be 1 or more")
    if n >= len(split.samples):
        return split
    drawn = {sample.name for sample in sorted(split.samples, key=_draw)[:n]}
    kept = tuple(sample for sample in split.samples if sample.name in drawn)
    return replace(split, samples=kept, notes=(*split.notes, f"limited to {n} of {len(split.samples)}"))


def _dataset(name: str) -> Dataset:
    if _file_name(name) not in names():
        raise BadInput(f"no dataset {name!r}; there are {', '.join(names())}")
    return cast(Dataset, importlib.import_module(f"{__name__}.{_file_name(name)}"))


def _file_name(name: str) -> str:
    return name.replace("-", "_")


def _splits(dataset: Dataset, path: Path | None) -> tuple[str, ...]:
    read = getattr(dataset, "splits", None)
    return dataset.SPLITS if read is None or path is None else cast("tuple[str, ...]", read(path))


def _where(name: str, dataset: Dataset, path: Path | None) -> Path:
    built_in: Path | None = getattr(dataset, "PATH", None)
    if built_in is not None:
        if path is not None:
            raise BadInput(f"{name}={path}: {name} is built in and takes no path; for your own images give csv=PATH")
        return built_in
    if path is not None:
        return path
    if (home := _home(name)) is None:
        raise BadInput(f"{name}: no path; give {name}=PATH, or set ${HOME} to the folder that holds {name}/")
    return home


def _home(name: str) -> Path | None:
    if not (home := os.environ.get(HOME)):
        return None
    folders = Path(home) / _file_name(name), Path(home) / name.replace("_", "-")
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def _path(text: str) -> Path:
    return Path(text).expanduser() if text.startswith("~/") else Path(text)  # no shell expands NAME=~/faces


def _age(sample: Sample) -> str:
    if sample.age is not None:
        return _years(sample.age)
    if sample.age_range is None:
        return "-"
    first, last = sample.age_range
    return f"{_years(first)}-{'' if math.isinf(last) else _years(last)}"


def _years(age: float) -> str:
    return str(int(age)) if age == int(age) else repr(float(age))


def _draw(sample: Sample) -> str:
    return hashlib.sha256(sample.name.encode("utf-8", "surrogateescape")).hexdigest()
