"""What the converter covers, as a table: made from the layer files themselves, so that it cannot say anything else.

``python -m converters layers`` prints it; ``docs/caffe-layers.md`` is its output.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType

from converters.caffe.kind import Kind, kinds
from converters.caffe.messages import Parameter
from converters.coverage import first_sentence, unsupported

IGNORED = ("Filler", "engine", "stable_prod_grad", "force_nd_im2col")
"""Fields that change nothing at TEST."""

HEAD = """# Caffe layers

Made by `python -m converters layers`; a test keeps it true. What each layer file says of itself:

- **becomes**: the ONNX operators, and why these.
- **judge**: who knows the right answers. *Caffe* is Caffe 1.0 itself. Layers of forks, which it lacks, are judged by
  OpenCV 4's Caffe importer where it has them, and else by numpy, written down a second time.
- Every case runs in numpy, ONNX Runtime, OpenCV 5 (new engine) and OpenCV 4, within 1e-4 relative and 1e-5 absolute, at
  the file's batch size and at 1 and 5; what a runtime cannot run stands below.

"""

REFUSED = """

## What is refused

Caffe can do these; the converter says so in one line (`Unsupported`) instead of guessing. `..` depends on the network.

"""

GAPS = """

## What a runtime cannot run

The tests expect these to fail, and fail when one no longer does. ONNX Runtime runs everything.

| runtime | layer | where | why: the runtime .. |
|---|---|---|---|
| OpenCV 4 | any | a blob of one axis, or none | makes (N, 1) or (1, N) of (N,) |
| OpenCV 4 | any | an input of two axes beside one of four | loses the shapes of other blobs |
| OpenCV 4 | `DetectionOutput` | everywhere | has no NonMaxSuppression |
| OpenCV 5 | `DetectionOutput` | `confidence_threshold` below 0, or none | refuses it |
"""


def families() -> Iterator[tuple[ModuleType, list[Kind]]]:
    """Yield each layer file with the layer types that it has."""
    for name in sorted({kind.convert.__module__ for kind in kinds().values()}):
        yield sys.modules[name], [kind for kind in kinds().values() if kind.convert.__module__ == name]


def markdown() -> str:
    """Return the whole page."""
    rows = ["| layer | parameters | becomes | cases | judge |", "|---|---|---|---|---|"]
    refused, gaps = [], []
    for module, found in families():
        kind = found[0]
        names = sorted(
            {name for name, other in kinds().items() if other in found}, key=lambda name: (name != kind.name, name)
        )
        cases = str(len(module.CASES) or "in networks")
        judge, said = getattr(module, "JUDGE", "Caffe"), first_sentence(inspect.getdoc(kind.convert) or "")
        cells = ("", "nothing: dropped", "", "") if kind.dropped else (fields(kind.parameter), said, cases, judge)
        rows.append(f"| {_code(names)} | {' | '.join(cells)} |".replace("``", "`"))
        refused += [f"- `{kind.name}`: {line}" for line in unsupported(module)]
        for runtime, version, part, why in getattr(module, "GAPS", ()):
            title = {"opencv": "OpenCV", "onnxruntime": "ONNX Runtime"}[runtime]
            gaps.append(f"| {title} {version} | `{kind.name}` | {f'`{part}`' if part else 'everywhere'} | {why} |")
    return HEAD + "\n".join(rows) + REFUSED + "\n".join(refused) + GAPS + "\n".join(gaps) + "\n"


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def fields(parameter: Parameter | None) -> str:
    """Return the names of a block's fields, without those that change nothing at TEST."""
    if parameter is None:
        return ""
    rows = [row.split("=")[0].split() for row in parameter.table.replace(";", "\n").split("\n") if row.strip()]
    return _code(row[2] for row in rows if not any(word in " ".join(row) for word in IGNORED))
