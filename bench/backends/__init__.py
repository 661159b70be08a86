"""One file per backend; the file's name is its name on the command line, and the folder's listing is the registry.

A backend module has

- ``DEVICES``: the devices it may run on, of ``cpu`` and ``cuda``;
- ``version() -> str``: imports its runtime and returns its version;
- ``load(model, device, threads, **options) -> Session``: raises ``Unavailable`` unless it can prove that the device is
  really used;

and may have

- ``NEEDS``: the packages that must be installed where it runs, as requirements (``"opencv-python-headless>=4.10,<5"``;
  ``"onnxruntime | onnxruntime-gpu"`` for either). It runs in the environment of the harness where that has them, else
  in one of those that ``bench env create`` made (`bench.environments`);
- ``OPTIONS``: by name the values that an option may have, the first of them its default (``--option NAME=VALUE``);
- ``READS = "source"`` if it takes a network's original files instead of its ONNX file. ``model`` is then a mapping from
  role to path, and ``NEEDS`` one from the formats that it reads (`zoo.formats`) to what each needs;
- ``REMEDIES``: by device the one thing to do where it is not usable, for ``bench doctor``;
- ``LISTED = False`` if ``--backend all`` leaves it out.

Importing the module must not import its runtime: the harness reads the above from it. What runs, runs in a worker, so
it imports nothing of ours but ``bench.types``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Literal

FOLDER = Path(__file__).parent

ANY = "*"
"""The format of a backend that runs ONNX files: every network has one."""


@dataclass(frozen=True)
class Declared:
    """What a backend says of itself: what it can run on, what it needs for each format, and its options."""

    devices: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    options: Mapping[str, tuple[str, ...]]
    reads: Literal["onnx", "source"]
    remedies: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    """the backend whose ``load`` it has: its own name, or that of the one that it took it from"""

    def needs_for(self, form: str) -> tuple[str, ...] | None:
        """Return what it needs to run a network of the format ``form``; None if it cannot."""
        return self.needs.get(ANY, self.needs.get(form))


def names(*, listed: bool = False) -> list[str]:
    """Return every backend that ships with the project, in name order; ``listed``: those that ``all`` stands for."""
    found = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    return [name for name in found if not listed or getattr(import_backend(name), "LISTED", True)]


def own_name(path: Path) -> str:
    """Return the name under which a backend file of the user's own stands in results: its own, and what is in it."""
    return f"{path.stem}@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def declared(name: str) -> Declared:
    """Return what a backend, by its name or the path of its file, says of itself."""
    module = import_backend(name)
    needs = getattr(module, "NEEDS", ())
    return Declared(
        devices=tuple(module.DEVICES),
        needs=dict(needs) if isinstance(needs, Mapping) else {ANY: tuple(needs)},
        options=dict(getattr(module, "OPTIONS", {})),
        reads=getattr(module, "READS", "onnx"),
        remedies=dict(getattr(module, "REMEDIES", {})),
        code=getattr(getattr(module, "load", None), "__module__", "").rpartition(".")[2],
    )


def import_backend(name: str) -> ModuleType:
    """Import a backend by name, or by the path of a Python file of the user's own."""
    if not name.endswith(".py"):
        return importlib.import_module(f"bench.backends.{name}")
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
