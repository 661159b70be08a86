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
SMALLEST_PROBABILITY = 0.01
"""What the largest of some probabilities is at least: with 100 classes or fewer one has so much."""


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
    """Whether an output may pass: probabilities within 1e-5, others within 1e-4 of the largest.

    Numbers that all lie within 0 and 1 are probabilities, unless even the largest is small.
    """
    if np.all((expected >= 0) & (expected <= 1)) and expected.max(initial=0) > SMALLEST_PROBABILITY:
        return difference.max_abs <= PROBABILITY_TOLERANCE
    return difference.max_rel <= RELATIVE_TOLERANCE


def seeded_inputs(shapes: Mapping[str, Sequence[int]], batch: int, largest: float = 128) -> dict[str, Array]:
    """Return inputs like pixels less their mean: float32, even up to ``largest`` either way, the same on each call."""
    generator = np.random.default_rng(batch)
    found = {name: generator.uniform(-largest, largest, (batch, *shape[1:])) for name, shape in shapes.items()}
    return {name: values.astype(np.float32) for name, values in found.items()}


def compare(
    judge: Run,
    runs: Mapping[str, Run],
    inputs: Iterable[Mapping[str, Array]],
    passes: Callable[[Array, Difference], bool] = close_enough,
) -> list[Comparison]:
    """Run the judge and each of ``runs`` on each of the inputs; return a row an output and runtime.

    ``passes`` says whether an output may be so far from what the judge has.
    Where the judge itself has numbers that are not finite there is nothing to compare; an output that never has finite
    ones does not pass.
    """
    worst: dict[tuple[str, str], tuple[Difference, bool]] = {}
    outputs: list[str] = []
    for feeds in inputs:
        judged = judge(feeds)
        outputs = list(judged)
        expected = {name: value for name, value in judged.items() if np.isfinite(value).all()}
        for runtime, run in runs.items():
            for output, found in differences(expected, run(feeds)).items():
                earlier, ok = worst.get((output, runtime), (Difference(0.0, 0.0), True))
                largest = Difference(max(earlier.max_abs, found.max_abs), max(earlier.max_rel, found.max_rel))
                worst[output, runtime] = largest, ok and passes(expected[output], found)
    never = Difference(math.inf, math.inf), False
    return [Comparison(name, runtime, *worst.get((name, runtime), never)) for runtime in runs for name in outputs]
