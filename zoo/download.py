"""One file, brought whole: copied from a folder or a stream, or downloaded from where an earlier run broke off.

Whatever the way, bytes go to ``<file>.part`` beside their place; only the right size and sha256 make a file of it.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from converters.errors import BadInput
from zoo.fields import Weights
from zoo.progress import task

CHUNK = 1 << 20
FULL = {errno.ENOSPC, errno.EDQUOT}
IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY}


class Unreachable(BadInput):
    """A file that is nowhere to be had just now: no network, no such package, no pip."""


class WrongBytes(BadInput):
    """A file that is not the one of the card: its size or its sha256 differs."""


def is_intact(path: Path, weights: Weights) -> bool:
    """Whether ``path`` is the card's file, byte for byte (45 MB take some 50 ms)."""
    return path.is_file() and path.stat().st_size == weights.size and sha256_of(path) == weights.sha256


def from_folder(path: Path, weights: Weights, target: Path) -> None:
    """Copy ``path`` to ``target``. Raises WrongBytes."""
    with path.open("rb") as stream:
        from_stream(stream, weights, target, str(path))


def from_stream(stream: IO[bytes], weights: Weights, target: Path, origin: str) -> None:
    """Copy ``stream`` to ``target``, a byte more than the card says at most. Raises WrongBytes with its origin."""
    part = _part(target)
    try:
        with writing(part), _opened(part, "wb") as out:
            while chunk := stream.read(min(CHUNK, weights.size + 1 - out.tell())):
                out.write(chunk)
    except BaseException:
        discard(part)
        raise
    _settle(part, weights, target, origin)


def from_url(url: str, weights: Weights, target: Path, *, timeout_s: float = 30.0) -> None:
    """Download ``url`` to ``target``, going on where an earlier run broke off.

    Raises Unreachable (what has arrived is kept for the next run) or WrongBytes (nothing is kept).
    """
    part = _part(target)
    resumed = part.exists()
    try:
        _receive(url, weights, part, timeout_s)
    finally:
        if part.exists() and part.stat().st_size == 0:
            discard(part)
    try:
        _settle(part, weights, target, url)
    except WrongBytes:
        if not resumed:
            raise
        from_url(url, weights, target, timeout_s=timeout_s)  # what the earlier run left was of another file


def _receive(url: str, weights: Weights, part: Path, timeout_s: float) -> None:
    """Append to ``part`` what is missing, one byte more than the card says at most."""
    done = part.stat().st_size if part.exists() else 0
    if done >= weights.size:
        return None
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not done:
            raise Unreachable(f"{url}: HTTP {error.code} {error.reason}") from error
        part.unlink()
        return _receive(url, weights, part, timeout_s)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{url}: {_reason(error)}") from error
    with response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:
            done = 0
        promised = None if response.length is None else done + response.length
        if promised not in {None, weights.size}:
            discard(part)
            raise WrongBytes(f"{weights.file} from {url}: expected {weights.size} bytes, got {promised}")
        with writing(part), _opened(part, "ab") as out, task(weights.file, weights.size, "bytes") as advance:
            out.truncate(done)
            limit = weights.size + (promised is None)
            while done < limit and (chunk := _read(response, url, min(CHUNK, limit - done))):
                out.write(chunk)
                done += len(chunk)
                advance(done)
    if promised is not None and done < promised:
        raise Unreachable(f"{url}: broke off after {done} of {promised} bytes; the next run goes on from there")
    return None


def _read(response: http.client.HTTPResponse, url: str, limit: int) -> bytes:
    try:
        return response.read1(limit)  # what is there, so that little is lost when it breaks off
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{url}: broke off: {_reason(error)}; the next run goes on from there") from error


def _settle(part: Path, weights: Weights, target: Path, origin: str) -> None:
    """Make ``part`` the file, or remove it and say what is wrong with it."""
    if is_intact(part, weights):
        try:
            with writing(target):
                part.replace(target)
        except BadInput:
            discard(part)
            raise
        return
    size, sha256 = part.stat().st_size, sha256_of(part)
    discard(part)
    if size != weights.size:
        got = f"more than {weights.size}" if size > weights.size else size
        raise WrongBytes(f"{weights.file} from {origin}: expected {weights.size} bytes, got {got}")
    raise WrongBytes(f"{weights.file} from {origin}: expected sha256 {weights.sha256}, got {sha256}")


def discard(part: Path) -> None:
    """Remove a file that is not whole, and its folder if that is empty then."""
    with suppress(OSError):  # where none could be written, none is there
        part.unlink()
    with suppress(OSError):
        part.parent.rmdir()  # only an empty folder goes


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the disk says against writing ``path`` into BadInput that names it."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}; {_mend(error)}") from error


def _mend(error: OSError) -> str:
    if error.errno in FULL:
        return "make room, or set ZOO_HOME to a folder with room"
    if error.errno in IN_THE_WAY:
        return "take away what is in its way, or set ZOO_HOME to another folder"
    return "set ZOO_HOME to a folder that can be written"


def _opened(part: Path, mode: str) -> IO[bytes]:
    part.parent.mkdir(parents=True, exist_ok=True)
    return part.open(mode)


def _part(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def sha256_of(path: Path) -> str:
    """Return a file's sha256, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error or type(error).__name__)
