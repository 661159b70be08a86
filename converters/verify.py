"""How far the outputs of one model are from those of another, and how far they may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadInput

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


def compare(judge: Run, runs: Mapping[str, Run], inputs: Iterable[Mapping[str, Array]]) -> list[Comparison]:
    """Run the judge and each of ``runs`` on each of the inputs; return a row an output and runtime."""
    worst: dict[tuple[str, str], tuple[Difference, bool]] = {}
    for feeds in inputs:
        expected = judge(feeds)
        for runtime, run in runs.items():
            for output, found in differences(expected, run(feeds)).items():
                earlier, ok = worst.get((output, runtime), (Difference(0.0, 0.0), True))
                largest = Difference(max(earlier.max_abs, found.max_abs), max(earlier.max_rel, found.max_rel))
                worst[output, runtime] = largest, ok and close_enough(expected[output], found)
    return [Comparison(output, runtime, found, ok) for (output, runtime), (found, ok) in worst.items()]
