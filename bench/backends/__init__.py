"""One file per backend; the file's name is its name on the command line, and the folder's listing is the registry.

A backend module has

- ``DEVICES``: the devices it may run on, of ``cpu`` and ``cuda``;
- ``version() -> str``: the version of its runtime;
- ``load(model: Path, device: str, threads: int) -> Session``: raises ``Unavailable`` unless it can prove that the
  device is really used.

Importing the module imports its runtime. It runs in a worker, so it imports nothing of ours but ``bench.types``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return every backend that ships with the project, in name order."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def own_name(path: Path) -> str:
    """Return the name under which a backend file of the user's own stands in results: its own, and what is in it."""
    return f"{path.stem}@{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


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
