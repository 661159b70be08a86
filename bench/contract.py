"""Whether a model is fed as it says it has to be: the input specs in its metadata against those of its card.

A spec alone says what is to be done; the sha256 in it, of the tensors made of one known picture, says what was done: a
version of OpenCV that resizes otherwise is told here, not by a score that nobody can explain.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from bench.mistakes import mistakes
from bench.preprocess import Image, Tensor, prepare_views
from converters.errors import BadInput
from zoo.fields import InputSpec

WITHOUT = {"sha256"}


class OtherInput(BadInput):
    """A model is not fed as its own metadata say. Names the field."""


def known_picture() -> Image:
    """Return a picture (97, 131, 3) that needs no decoder: integer arithmetic alone, with edges and slopes."""
    rows, columns, channels = np.indices((97, 131, 3))
    waves = (rows * rows + 3 * columns * (channels + 1) + 7 * rows * columns) // 11
    blocks = ((rows // 13 + columns // 17) % 2) * (60 + 20 * channels)
    return np.asarray((waves + blocks) % 256, dtype=np.uint8)


def fingerprint(spec: InputSpec, mean_image: Tensor | None = None) -> str:
    """Return the sha256 of the tensors that a spec makes of the known picture, float32, little-endian, in order."""
    digest = hashlib.sha256()
    for name, tensor in prepare_views(known_picture(), spec, mean_image).items():
        digest.update(f"{name} {tensor.shape}".encode())
        digest.update(tensor.astype("<f4").tobytes())
    return digest.hexdigest()


def check(model: Path, name: str, spec: InputSpec, mean_image: Tensor | None = None) -> None:
    """Raise OtherInput, naming the field, where ``spec`` is not what the metadata of ``model`` say of this input."""
    from zoo.graph import metadata

    told = metadata(model).get("input")
    if told is None:
        raise OtherInput(f"{name}: {model.name} does not say how it is fed: build it anew")
    specs = {one.get("variant"): InputSpec.model_validate(one) for one in json.loads(told)}
    if spec.variant not in specs:
        raise OtherInput(f"{name}: {model.name} knows no input variant {spec.variant!r}")
    for field in InputSpec.model_fields:
        wanted, given = getattr(specs[spec.variant], field), getattr(spec, field)
        if field not in WITHOUT and wanted != given:
            raise OtherInput(f"{name}: {field} is {given}, and {model.name} was made for {field} = {wanted}")
    if spec.sha256 is not None and fingerprint(spec, mean_image) != spec.sha256:
        raise OtherInput(f"{name}: {_suspect(spec, mean_image)}; its scores would not be comparable")


def _suspect(spec: InputSpec, mean_image: Tensor | None) -> str:
    """Return what makes other tensors than the sha256 of a card stands for: a field, as far as the usual ones go."""
    assert spec.sha256 is not None
    of = f"the card's sha256 {spec.sha256[:16]}"
    for _, other in mistakes(spec, mean_image):
        if fingerprint(other, mean_image if other.mean_image else None) == spec.sha256:
            fields = [f for f in InputSpec.model_fields if getattr(other, f) != getattr(spec, f)]
            return " and ".join(f"{f} is {getattr(spec, f)}, and {of} stands for {getattr(other, f)}" for f in fields)
    import cv2

    return (
        f"the known picture becomes other tensors than those {of} stands for: "
        f"a field of the card was changed, or OpenCV {cv2.__version__} resizes otherwise"
    )
