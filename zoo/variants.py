"""The variants of a built network, in the store beside it: ``<card>.winograd.onnx``, ``.fp16.onnx``, ``.int8.onnx``.

The folder stands for the float32 file; what else a variant depends on is in its seal: the faces that it was calibrated
with, the version of ONNX Runtime where its tools make it, and the sha256 of its bytes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters.errors import Unsupported
from zoo import store
from zoo.download import sha256_of
from zoo.lock import alone

if TYPE_CHECKING:
    from bench.types import Split
    from zoo.card import Card

Variant = Literal["winograd", "fp16", "int8"]
VARIANTS: tuple[Variant, ...] = ("winograd", "fp16", "int8")
RULES = 2
"""The version of how they are made; a higher one makes them anew."""
FACES = 256
NUMBERS = 2**20
"""In one calibration batch: the activations of a large input would not fit into memory by the dozen."""


@dataclass(frozen=True)
class Calibration:
    """The faces whose activations set the ranges of 8 bits; ``sha256`` is their fingerprint."""

    told: str
    sha256: str
    faces: Split


def built(card: Card, variant: Variant) -> Path | None:
    """Return the path of a variant if it is there and, by its seal, whole, whatever it was calibrated with."""
    path = variant_path(card, variant)
    return path if _seal(path) else None


def build(card: Card, model: Path, variant: Variant, calibration: Calibration | None = None) -> Path:
    """Return the path of a variant, made of the card's built ``model`` first if it is not there, or made otherwise.

    ``int8`` needs a calibration, and all but ``winograd`` ONNX Runtime, without which Unsupported is raised. Raises
    NoGain where ``winograd`` would change nothing.
    """
    return up_to_date(card, variant, calibration) or make(card, model, variant, calibration)


def up_to_date(card: Card, variant: Variant, calibration: Calibration | None = None) -> Path | None:
    """Return the path of a variant if it is there and whole, and made as it would be now. It takes no lock."""
    path, wanted = variant_path(card, variant), _recipe(variant, calibration)
    return path if _seal(path) == wanted else None


def make(card: Card, model: Path, variant: Variant, calibration: Calibration | None = None) -> Path:
    """Make a variant, unless another process has done so meanwhile. The file appears whole or not at all."""
    path, wanted = variant_path(card, variant), _recipe(variant, calibration)
    with alone(path.with_name(f".{path.name}.lock"), f"makes {path.name}"):
        if _seal(path, tell=False) != wanted:
            content = _content(card, model, variant, calibration, wanted)
            _seal_path(path).unlink(missing_ok=True)
            store.write(path, content)
            sealed = {"sha256": hashlib.sha256(content).hexdigest(), **wanted}
            store.write(_seal_path(path), json.dumps(sealed, sort_keys=True).encode())
    return path


def variant_path(card: Card, variant: Variant) -> Path:
    """Return where a variant is, or will be."""
    return store.model_path(card).with_name(f"{card.name}.{variant}.onnx")


def calibration_of(path: Path) -> str:
    """Say what a built variant was calibrated with; nothing for one that is not calibrated."""
    return str((_seal(path, tell=False) or {}).get("faces", ""))


def _recipe(variant: Variant, calibration: Calibration | None) -> dict[str, Any]:
    """Return all that a variant depends on beside its network."""
    from zoo.precision import runtime_version

    recipe: dict[str, Any] = {"precision": variant, "rules": RULES}
    if variant == "winograd":
        return recipe
    recipe["onnxruntime"] = runtime_version()
    if variant == "int8":
        if calibration is None:
            raise ValueError("int8 needs a calibration")
        recipe |= {"faces": calibration.told, "faces_sha256": calibration.sha256}
    return recipe


def _seal_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal.json")


def _seal(path: Path, *, tell: bool = True) -> dict[str, Any] | None:
    """Return what the seal says of a variant, less its sha256; None where file or seal is not there, or not whole."""
    try:
        sealed = json.loads(_seal_path(path).read_bytes())
        whole = sha256_of(path) == sealed.pop("sha256")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if tell and not whole:
        print(f"{path}: damaged, so it does not count", file=sys.stderr)
    return sealed if whole else None


def _content(
    card: Card, model: Path, variant: Variant, calibration: Calibration | None, recipe: Mapping[str, Any]
) -> bytes:
    import onnx

    from converters.onnx_file import to_bytes
    from zoo import graph, precision, quantisation
    from zoo.winograd import winograd

    source = graph.read(model)
    if variant == "winograd":
        made = winograd(source)
    elif variant == "fp16":
        made = precision.half(source)
    else:
        made = quantisation.quantised(source, _batches(card, calibration))
    told = {entry.key: entry.value for entry in made.metadata_props}
    onnx.helper.set_model_props(made, told | {key: str(value) for key, value in recipe.items()})
    return to_bytes(made)


def _batches(card: Card, calibration: Calibration | None) -> Iterator[Mapping[str, Any]]:
    from zoo import faces

    spec = card.input[0]
    if spec.mean_image is not None:
        raise Unsupported(
            f"{card.name}: is fed less a mean image, which calibration does not know; quantise another one"
        )
    assert calibration is not None
    size = max(1, min(16, NUMBERS // (spec.size[0] * spec.size[1] * spec.depth)))
    return faces.batches(calibration.faces, spec, size)
