"""A git revision of this project as a side: its files in a folder, and the networks as its own converters make them.

The zoo's store knows a model by the converter's version, which a change in the middle of work does not raise. So where
the code that makes networks differs between two sides, each has a store of its own, named after that code.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from bench.process import PACKAGES
from bench.wire import PROTOCOL
from converters.errors import BadInput
from zoo import store
from zoo.lock import alone

CODE = ("converters", "zoo")
"""What makes networks."""

KEPT = {".py", ".toml"}


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Lay the packages of a commit into a temporary folder, for as long as the block lasts.

    Raises BadInput for one whose workers speak another protocol, or none that is known here.
    """
    with tempfile.TemporaryDirectory(prefix="agebench-revision-") as folder:
        command = ["git", "-C", str(PACKAGES), "archive", "--format=tar", commit, "--", "bench", *CODE]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise BadInput(f"revision {commit[:12]}: git cannot give its files: {said[-1] if said else 'no reason'}")
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            archive.extractall(folder, filter="data")
        refuse_another_protocol(Path(folder), commit)
        yield Path(folder)


def refuse_another_protocol(packages: Path, commit: str) -> None:
    """Raise BadInput unless the workers in ``packages`` are asked as ours are."""
    try:
        text = (packages / "bench" / "wire.py").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^PROTOCOL = (\d+)$", text, re.MULTILINE)
    if found is None or int(found[1]) != PROTOCOL:
        theirs = "a protocol without a number" if found is None else f"protocol {found[1]}"
        raise BadInput(
            f"revision {commit[:12]}: its workers speak {theirs}, the harness here protocol {PROTOCOL}; "
            "compare a revision with the same number in bench/wire.py, or two runs of bench run by bench compare"
        )


@cache
def code_key(packages: Path) -> str:
    """Return 16 hexadecimal digits that stand for the code that makes networks."""
    digest = hashlib.sha256()
    for part in CODE:
        for path in sorted((packages / part).rglob("*")):
            if path.suffix in KEPT and path.is_file():
                digest.update(f"{path.relative_to(packages)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def known(packages: Path, card: str) -> bool:
    """Whether a revision has a card of that name."""
    return (packages / "zoo" / "cards" / f"{card}.toml").is_file()


def built_by(packages: Path, cards: list[str], mirror: Path | None) -> Mapping[str, Path | str]:
    """Let the code in ``packages`` build ``cards``, in a store that is named after it; return each file, or why not.

    What is there already is not built again. The downloads are those of the user's own store.
    """
    home = store.home() / "code" / code_key(packages)
    downloads = store.home() / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    with alone(home / ".ab.lock", "builds networks by another revision"):
        if not (home / "downloads").exists():
            (home / "downloads").symlink_to(downloads, target_is_directory=True)
        return {card: _built(packages, card, home, mirror) for card in cards}


def _built(packages: Path, card: str, home: Path, mirror: Path | None) -> Path | str:
    environment = {**os.environ, "ZOO_HOME": str(home), "PYTHONPATH": str(packages)}
    command = [sys.executable, "-m", "zoo", "build", card, *(() if mirror is None else ("--mirror", str(mirror)))]
    done = subprocess.run(
        command, cwd=packages, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = sorted(home.glob(f"models/{card}-*/{card}.onnx"))
    if done.returncode == 0 and len(found) == 1:
        return found[0]
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error: ")] or lines
    return errors[-1].removeprefix("error: ")[:500] if errors else f"it left {len(found)} files where one is wanted"
