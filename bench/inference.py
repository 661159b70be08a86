"""What a network says of many images: they are prepared ahead, run in batches, and their outputs put together again.

Every batch has the same size, the one whose outputs were compared with the reference, and the same place in the split
whoever runs it: what cannot be read leaves a gap that is filled up, it does not move the images after it into another
batch. So a pass that was broken off, or was shared out, runs the very batches of an unbroken one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from bench.ahead import cpus_left, decoders, in_order
from bench.cache import Cache
from bench.detection import Faces, box_of
from bench.preprocess import Box, Image, Left, Tensor, Unreadable, image_of, prepare_views, read_file, views
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


@dataclass(frozen=True)
class Predicted:
    """The samples that were read and show a face, the outputs of each (N, ..) by name, and why others are left.

    ``cached``: of how many the outputs were known from an earlier pass; None where nobody looked.
    """

    read: list[Sample]
    outputs: Feeds
    left: list[Left]
    cached: int | None = None


def predict(
    worker: WorkerProcess,
    feeder: Feeder,
    samples: Sequence[Sample],
    batch: int,
    tell: Callable[[str], Any],
    threads: int = 1,
    cache: Cache | None = None,
) -> Predicted:
    """Run every image of ``samples`` in batches of ``batch`` tensors, while the next ones are decoded and prepared.

    ``threads`` are the worker's: decoding has the CPUs that they leave. A batch that ``cache`` knows whole is not run.
    Raises WorkerFailed for an output that is missing, of another size, or not finite.
    """
    images = batch // views(feeder.spec)
    batches = (samples[first : first + images] for first in range(0, len(samples), images))
    read, left, parts, cached, seen = list[Sample](), list[Left](), list[Feeds](), 0, 0
    cpus = cpus_left(threads)
    work = partial(_prepared, feeder, cache, images)
    with decoders(cpus) as pool, closing(in_order(batches, work, pool, 1 + (len(cpus) or 1))) as prepared:
        for one in prepared:
            left += one.left
            if one.known is not None:
                parts.append(one.known)
                cached += len(one.read)
            elif one.read:
                parts.append(_inferred(worker, feeder, one, batch, len(read)))
                if cache is not None:
                    cache.put(one.images, parts[-1])
            read += one.read
            seen += len(one.read) + len(one.left)
            tell(f"{seen}/{len(samples)} images")
    return Predicted(read, together_again(parts), left, None if cache is None else cached)


def together_again(parts: Sequence[Feeds]) -> Feeds:
    """Put the outputs of several parts of a split behind one another. Raises WorkerFailed where their shapes differ."""
    if not parts:
        return {}
    for part in parts[1:]:
        for name, output in part.items():
            if output.shape[1:] != parts[0][name].shape[1:]:
                shapes = f"{parts[0][name].shape[1:]} and {output.shape[1:]}"
                raise WorkerFailed(f"output {name!r} has the shapes {shapes} for a face: nothing was scored")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class _Prepared:
    """A batch, ready for the network, or its outputs if all of them are known. ``images``: the sha256 of each read."""

    read: list[Sample]
    images: list[bytes]
    left: list[Left]
    feeds: Feeds = field(default_factory=dict)
    known: Feeds | None = None


def _prepared(feeder: Feeder, cache: Cache | None, images: int, samples: Sequence[Sample]) -> _Prepared:
    """Read and prepare the images of a batch, and fill it up to ``images`` with the last of them.

    With an image that is not known it is run whole, as it would be without a cache.
    """
    read, files, left = list[tuple[Sample, bytes]](), list[bytes](), list[Left]()
    known, tensors = list[Feeds](), dict[int, Feeds]()
    for sample in samples:
        try:
            data = read_file(sample.path)
            image = hashlib.sha256(data).digest() if cache is not None else b""
            outputs = cache.get(image) if cache is not None else None
            if outputs is None:
                tensors[len(read)] = _of_face(feeder, sample, data)
            else:
                known.append(outputs)
        except Unreadable as error:
            left.append(Left(sample.name, error))
            continue
        read.append((sample, image))
        files.append(data)
    done = _Prepared([sample for sample, _ in read], [image for _, image in read], left)
    if not tensors:
        stacked = {name: np.stack([one[name] for one in known]) for name in feeder.outputs} if known else None
        return replace(done, known=stacked)
    made = [tensors.get(n) or _of_face(feeder, read[n][0], data) for n, data in enumerate(files)]
    filled = [*made, *[made[-1]] * (images - len(made))]
    return replace(done, feeds={name: np.concatenate([one[name] for one in filled]) for name in made[0]})


def _of_face(feeder: Feeder, sample: Sample, data: bytes) -> Feeds:
    image = image_of(sample.path, data)
    return feeder.tensors(image, box_of(feeder.faces, sample.path, image))


def _inferred(worker: WorkerProcess, feeder: Feeder, prepared: _Prepared, batch: int, before: int) -> Feeds:
    outputs = infer(worker, feeder, prepared.feeds, batch, before)
    return {name: output[: len(prepared.read)] for name, output in outputs.items()}


def infer(worker: WorkerProcess, feeder: Feeder, feeds: Feeds, batch: int, before: int = 0) -> Feeds:
    """Return the outputs (images, ..) of a batch of tensors, of several views of an image their mean.

    ``before``: images so far, for the error. Raises WorkerFailed for an output that is missing, of another size, or not
    finite.
    """
    _, outputs = worker.ask("predict", feeds)
    images = batch // views(feeder.spec)
    found = {name: _checked(name, outputs.get(name), batch, before) for name in feeder.outputs}
    return {name: _averaged(output, images) for name, output in found.items()}


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
