"""What a network says of many images: they are prepared, run in batches, and their outputs put together again.

Every batch has the same size, the one whose outputs were compared with the reference: the last is filled up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.detection import Faces, box_of
from bench.preprocess import Box, Image, Left, Tensor, Unreadable, prepare_views, read_image, views
from bench.process import WorkerFailed, WorkerProcess
from bench.types import Feeds, Sample
from zoo.fields import InputSpec

Array = np.ndarray[Any, Any]


def _as_made(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Feeder:
    """How images become a network's inputs, and which of its outputs are read.

    ``faces`` finds the face in each photograph; without it every image is a face. ``after`` is done to each tensor
    (views, channels, height, width) last: nothing, unless a mistake is tried out.
    """

    spec: InputSpec
    outputs: tuple[str, ...]
    mean_image: Tensor | None = None
    faces: Faces | None = None
    after: Callable[[Tensor], Tensor] = _as_made

    def tensors(self, image: Image, box: Box | None = None) -> dict[str, Tensor]:
        """Return the input tensors of an image (H, W, 3), BGR: name -> (views, channels, height, width)."""
        return {name: self.after(t) for name, t in prepare_views(image, self.spec, self.mean_image, box).items()}


def predict(
    worker: WorkerProcess, feeder: Feeder, samples: Sequence[Sample], batch: int, tell: Callable[[str], Any]
) -> tuple[list[Sample], Feeds, list[Left]]:
    """Run every image of ``samples`` in batches of ``batch`` tensors.

    Returns the samples that were read and show a face, the outputs of each (N, ..) by name, and why others are left.
    Raises WorkerFailed for an output that is missing, of another size, or not finite.
    """
    read: list[Sample] = []
    left: list[Left] = []
    parts: list[Feeds] = []
    waiting: list[dict[str, Tensor]] = []
    images = batch // views(feeder.spec)

    def flush() -> None:
        filled = [*waiting, *[waiting[-1]] * (images - len(waiting))]
        _, outputs = worker.ask("predict", {name: np.concatenate([t[name] for t in filled]) for name in filled[0]})
        before = len(read) - len(waiting)
        found = {name: _checked(name, outputs.get(name), batch, before) for name in feeder.outputs}
        parts.append({name: _averaged(output, images)[: len(waiting)] for name, output in found.items()})
        waiting.clear()

    for number, sample in enumerate(samples, 1):
        try:
            image = read_image(sample.path)
            waiting.append(feeder.tensors(image, box_of(feeder.faces, sample.path, image)))
            read.append(sample)
        except Unreadable as error:
            left.append(Left(sample.name, error))
        if len(waiting) == images or (waiting and number == len(samples)):
            flush()
            tell(f"{number}/{len(samples)} images")
    return read, {name: np.concatenate([p[name] for p in parts]) for name in (parts[0] if parts else {})}, left


def _averaged(output: Array, images: int) -> Array:
    """Return the mean (images, ..) over the views of each image of ``output`` (images * views, ..)."""
    if len(output) == images:
        return output
    mean: Array = output.reshape(images, -1, *output.shape[1:]).mean(axis=1, dtype=np.float64)
    return mean


def _checked(name: str, output: Array | None, batch: int, before: int) -> Array:
    """Return ``output`` if it has ``batch`` rows of finite numbers; ``before``: images so far. Raises WorkerFailed."""
    if output is None:
        what = "is missing"
    elif output.ndim < 1 or len(output) != batch:
        what = f"has the shape {output.shape} for a batch of {batch}"
    elif not np.isfinite(output).all():
        what = "holds numbers that are not finite"
    else:
        return output
    raise WorkerFailed(f"output {name!r} {what}, after {before} images: nothing was scored")
