"""What a recipe learns from: faces, moved at random anew in each epoch, or features of them, computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import Unsupported
from zoo import faces
from zoo.augmentation import moved
from zoo.fields import InputSpec
from zoo.recipes import Recipe

Array = np.ndarray[Any, Any]
Inputs = Callable[[Array, "np.random.Generator | None"], Array]


@dataclass(frozen=True)
class Examples:
    """The faces of a split that take part: ``chosen`` are their places, ``answers`` what each output shall say of all.

    ``inputs(places, generator)`` makes the network's input of some; without a generator nothing is moved.
    """

    chosen: Array
    answers: Mapping[str, Array]
    inputs: Inputs
    fingerprint: str


def load(recipe: Recipe, spec: InputSpec, data: str, split: str, folder: Path, backbone: Path | None) -> Examples:
    """Read the faces of a split, and with a ``backbone`` their features, which are kept in ``folder``.

    A network of features has a recipe with a ``TAP``; ``spec`` is then how the backbone is fed. Raises Unsupported for
    a ``spec`` of anything but the whole face in one tensor.
    """
    if spec.share != 1 or spec.crops or spec.mean_image:
        raise Unsupported(
            "a recipe learns from the whole face in one tensor: no share, crops or mean image on its card"
        )
    found = faces.load(data, split, spec)
    answers, kept = recipe.targets(found.ages, found.genders)
    inputs = _pictures(recipe, spec, found) if backbone is None else _features(recipe, spec, found, folder, backbone)
    return Examples(np.flatnonzero(kept), answers, inputs, found.fingerprint)


def _pictures(recipe: Recipe, spec: InputSpec, found: faces.Faces) -> Inputs:
    def inputs(places: Array, generator: np.random.Generator | None) -> Array:
        images = found.images[places]
        if generator is not None:
            images = np.stack([moved(image, recipe.AUGMENTATION, generator) for image in images])
        return faces.tensors(images, spec)[spec.name].transpose(0, 2, 3, 1)

    return inputs


def _features(recipe: Any, spec: InputSpec, found: faces.Faces, folder: Path, backbone: Path) -> Inputs:
    from zoo.features import views

    seen = views(backbone, recipe.TAP, spec, found, recipe.VIEWS, folder)

    def inputs(places: Array, generator: np.random.Generator | None) -> Array:
        if generator is None:
            return seen[0][places].astype(np.float32)
        drawn = generator.integers(len(seen), size=len(places))
        return np.stack([seen[view][place] for view, place in zip(drawn, places, strict=True)]).astype(np.float32)

    return inputs
