"""Scores of one network on one backend over one split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.datasets import fingerprint
from bench.heads import Prediction, decode, other_groups
from bench.inference import Feeder, predict
from bench.metrics import scores
from bench.parity import Differs, first_run
from bench.preprocess import Tensor
from bench.process import Model, WorkerFailed
from bench.records import Case, Fingerprint, Precision, Result
from bench.team import Team
from bench.types import Sample, Split, Unavailable
from zoo.card import Card
from zoo.fields import Head, InputSpec
from zoo.golden import Golden

LISTED = 20
"""How many unreadable images a result names; the rest are counted."""


@dataclass(frozen=True)
class Network:
    """A built network, and how it is fed and read. ``variants`` are those of its other precisions that are built."""

    name: str
    card: Card
    model: Path
    spec: InputSpec
    golden: Golden
    mean_image: Tensor | None = None
    variants: Mapping[Precision, Path] = field(default_factory=dict)
    sources: Mapping[str, Path] = field(default_factory=dict)
    """its original files, by role"""

    def given(self, case: Case, *, source: bool) -> Model:
        """Return what the backend of ``case`` is to load: the ONNX file, or the original files."""
        if source:
            return {role: str(path) for role, path in self.sources.items()}
        return str(self.file(case.precision))

    def file(self, precision: Precision) -> Path | None:
        """Return its ONNX file of a precision, None where that is not built."""
        return self.model if precision == "fp32" else self.variants.get(precision)


Keep = Callable[[Result, Split, Sequence[Sample], Sequence[tuple[Head, Prediction]]], Any]
"""What keeps the predictions: it is given the result, and what each head said of the faces that were read."""


def _forget(*_: object) -> None:
    pass


def measure(
    case: Case, network: Network, split: Split, team: Team, tell: Callable[[str], Any], keep: Keep = _forget
) -> Result:
    """Score ``network`` on ``split``. What goes wrong is the Result's reason.

    ``team`` has the case's worker; ``tell`` is called with what is being done, ``keep`` with what was predicted.
    """
    print_of_split = Fingerprint(split_sha256=fingerprint(split), n=len(split.samples), label_rule=split.label_rule)
    blank = Result(case=case, status="failed", reason="not measured", fingerprint=print_of_split)
    try:
        with team.turn(case) as opened:
            first = first_run(opened.worker, network.golden, case)
            told = {"parity": first.parity, "placement": first.placement, "strays": first.strays}
            blank = blank.model_copy(update={**told, "runtime": {**opened.runtime, **first.details}})
            read, outputs, unreadable = predict(opened.worker, feeder(network), split.samples, case.batch, tell)
    except Unavailable as error:
        return blank.model_copy(update={"status": "skipped", "reason": str(error)})
    except Differs as error:
        return blank.model_copy(update={"reason": str(error), "parity": error.parity})
    except WorkerFailed as error:
        return blank.model_copy(update={"reason": str(error)})
    if not read:
        return blank.model_copy(update={"reason": f"no image could be read; the first: {unreadable[0]}"})
    try:
        others = other_groups(split.age_groups)
        predicted = [(head, decode(head, outputs[head.output], others)) for head in network.card.heads]
        found = [s for head, said in predicted for s in scores(head, said, read, split.age_groups, len(unreadable))]
    except ValueError as error:  # the card's heads and the network's outputs do not fit
        return blank.model_copy(update={"reason": str(error)})
    noted = {
        "status": "ok",
        "reason": None,
        "scores": tuple(found),
        "warnings": (*first.warnings(), *listed(unreadable, len(split.samples))),
    }
    result = blank.model_copy(update=noted)
    keep(result, split, read, predicted)
    return result


def feeder(network: Network) -> Feeder:
    """Return how a network is fed and which of its outputs are read."""
    return Feeder(network.spec, tuple(head.output for head in network.card.heads), network.mean_image)


def listed(unreadable: Sequence[str], total: int) -> tuple[str, ...]:
    """Return the warning that names the images of ``total`` that could not be read; none where all could."""
    if not unreadable:
        return ()
    more = f"; and {len(unreadable) - LISTED} more" if len(unreadable) > LISTED else ""
    return (f"skipped {len(unreadable)} of {total} images: {'; '.join(unreadable[:LISTED])}{more}",)
