"""The mistakes that are usually made in feeding a network.

They are changes of its input spec, so each is fed by the very code that feeds it rightly; handing over NHWC bytes as
NCHW is the one that no spec can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from bench import accuracy
from bench.accuracy import Network
from bench.inference import Feeder
from bench.preprocess import Tensor
from zoo.fields import InputSpec

RIGHT = "as its card says"
SHARES = (1.0, 1.4, 1.8)
"""A margin of 0, 0.2 and 0.4 of the face's side all round."""


def feeders(network: Network) -> Iterator[tuple[str, Feeder]]:
    """Yield the right way of feeding a network, then each usual mistake by its name, as far as it can be made."""
    right = accuracy.feeder(network)
    spec, mean_image = network.spec, network.mean_image
    yield RIGHT, right
    for name, changes in _changes(spec, mean_image):
        changed = spec.model_copy(update=changes)
        yield name, replace(right, spec=changed, mean_image=mean_image if changed.mean_image else None)
    for name, changes in _two_at_once(spec):
        yield name, replace(right, spec=spec.model_copy(update=changes))
    yield "NHWC handed over as NCHW", replace(right, after=_interleaved)


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
    for kernel in ("nearest", "area", "cubic"):
        yield f"resized by {kernel} instead of {spec.kernel}", {"kernel": kernel}
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


def _interleaved(tensor: Tensor) -> Tensor:
    """Return what a network sees of (V, C, H, W) when the bytes of (V, H, W, C) are handed over in that shape."""
    return np.ascontiguousarray(tensor.transpose(0, 2, 3, 1)).reshape(tensor.shape)
