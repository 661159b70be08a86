"""Where pictures come from: one file, a folder with all that is in it, a video, or a camera.

Whatever is in a folder is yielded, also what is no picture: who asked has to be told of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.detection import quiet
from bench.devices import NotUsable
from bench.preprocess import Image, Unreadable, read_image
from converters.errors import BadInput

VIDEOS = {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"}
CAMERA = re.compile(r"(?:camera:)?(\d{1,4})")


@dataclass(frozen=True)
class Shot:
    """A picture by its name, relative to the folder that was given: (H, W, 3), BGR, upright; or why there is none."""

    name: str
    image: Image | None
    why: Unreadable | None = None


@dataclass(frozen=True)
class Source:
    """``shots`` yields every picture but those of the names that it is given; ``total``: how many there are, if known.

    A picture is read when its turn comes, so that a folder of any size takes the memory of one.
    """

    kind: Literal["image", "folder", "video", "camera"]
    name: str
    total: int | None
    shots: Callable[[Collection[str]], Generator[Shot, None, None]]


def opened(text: str, frames: int | None, out: Path) -> Source:
    """Open what ``text`` names. ``frames``: how many of a video or camera; ``out`` is left out of a folder.

    Raises BadInput for what is not there, holds no file or is no video, NotUsable where there is no such camera.
    """
    path = Path(text)
    if (number := CAMERA.fullmatch(text)) and not path.exists():
        return _moving("camera", f"camera:{int(number[1])}", int(number[1]), frames)
    try:
        there = path.exists()
    except (OSError, ValueError):  # no file can have this name
        there = False
    if not there:
        raise BadInput(f"{text}: no such file or folder; give a picture, a folder, a video, or camera:0")
    if path.suffix.lower() in VIDEOS and path.is_file():
        return _moving("video", path.name, str(path), frames)
    if frames is not None:
        raise BadInput(f"--frames {frames}: only a video and a camera have frames, {text} has none")
    if path.is_dir():
        names = list(_names(path, out))
        if not names:
            raise BadInput(f"{text}: holds no files; give a folder of pictures")
        return Source("folder", path.name, len(names), partial(_files, path, names))
    return Source("image", path.name, 1, partial(_files, path.parent, [path.name]))


def _files(root: Path, names: Sequence[str], done: Collection[str]) -> Generator[Shot, None, None]:
    for name in names:
        if shown(name) not in done:
            yield _shot(root, name)


def _names(root: Path, out: Path) -> Iterator[str]:
    """Yield what is below ``root`` in the order of names, relative to it; links to folders are not followed."""
    for folder, inside, files in os.walk(root):
        inside[:] = sorted(name for name in inside if not _same(Path(folder, name), out))
        links = [name for name in inside if Path(folder, name).is_symlink()]
        for name in sorted([*files, *links]):
            yield Path(folder, name).relative_to(root).as_posix()


def shown(name: str) -> str:
    """Return a file's name as text: bytes that are no UTF-8 as escapes, which a line of JSON can hold."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _shot(root: Path, name: str) -> Shot:
    path = root / name
    if (why := _no_picture(path)) is not None:
        return Shot(shown(name), None, Unreadable(why))
    try:
        with quiet():
            return Shot(shown(name), read_image(path))
    except Unreadable as error:
        return Shot(shown(name), None, error)


def _no_picture(path: Path) -> str | None:
    if path.is_dir():
        return "a link to a folder, which is not followed"
    if not path.is_file():
        return "a link that leads nowhere" if path.is_symlink() else "no regular file"
    return "a video: give it by itself" if path.suffix.lower() in VIDEOS else None


def _moving(kind: Literal["video", "camera"], name: str, given: str | int, frames: int | None) -> Source:
    with _capture(kind, name, given) as first:
        told = first.get(_cv2().CAP_PROP_FRAME_COUNT) if kind == "video" else 0
    total = int(told) if 0 < told < 1e9 else None
    if frames is not None:
        total = frames if total is None else min(frames, total)

    def shots(done: Collection[str]) -> Generator[Shot, None, None]:
        with _capture(kind, name, given) as capture, closing(_frames(capture, frames)) as images:
            for number, image in enumerate(images, 1):
                if (one := f"frame-{number:06}") not in done:
                    yield Shot(one, image)

    return Source(kind, name, total, shots)


@contextmanager
def _capture(kind: str, name: str, given: str | int) -> Iterator[Any]:
    with quiet():
        capture = _cv2().VideoCapture(given)
    try:
        if not capture.isOpened():
            if kind == "camera":
                raise NotUsable(f"{name}: OpenCV finds no such camera here; give a picture, a folder or a video")
            raise BadInput(f"{name}: no video that OpenCV can read")
        yield capture
    finally:
        capture.release()


def _frames(capture: Any, most: int | None) -> Generator[Image, None, None]:
    count = 0
    while most is None or count < most:
        there, image = capture.read()
        if not there:
            return
        count += 1
        yield np.asarray(image, dtype=np.uint8)


def _cv2() -> Any:
    import cv2

    return cv2
