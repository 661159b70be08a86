"""Scores of a network that takes features instead of a face: a bare lean network, on the ``features`` data set.

No card describes such a network's input, so it is no case of a run: one call from Python scores one ONNX file on one
tap. ``docs/usage.md`` has an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.heads import decode
from bench.host import usable_cpus
from bench.metrics import scores
from bench.process import WorkerFailed, open_worker
from bench.records import Score
from bench.types import Feeds, Split
from converters.errors import BadInput
from zoo import graph
from zoo.fields import Head

BATCH = 256


def score(model: Path, heads: Sequence[Head], split: Split, tap: str, backend: str = "onnxruntime") -> list[Score]:
    """Score ``heads`` of the ONNX file ``model``, whose one input is (N, F), on the features of ``tap`` in ``split``.

    Runs in a worker of its own on the CPU. Raises BadInput where tap, sizes, outputs and heads do not fit, or where the
    backend fails.
    """
    taps = sorted({name for sample in split.samples for name in sample.features})
    if tap not in taps:
        raise BadInput(f"{split.dataset}:{split.split} has no tap {tap!r}; there are: {', '.join(taps) or 'none'}")
    rows = np.stack([sample.features[tap] for sample in split.samples])
    name = _input(model, rows.shape[1], tap)
    try:
        with open_worker(backend, "cpu", len(usable_cpus())) as worker:
            worker.ask("load", model=str(model))
            parts = [
                worker.ask("predict", {name: rows[first : first + BATCH]})[1] for first in range(0, len(rows), BATCH)
            ]
    except WorkerFailed as error:
        raise BadInput(f"{model}: {error}") from error
    outputs: Feeds = {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}
    found = []
    for head in heads:
        if head.output not in outputs:
            raise BadInput(f"{model}: no output {head.output!r}; there are: {', '.join(outputs)}")
        try:
            found += scores(head, decode(head, outputs[head.output]), split.samples)
        except ValueError as error:
            raise BadInput(f"{model}: {error}") from error
    return found


def _input(model: Path, size: int, tap: str) -> str:
    """Return the name of the only input. Raises BadInput unless it takes ``size`` features."""
    found = graph.inputs(graph.read(model))
    shapes = {i.name: [d.dim_value or d.dim_param for d in i.type.tensor_type.shape.dim] for i in found}
    if len(shapes) != 1 or [shape[1:] for shape in shapes.values()] != [[size]]:
        raise BadInput(
            f"{model}: takes {shapes}; {tap} has {size} features a face: give a network of one input (N, {size})"
        )
    return next(iter(shapes))
