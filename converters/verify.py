"""Whether a converted model gives what its source gives, on every runtime that is here.

A Caffe source is judged by its layers in numpy, in double precision, which the tests hold against Caffe itself. OpenCV
4 reads Caffe too and is asked as a witness; it decides nothing, since it reads some fields wrongly (``lrn_param.k``,
``transpose``, ``pad_w`` without ``pad_h``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadInput

if TYPE_CHECKING:
    from converters.caffe.net import Net

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], Mapping[str, Array]]

PROBABILITY_TOLERANCE = 1e-5
RELATIVE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Difference:
    """How far one output is from the reference.

    ``max_rel`` is the largest difference over the largest magnitude in the reference. Both are infinite when shapes
    differ or a number is not finite.
    """

    max_abs: float
    max_rel: float


@dataclass(frozen=True)
class Comparison:
    """The largest difference of one output over all batch sizes. ``ok`` is None for a witness: it decides nothing."""

    output: str
    runtime: str
    difference: Difference
    ok: bool | None


def differences(reference: Mapping[str, Array], other: Mapping[str, Array]) -> dict[str, Difference]:
    """Compare the outputs of one run with those of another, by name; ``reference`` names the outputs.

    Raises BadInput when ``other`` lacks one.
    """
    found = {}
    for name, expected in reference.items():
        if name not in other:
            raise BadInput(f"output {name!r} is missing; there are: {', '.join(other)}")
        found[name] = _difference(expected, other[name])
    return found


def _difference(expected: Array, given: Array) -> Difference:
    if expected.shape != given.shape or not np.all(np.isfinite(given)) or not np.all(np.isfinite(expected)):
        return Difference(math.inf, math.inf)
    if expected.size == 0:
        return Difference(0.0, 0.0)
    largest = float(np.abs(given.astype(np.float64) - expected).max())
    magnitude = float(np.abs(expected).max())
    return Difference(largest, largest / magnitude if magnitude else math.inf if largest else 0.0)


def close_enough(expected: Array, difference: Difference) -> bool:
    """Whether an output may pass: probabilities (all within 0 and 1) within 1e-5, others within 1e-4 of the largest."""
    if np.all((expected >= 0) & (expected <= 1)):
        return difference.max_abs <= PROBABILITY_TOLERANCE
    return difference.max_rel <= RELATIVE_TOLERANCE


def seeded_inputs(shapes: Mapping[str, Sequence[int]], batch: int) -> dict[str, Array]:
    """Return inputs like pixels less their mean: float32, evenly between -128 and 128, the same on each call."""
    generator = np.random.default_rng(batch)
    return {n: generator.uniform(-128, 128, (batch, *shape[1:])).astype(np.float32) for n, shape in shapes.items()}


def compare(
    judge: Run, shapes: Mapping[str, Sequence[int]], runs: Mapping[str, Run], batches: Sequence[int] = (1, 3)
) -> list[Comparison]:
    """Run the judge and each of ``runs`` on seeded inputs of each batch size; return a row an output and runtime."""
    worst: dict[tuple[str, str], tuple[Difference, bool]] = {}
    for batch in batches:
        feeds = seeded_inputs(shapes, batch)
        expected = judge(feeds)
        for runtime, run in runs.items():
            for output, found in differences(expected, run(feeds)).items():
                earlier, ok = worst.get((output, runtime), (Difference(0.0, 0.0), True))
                largest = Difference(max(earlier.max_abs, found.max_abs), max(earlier.max_rel, found.max_rel))
                worst[output, runtime] = largest, ok and close_enough(expected[output], found)
    return [Comparison(output, runtime, found, ok) for (output, runtime), (found, ok) in worst.items()]


def verify_caffe(net: Net, model: bytes, prototxt: Path, caffemodel: Path | None) -> list[Comparison]:
    """Compare a converted network with its source on every runtime that is installed, at batch 1 and 3.

    Raises BadInput when there is no runtime.
    """
    from converters.caffe.reference import run as run_layers
    from converters.runtimes import RUNTIMES, available

    def judge(feeds: Mapping[str, Array]) -> dict[str, Array]:
        blobs = run_layers(net, feeds)
        return {name: blobs[name].astype(np.float32) for name in net.outputs}

    def on(name: str) -> Run:
        return lambda feeds: RUNTIMES[name](model, feeds)

    versions = {name: version for name, version in available().items() if not version.startswith("not installed")}
    if not versions:
        raise BadInput(f"no runtime to verify on; install one of: {', '.join(RUNTIMES)}")
    rows = compare(judge, net.inputs, {f"{name} {version}": on(name) for name, version in versions.items()})
    return rows + _second_witness(judge, net, prototxt, caffemodel)


def _second_witness(judge: Run, net: Net, prototxt: Path, caffemodel: Path | None) -> list[Comparison]:
    """Compare with OpenCV's own Caffe importer, where the installed OpenCV has one that takes the network."""
    try:
        import cv2
    except ImportError:
        return []
    reader: Any = getattr(cv2.dnn, "readNetFromCaffe", None)  # OpenCV 5 has none
    if caffemodel is None or reader is None:
        return []
    makers = {top: op.name for op in net.layers for top in op.tops}

    def read_by_opencv(feeds: Mapping[str, Array]) -> dict[str, Array]:
        opencv: Any = reader(str(prototxt), str(caffemodel))
        for name, feed in feeds.items():
            opencv.setInput(feed, name)
        outputs = opencv.forward([makers[name] for name in net.outputs])
        return dict(zip(net.outputs, outputs, strict=True))

    try:
        rows = compare(judge, net.inputs, {f"opencv {cv2.__version__} reading Caffe (a witness)": read_by_opencv})
    except cv2.error:  # it refuses networks that Caffe takes
        return []
    return [Comparison(row.output, row.runtime, row.difference, None) for row in rows]
