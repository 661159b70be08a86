"""Which files a data folder holds, from a listing that is kept: half a million images are not asked for one by one.

The listing of a folder of some size is kept in ``$ZOO_HOME/index``, one file a data folder, and each subfolder is
listed anew when its time of change is another. A file system's clock ticks coarsely, so a listing made within two
seconds of the folder's last change is not kept.

Nothing outside the data folder is ever named: a link to a file counts only where that file lies inside, and links to
folders are not followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from converters.errors import BadInput

KEPT_FROM = 2_000
"""Files from which a listing is kept; a smaller folder is listed faster than the listing is read."""
TICK_NS = 2_000_000_000
"""Nanoseconds: the coarsest clock of a file system in use (FAT)."""
DEEPEST = 12
"""Levels of subfolders that are looked into."""

Listed = tuple[int, list[str], list[str], list[str]]
"""One folder: time of change in nanoseconds; its files, folders and links."""


@dataclass(frozen=True)
class Folder:
    """A data folder and the files in it, relative to it, with slashes; ``files`` None: whatever a list names is there.

    ``leaving`` are the links that lead out of it, or are links to folders.
    """

    root: Path
    files: Collection[str] | None
    leaving: frozenset[str] = frozenset()

    def find(self, candidates: Collection[str]) -> Path | None:
        """Return the first of the candidates (relative, with slashes) that is there."""
        for name in candidates:
            if self.files is None or name in self.files:
                return self.root / name
        return None

    def leads_out(self, candidates: Collection[str]) -> bool:
        """Whether one of the candidates is, or lies behind, a link that is not followed."""
        return bool(self.leaving) and any(
            str(part) in self.leaving
            for name in candidates
            for part in (PurePosixPath(name), *PurePosixPath(name).parents)
        )


def unlisted(root: Path) -> Folder:
    """Return ``root`` as if it held every file that its label lists name: for the lists alone."""
    return Folder(root, None)


def listing(root: Path) -> Folder:
    """List the files below ``root``, from the kept listing where that is still true. Raises BadInput for no folder."""
    if not root.is_dir():
        raise BadInput(f"{root}: no such folder; give the folder that the data set was unpacked into")
    real = root.resolve()
    keep = _keep(real)
    kept = _read(keep, real)
    found = dict(_folders(real, kept))
    count = sum(len(files) for _, files, _, _ in found.values())
    if count >= KEPT_FROM and found != kept:
        _write(keep, real, found)
    files = {f"{folder}{name}" for folder, (_, names, _, _) in found.items() for name in names}
    links = [f"{folder}{name}" for folder, (_, _, _, names) in found.items() for name in names]
    inside = {link for link in links if _inside(real, real / link)}
    return Folder(root, files | inside, frozenset(links) - inside)


def _folders(root: Path, kept: dict[str, Listed]) -> Iterator[tuple[str, Listed]]:
    """Every folder below ``root``, as its path with a slash at the end ('' for itself), with what it holds."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            changed = (root / folder).stat().st_mtime_ns
            before = kept.get(folder)
            listed = before if before is not None and before[0] == changed else _list(root / folder, changed)
        except OSError as error:
            raise BadInput(f"{root / folder}: cannot be listed ({error.strerror})") from error
        yield folder, listed
        if folder.count("/") < DEEPEST:
            waiting += [f"{folder}{name}/" for name in listed[2]]


def _list(folder: Path, changed: int) -> Listed:
    files, folders, links = [], [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                links.append(entry.name)
            elif entry.is_dir():
                folders.append(entry.name)
            elif entry.is_file():
                files.append(entry.name)
    return changed, files, folders, links


def _inside(root: Path, link: Path) -> bool:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # it leads nowhere, or in a circle
        return False
    return target.is_relative_to(root) and target.is_file()


def _keep(root: Path) -> Path:
    from zoo.store import home

    return home() / "index" / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:32]}.json"


def _read(keep: Path, root: Path) -> dict[str, Listed]:
    """Return the kept listing; nothing where there is none, or what is there is not one of this folder."""
    try:
        content: Any = json.loads(keep.read_bytes())
        if content["root"] != os.fspath(root):
            return {}
        return {folder: (int(t), list(f), list(d), list(s)) for folder, (t, f, d, s) in content["folders"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write(keep: Path, root: Path, found: dict[str, Listed]) -> None:
    """Keep what will still be true; a home that cannot be written to costs only the time of listing again."""
    settled = {folder: listed for folder, listed in found.items() if time.time_ns() - listed[0] > TICK_NS}
    text = json.dumps({"root": os.fspath(root), "folders": settled})
    beside = keep.with_name(f"{keep.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        keep.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="ascii")  # json escapes what is not ASCII, bytes that are no UTF-8 too
        beside.replace(keep)
