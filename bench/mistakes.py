"""The mistakes that are usually made in feeding a network.

They are changes of its input spec: what makes each of them is the very code that feeds the network rightly.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from bench.preprocess import Tensor
from zoo.fields import InputSpec

SHARES = (1.0, 1.4, 1.8)
"""A margin of 0, 0.2 and 0.4 of the face's side all round."""


def mistakes(spec: InputSpec, mean_image: Tensor | None) -> Iterator[tuple[str, InputSpec]]:
    """Yield each usual mistake in feeding ``spec`` that can be made, by its name, then the two most usual together."""
    for name, changes in (*_changes(spec, mean_image), *_two_at_once(spec)):
        yield name, spec.model_copy(update=changes)


def _changes(spec: InputSpec, mean_image: Tensor | None) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from _colours(spec)
    if spec.mean is not None or spec.mean_image is not None:
        yield "mean not subtracted", {"mean": None, "mean_image": None}
    if mean_image is not None:
        means = tuple(float(m) for m in mean_image.mean(axis=(1, 2)))
        yield "each channel's mean instead of the mean image", {"mean": means, "mean_image": None}
    if spec.scale == 1:
        yield "scaled to 0..1", {"scale": 1 / 255, "mean": spec.mean}
    else:
        yield "not scaled", {"scale": 1.0}
    yield from _margins(spec)
    for kernel in ("nearest", "linear", "area", "cubic"):
        if kernel != spec.kernel and not (spec.resizer == "pillow" and kernel == "area"):  # which Pillow does not have
            yield f"resized by {kernel} instead of {spec.kernel}", {"kernel": kernel}
    if spec.resizer == "pillow":
        yield "resized by OpenCV instead of Pillow", {"resizer": "opencv"}
    elif spec.kernel != "area":
        yield "resized by Pillow instead of OpenCV", {"resizer": "pillow"}


def _colours(spec: InputSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    if spec.channels != "GRAY":
        other = "RGB" if spec.channels == "BGR" else "BGR"
        yield f"{other} instead of {spec.channels}", {"channels": other}


def _margins(spec: InputSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    for share in SHARES:
        if share != spec.share:
            crops = tuple(c.model_copy(update={"share": c.share * share / spec.share}) for c in spec.crops)
            yield f"margin {(share - 1) / 2:g} instead of {(spec.share - 1) / 2:g}", {"share": share, "crops": crops}


def _two_at_once(spec: InputSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the two that are made most, colours and margin, together."""
    for (colours, first), (margin, second) in product(_colours(spec), _margins(spec)):
        yield f"{colours}, {margin}", {**first, **second}
