"""Scores of one network on one backend over one split.

Where the images are run is an engine's: in a worker here (``here``), or shared out (`bench.shards`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from bench import backends, detection, inference, preprocess
from bench.cache import Cache
from bench.contract import fingerprint as fed_as
from bench.datasets import fingerprint
from bench.detection import Faces
from bench.heads import Prediction, decode, other_groups
from bench.host import host, versions
from bench.inference import Feeder, Predicted, predict
from bench.metrics import scores
from bench.parity import Differs, FirstRun, first_run
from bench.preprocess import Left, Tensor
from bench.process import Model, WorkerFailed
from bench.records import Case, Fingerprint, Precision, Result
from bench.team import Team
from bench.types import Sample, Split, Unavailable
from zoo import store
from zoo.card import Card
from zoo.download import sha256_of
from zoo.fields import Head, InputSpec
from zoo.golden import Golden

LISTED = 20
"""How many images of a kind, of those that are not scored, a result names; the rest are counted."""


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
    faces: Faces | None = None
    """finds the face in each photograph; without it every image is a face"""

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


@dataclass(frozen=True)
class Ready:
    """A network that is loaded somewhere and whose outputs are those of the reference: only now is it asked."""

    first: FirstRun
    runtime: dict[str, str]
    predict: Callable[[Sequence[Sample], Callable[[str], Any]], Predicted]


Engine = Callable[[Case, Network, Team], AbstractContextManager[Ready]]
"""Loads the network of a case and compares it. Raises Unavailable, Differs or WorkerFailed, also while it is asked."""


@contextmanager
def here(case: Case, network: Network, team: Team, *, cached: bool = False) -> Iterator[Ready]:
    """Run the case's images in its worker of ``team``; ``cached``: what an earlier pass found need not run again."""
    with team.turn(case) as opened:
        first = first_run(opened.worker, network.golden, case)
        runtime = {**opened.runtime, **first.details, **_found_by(network)}
        made_by = {**opened.runtime, **opened.worker.options, **first.details}
        kept: AbstractContextManager[Cache | None] = nullcontext()
        if cached:
            kept = Cache(store.home() / "predictions", _key(case, network, team.model(case), made_by))
        with kept as known:
            ask = partial(predict, opened.worker, feeder(network))

            def run(samples: Sequence[Sample], tell: Callable[[str], Any]) -> Predicted:
                return ask(samples, case.batch, tell, case.threads, known)

            yield Ready(first, runtime, run)


def _key(case: Case, network: Network, model: Model, made_by: Mapping[str, str]) -> dict[str, Any]:
    """Return everything that an image's outputs depend on, but the image."""
    files = model if isinstance(model, dict) else {"onnx": model}
    mean_image = network.mean_image
    return {
        "files": {role: sha256_of(Path(path)) for role, path in files.items()},
        "spec": network.spec.model_dump(mode="json"),
        "mean_image": None if mean_image is None else hashlib.sha256(mean_image.tobytes()).hexdigest(),
        "fed_as": fed_as(network.spec, mean_image),
        "faces": None if network.faces is None else [network.faces.detector.sha256, network.faces.about],
        "outputs": feeder(network).outputs,
        "case": {name: getattr(case, name) for name in ("backend", "device", "precision", "batch", "threads")},
        "made_by": dict(made_by),
        "machine": _machine(),
        "code": _code(),
    }


@cache
def _machine() -> dict[str, str]:
    """Return what stands for the machine and what reads images on it: another CPU has other last digits."""
    readers = {name: version for name, version in versions().items() if name.startswith(("opencv", "numpy"))}
    return {"fingerprint": host()["fingerprint"], **readers}


@cache
def _code() -> str:
    """Return a hash of our own code between a file and its outputs: what is mended here makes no old output right."""
    files = [Path(one.__file__ or "") for one in (inference, preprocess, detection)]
    files += sorted(backends.FOLDER.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _forget(*_: object) -> None:
    pass


def measure(
    case: Case,
    network: Network,
    split: Split,
    team: Team,
    tell: Callable[[str], Any],
    keep: Keep = _forget,
    engine: Engine = here,
) -> Result:
    """Score ``network`` on ``split``. What goes wrong is the Result's reason.

    ``team`` has the case's worker; ``tell`` is called with what is being done, ``keep`` with what was predicted.
    """
    blank = Result(case=case, status="failed", reason="not measured", fingerprint=scored_on(split, network))
    try:
        with engine(case, network, team) as ready:
            first = ready.first
            told = {"parity": first.parity, "placement": first.placement, "strays": first.strays}
            blank = blank.model_copy(update={**told, "runtime": ready.runtime})
            found = ready.predict(split.samples, tell)
    except Unavailable as error:
        return blank.model_copy(update={"status": "skipped", "reason": str(error)})
    except Differs as error:
        return blank.model_copy(update={"reason": str(error), "parity": error.parity})
    except WorkerFailed as error:
        return blank.model_copy(update={"reason": str(error)})
    read, left = found.read, found.left
    if not read:
        return blank.model_copy(update={"reason": f"{_nothing(left)}; the first: {left[0]}"})
    try:
        others = other_groups(split.age_groups)
        predicted = [(head, decode(head, found.outputs[head.output], others)) for head in network.card.heads]
        unscored = (sum(not one.undetected for one in left), sum(one.undetected for one in left))
        all_scores = [s for head, said in predicted for s in scores(head, said, read, split.age_groups, *unscored)]
    except ValueError as error:  # the card's heads and the network's outputs do not fit
        return blank.model_copy(update={"reason": str(error)})
    noted = {
        "status": "ok",
        "reason": None,
        "scores": tuple(all_scores),
        "runtime": ready.runtime | ({} if found.cached is None else {"cached": f"{found.cached} of {len(read)}"}),
        "warnings": (*first.warnings(), *left_out(left, split, network)),
    }
    result = blank.model_copy(update=noted)
    keep(result, split, read, predicted)
    return result


def feeder(network: Network) -> Feeder:
    """Return how a network is fed and which of its outputs are read."""
    return Feeder(network.spec, tuple(head.output for head in network.card.heads), network.mean_image, network.faces)


def scored_on(split: Split, network: Network) -> Fingerprint:
    """Return which images and labels, and which faces in them, a network is scored on."""
    faces = {} if network.faces is None else {"faces": network.faces.name}
    return Fingerprint(split_sha256=fingerprint(split), n=len(split.samples), label_rule=split.label_rule, **faces)


def left_out(left: Sequence[Left], split: Split, network: Network) -> tuple[str, ...]:
    """Return a warning for each kind of image that is not scored, and one for photos with a choice of faces."""
    unreadable = [str(one) for one in left if not one.undetected]
    undetected = [one.name for one in left if one.undetected]
    several = [] if network.faces is None else network.faces.several(split.samples)
    total = f"of {len(split.samples)} images"
    told = [
        (unreadable, f"skipped {len(unreadable)} {total}: "),
        (undetected, f"skipped {len(undetected)} {total}, no face found: "),
        (several, f"several faces in {len(several)} {total}, the largest counts: "),
    ]
    return tuple(f"{words}{_listed(names)}" for names, words in told if names)


def _listed(names: Sequence[str]) -> str:
    more = f"; and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{'; '.join(names[:LISTED])}{more}"


def _nothing(left: Sequence[Left]) -> str:
    return "no face was found" if all(one.undetected for one in left) else "no image could be read"


def _found_by(network: Network) -> dict[str, str]:
    return {} if network.faces is None else {"faces": network.faces.about}
