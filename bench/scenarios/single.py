"""One request after the other: the latency of each batch size of ``--batch``, and once the stages of an inference."""

from __future__ import annotations

from collections.abc import Sequence

from bench import latency, stages
from bench.records import Result, RunConfig
from bench.scenarios import Given
from bench.types import Split


def cases(config: RunConfig, splits: Sequence[Split]) -> list[dict[str, object]]:
    """Return a case for each batch size; it has no scenario, as results had before there were any."""
    return [{"kind": "latency", "batch": batch} for batch in sorted(config.batches)]


def measure(given: Given) -> list[Result]:
    """Measure the cases in turns; at the smallest batch size the stages as well."""
    results = latency.measure(given.cases, given.team, given.network.golden, given.tell, given.config.budget)
    if given.cases[0].batch != min(given.config.batches):
        return results
    given.tell("stages")
    return stages.with_stages(results, given.network, given.team, stages.faces(given.splits))
