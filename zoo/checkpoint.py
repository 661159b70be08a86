"""What a training leaves in its folder after each epoch, so that it can go on from there.

``state.json`` is the log and says how many epochs count; ``state-<epochs>.npz`` holds every variable of then, those of
the optimizer and of the random layers among them. Each file is there whole or not at all.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from converters.errors import BadInput

Log = list[dict[str, float]]

IDENTITY = "training.json"
"""What is trained in a folder: whoever goes on there must mean the same."""


def claim(folder: Path, wanted: Mapping[str, str]) -> None:
    """Note what is trained in ``folder``. Raises BadInput where something else is."""
    path = folder / IDENTITY
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        for key in sorted(found.keys() | wanted.keys()):
            if found.get(key) != wanted.get(key):
                text = f"a training with {key} {found.get(key)} is there, not {wanted.get(key)}"
                raise BadInput(f"{folder}: {text}; give another --out, or remove that folder")
    whole(path, lambda part: part.write_text(json.dumps(wanted, indent=2, sort_keys=True), encoding="utf-8"))


def read_log(folder: Path) -> Log:
    """Return the log of the epochs that count: none in a fresh folder."""
    try:
        log: Log = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return log


def restore(model: Any, log: Log, folder: Path) -> None:
    """Give a compiled model the variables that it had after the last epoch of ``log``."""
    model.optimizer.build(model.trainable_variables)
    with np.load(folder / f"state-{len(log)}.npz") as state:
        for index, variable in enumerate(_variables(model)):
            variable.assign(state[str(index)])


def keep(model: Any, log: Log, folder: Path) -> None:
    """Write the state of this epoch, then say that it counts, then forget the one before."""
    arrays: dict[str, Any] = {str(index): np.asarray(variable) for index, variable in enumerate(_variables(model))}
    whole(folder / f"state-{len(log)}.npz", lambda path: np.savez(path, **arrays))
    whole(folder / "state.json", lambda path: path.write_text(json.dumps(log), encoding="utf-8"))
    (folder / f"state-{len(log) - 1}.npz").unlink(missing_ok=True)
    whole(folder / "log.csv", lambda path: _write_csv(path, log))


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` make a file beside ``path`` and move it there, so that it is there whole or not at all."""
    part = path.with_name(f"part-{path.name}")
    write(part)
    part.replace(path)


def _variables(model: Any) -> list[Any]:
    return [*model.variables, *model.optimizer.variables]


def _write_csv(path: Path, log: Log) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(log[0]))
        writer.writeheader()
        writer.writerows(log)
