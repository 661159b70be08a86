"""How requests come. One file per scenario; its name is the name on the command line, no registry.

A scenario's module has ``cases(config, splits)``, the fields of each case that a network has in it, and
``measure(given)``, which returns one Result for each of the cases that it is given, in their order. Whatever it times
at some batch size has been compared with the reference at that size before.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from bench.records import Case, Result, RunConfig
from bench.types import Split

if TYPE_CHECKING:
    from bench.accuracy import Network
    from bench.team import Team


@dataclass(frozen=True)
class Given:
    """What a scenario is to measure: cases that differ in their backend alone, and what that takes.

    ``team`` has their workers; ``tell`` is called with what is being done.
    """

    cases: list[Case]
    network: Network
    team: Team
    splits: Sequence[Split]
    config: RunConfig
    tell: Callable[[str], Any]


class ScenarioModule(Protocol):
    """What a module of this package offers."""

    def cases(self, config: RunConfig, splits: Sequence[Split]) -> list[dict[str, object]]:
        """Return the fields of each case beyond network, backend, device, precision and threads."""

    def measure(self, given: Given) -> list[Result]:
        """Measure the cases; what goes wrong is the Result's reason."""


def names() -> tuple[str, ...]:
    """List the scenarios there are, ``single`` first: the files of this folder."""
    found = (file.stem for file in Path(__file__).parent.glob("*.py") if not file.stem.startswith("_"))
    return tuple(sorted(found, key=lambda name: (name != "single", name)))


def named(name: str | None) -> ScenarioModule:
    """Import a scenario; None is ``single``."""
    return cast(ScenarioModule, importlib.import_module(f"{__name__}.{name or 'single'}"))
