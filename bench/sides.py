"""A run to be held against another: the ``--out`` folder of a run, or a baseline file.

A folder has what was predicted of each face, so its scores can be compared in pairs; a file has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import baselines, predictions
from bench.predictions import Predictions
from bench.records import Case, Result, RunRecord
from bench.results import read_results, read_run
from converters.errors import BadInput


@dataclass(frozen=True)
class Side:
    """One run. ``name`` is what it is called in words; ``folder`` is None where it is a file."""

    name: str
    run: RunRecord
    results: Mapping[Case, Result]
    folder: Path | None = None
    faces: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """the faces that its predictions are of, by their hash: they are read once"""

    def predicted(self, result: Result) -> Predictions | None:
        """Read what was predicted in a case; None where nothing was kept. Raises BadInput for a broken file."""
        return None if self.folder is None else predictions.read(self.folder, result, self.faces)

    def ok(self) -> dict[Case, Result]:
        """Return the results that are numbers."""
        return {case: result for case, result in self.results.items() if result.status == "ok"}


def read(path: Path) -> Side:
    """Read a folder or a baseline file. Raises BadInput for what is neither, or holds no result."""
    if path.is_dir():
        run, results, folder = read_run(path), read_results(path), path
        if not results:
            raise BadInput(f"{path}: the run there has no results yet: python -m bench run --out {path} --resume")
        return Side(str(path), run, {result.case: result for result in results}, folder)
    run, results = baselines.read(path)
    return Side(str(path), run, {result.case: result for result in results})
