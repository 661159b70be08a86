"""What each side leaves: a run of its own, which ``bench report`` and ``bench compare`` read like any other.

The cases of both are the same; what a side had otherwise, such as threads of its own, stands in the ``runtime`` of its
results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import contract
from bench import sides as compared
from bench.ab.request import Request
from bench.ab.sides import Side
from bench.accuracy import Network
from bench.costs import costs_of
from bench.host import git_commit, host, versions
from bench.records import Costs, Precision, Result, RunConfig, RunRecord
from bench.results import RESULTS, RUN, ResultsFile, write_atomically
from bench.resume import make_folder
from converters.errors import BadInput
from zoo.download import sha256_of


class SideRun:
    """The run of one side while it is measured: its folder has each result as soon as it is known."""

    def __init__(self, folder: Path, side: Side, request: Request, networks: Mapping[str, Network]) -> None:
        """Begin the run in ``folder``. Raises BadInput where that holds one, or cannot be written."""
        make_folder(folder)
        if (folder / RESULTS).exists():
            raise BadInput(f"--out {folder.parent} holds a comparison already: give another folder")
        self.folder, self.side = folder, side
        self.record = _record(side, request, networks)
        write_atomically(folder / RUN, self.record.model_dump_json(by_alias=True, indent=1) + "\n")
        self.results: list[Result] = []
        self._file = ResultsFile(folder, [])

    def add(self, results: Sequence[Result]) -> None:
        """Write results down."""
        self.results += results
        self._file.add(results)

    def compared(self) -> compared.Side:
        """Return the run as the check takes it."""
        name = f"{self.side.label} ({self.side.spec.text})"
        return compared.Side(name, self.record, {result.case: result for result in self.results}, self.folder)

    def costs(self, network: str) -> Costs | None:
        """Return what a network's file holds on this side; None where it has none."""
        return self.record.costs.get(network, {}).get("fp32")


def _record(side: Side, request: Request, networks: Mapping[str, Network]) -> RunRecord:
    files: dict[str, dict[Precision, Path]] = {}
    models, inputs = {}, {}
    for name, ours in networks.items():
        try:
            network = side.network(ours, fed=False)
        except BadInput:  # the side's cases say so
            continue
        files[name] = {"fp32": network.model}
        models[name] = {"onnx": sha256_of(network.model)}
        inputs[name] = contract.fingerprint(network.spec, network.mean_image)
    costs, uncounted = costs_of(files)
    return RunRecord(
        config=RunConfig(
            networks=tuple(request.cards),
            backends=tuple(request.sources),
            device="cpu",
            precisions=("fp32",),
            data=tuple(f"{split.dataset}:{split.split}" for split in request.splits),
            batches=request.batches,
            threads=(request.threads,),
            limit=request.limit,
            only=None if request.splits else "latency",
            budget=request.budget,
        ),
        host=host(),
        versions=versions(),
        git_commit=side.spec.value if side.spec.kind == "revision" else git_commit(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        models=models,
        costs=costs,
        inputs=inputs,
        notes=(f"side {side.label} of bench ab: {side.spec.text}, {side.about}", *uncounted),
    )
