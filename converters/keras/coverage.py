"""What the Keras converter covers, as a table: made from the layer files themselves, like the Caffe converter's.

``python -m converters layers keras`` prints it; ``docs/keras-layers.md`` is its output.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import ModuleType

from converters.coverage import first_sentence, unsupported
from converters.keras.kind import Convert, kinds

HEAD = """# Keras layers

Made by `python -m converters layers keras`; a test keeps it true. What each layer file says of itself:

- **becomes**: the ONNX operators, and why these. Activations, `use_bias` and the like are those of Keras.
- **cases**: how many of each Keras itself is asked about. Every case is saved by Keras as `.h5` and as `.keras`, and
  runs in ONNX Runtime and OpenCV, within 1e-5 at batch 1, 3 and 8; what a runtime cannot run stands below.
- `ops.Add` and so on are the operations that Keras 3 saves for `x + 1` in a Functional model.

A layer that is not here, and Keras's `Lambda`, is refused in one line (`Unsupported`). `--via tf2onnx` takes other
layers; code in a file is run by neither road.

"""
REFUSED = """

## What is refused

Keras can do these; the converter says so in one line instead of guessing. `..` depends on the network.

"""
GAPS = """

## What a runtime cannot run

The tests expect these to fail, and fail when one no longer does. ONNX Runtime runs everything.

| runtime | case | why: the runtime .. |
|---|---|---|
"""


def families() -> Iterator[tuple[ModuleType, dict[Convert, list[str]]]]:
    """Yield each layer file with its converters, and the classes of layers that each is for."""
    for name in sorted({kind.convert.__module__ for kind in kinds().values()}):
        found: dict[Convert, list[str]] = {}
        for type_name, kind in kinds().items():
            if kind.convert.__module__ == name:
                found.setdefault(kind.convert, []).append(type_name)
        yield sys.modules[name], found


def markdown() -> str:
    """Return the whole page."""
    rows, refused, gaps = ["| layers | becomes | cases |", "|---|---|---|"], [], []
    for module, converters in families():
        asked = [_key(case[0]) for case in module.CASES]
        for convert, names in converters.items():
            count = sum(asked.count(_key(name)) for name in names)
            shown = ", ".join(f"`{name}`" for name in names)
            said = first_sentence(inspect.getdoc(convert) or "").replace("``", "`")
            rows.append(f"| {shown} | {said} | {count or ''} |")
        family = module.__name__.rpartition(".")[2]
        refused += [f"- {family}: {line}" for line in dict.fromkeys(unsupported(module))]
        for runtime, version, part, why in getattr(module, "GAPS", ()):
            title = {"opencv": "OpenCV", "onnxruntime": "ONNX Runtime"}[runtime]
            gaps.append(f"| {title} {version} | {f'`{part}`' if part else f'all of {family}'} | {why} |")
    return HEAD + "\n".join(rows) + REFUSED + "\n".join(refused) + (GAPS + "\n".join(gaps) if gaps else "") + "\n"


def _key(name: str) -> str:
    """Return a name without what tells a class from a function: ``ops.GetItem`` and ``ops.get_item`` are one."""
    return name.replace("_", "").lower()
