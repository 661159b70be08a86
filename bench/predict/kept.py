"""What is on disk after each picture: a line a face, a line for each picture that says nothing, the annotated picture.

The lines come last: a picture whose lines are there is done, so a run that was stopped goes on with the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.predict.said import FaceLine, Skipped
from bench.preprocess import Image
from bench.records import Record
from bench.results import append, write_atomically
from converters.errors import BadInput

FACES, SKIPPED, ABOUT = "faces.jsonl", "skipped.jsonl", "predict.json"
PICTURES = "annotated"
QUALITY = 95
LONGEST_NAME = 200
"""Bytes of a file's name that are kept: some systems take 255, and ours are longer than those they are made of."""


class Kept:
    """The files in ``out``, begun anew or gone on with."""

    def __init__(self, out: Path, about: dict[str, Any], *, resume: bool) -> None:
        """Begin the files. Raises BadInput where ``out`` holds others, or was made otherwise than ``about`` says."""
        self.out = out
        self.done: set[str] = set()
        self.images = Counter[str]()
        self.faces = 0
        self.skipped: list[dict[str, Any]] = []
        self._pictures: set[str] = set()
        there = (out / FACES).exists() or (out / SKIPPED).exists()
        if there and not resume:
            raise BadInput(
                f"--out {out} holds predictions already: give --resume to go on with them, or another folder"
            )
        if there:
            _refuse_another(out, about)
            self._read()
        else:
            for name in (FACES, SKIPPED):
                write_atomically(out / name, "")
        write_atomically(out / ABOUT, json.dumps(about, indent=1) + "\n")

    def place(self, image: str) -> str:
        """Return the path, relative to ``out``, for the annotated picture of ``image``: no two pictures share one."""
        *folders, name = (_plain_name(part) for part in image.split("/"))
        if Path(name).suffix.lower() not in (".jpg", ".jpeg", ".png"):
            name += ".png"
        inside = Path(PICTURES)
        for folder in folders:
            inside /= folder
            while inside.as_posix() in self._pictures:  # c.bmp is annotated as c.bmp.png, which may be a folder too
                inside = inside.with_name(f"_{inside.name}")
        path = inside / name
        while path.as_posix() in self._pictures or (self.out / path).is_dir():
            path = path.with_name(f"_{path.name}")
        self._pictures.add(path.as_posix())
        return path.as_posix()

    def add(self, image: str, lines: Sequence[FaceLine], picture: Image) -> None:
        """Keep a picture's faces, and the annotated ``picture`` (H, W, 3), BGR. Raises BadInput on a full disk."""
        path = self.out / lines[0].annotated
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"{path.parent}: cannot be made: {error.strerror}") from error
        write_atomically(path, _encoded(picture, path.suffix))
        append(self.out / FACES, "".join(_line(line) for line in lines).encode())
        self._count(image, len(lines))

    def skip(self, line: Skipped) -> None:
        """Keep why nothing is said of a picture."""
        append(self.out / SKIPPED, _line(line).encode())
        self._skipped(_plain(line))

    def _count(self, image: str, faces: int) -> None:
        self.done.add(image)
        self.images["with faces"] += 1
        self.faces += faces

    def _skipped(self, line: dict[str, Any]) -> None:
        self.done.add(line["image"])
        self.images[line["kind"]] += 1
        self.skipped.append(line)

    def _read(self) -> None:
        faces: dict[str, list[dict[str, Any]]] = {}
        for line in _whole_lines(self.out / FACES):
            faces.setdefault(line["image"], []).append(line)
            self._pictures.add(line["annotated"])
        for image, lines in faces.items():
            self._count(image, len(lines))
        for line in _whole_lines(self.out / SKIPPED):
            self._skipped(line)


def _plain_name(part: str) -> str:
    """Return a part of a path as it can be written everywhere: a long or unprintable one by its beginning and hash."""
    data = part.encode()
    if len(data) <= LONGEST_NAME and part.isprintable():
        return part
    begin = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in part[:60])
    return f"{begin}-{hashlib.sha256(data).hexdigest()[:12]}"


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a file, which loses what was not written whole. Raises BadInput for anything else."""
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data or not path.exists():
        write_atomically(path, whole)
    try:
        lines: list[dict[str, Any]] = [json.loads(line) for line in whole.splitlines()]
        for line in lines:
            line["image"] + line.get("annotated", line.get("kind"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path}: holds a line that no prediction left ({error}): give another --out") from error
    return lines


def _refuse_another(out: Path, about: dict[str, Any]) -> None:
    try:
        before = json.loads((out / ABOUT).read_bytes())
        for key in ("schema", "source", "faces", "backend", "device", "networks"):
            if before[key] != about[key]:
                raise BadInput(f"--resume {out}: what is there was made with another {key}: give another --out")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"--resume {out}: its {ABOUT} cannot be read: give another --out") from error


def _plain(line: Record) -> dict[str, Any]:
    plain: dict[str, Any] = line.model_dump(by_alias=True)
    return plain


def _line(line: Record) -> str:
    """Return a record as a line of ASCII: the bytes of a file's name that are no UTF-8 are kept as escapes."""
    return json.dumps(_plain(line)) + "\n"


def _encoded(image: Image, suffix: str) -> bytes:
    import cv2

    options = [] if suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    _, data = cv2.imencode(suffix.lower(), image, options)
    return bytes(data.tobytes())
