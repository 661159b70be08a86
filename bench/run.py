"""A run: every planned case, one after the other, each ending as one Result on disk.

Networks are fetched and built before anything is timed; one that cannot be had takes its own cases with it, no others.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

from bench import accuracy, contract, detection, predictions, roofline, scenarios, shards
from bench.accuracy import Engine, Network
from bench.costs import costs_of
from bench.detection import Faces
from bench.host import git_commit, host, versions
from bench.plan import Planned
from bench.process import Model, Start
from bench.progress import Display, short
from bench.records import Case, Precision, Result, RunConfig, RunRecord
from bench.results import RUN, ResultsFile, read_results, write_atomically
from bench.resume import earlier, make_folder, refuse_another, side_by_side, standing
from bench.stopping import terminable, uninterrupted
from bench.team import Team
from bench.types import Split
from converters.caffe.weights import read_mean
from converters.errors import BAD_INPUT, CHECK_FAILED, DONE, INTERRUPTED, BadInput
from zoo.build_command import build_all
from zoo.card import Card
from zoo.download import Unreachable, sha256_of
from zoo.golden import load as load_golden
from zoo.lock import alone
from zoo.parallel import cores
from zoo.store import fetch_graph, fetch_weights
from zoo.variants import VARIANTS, built, calibration_of


@dataclass(frozen=True)
class Missing:
    """A network that could not be built: its cases are skipped where it is out of reach, failed where it is wrong."""

    status: Literal["skipped", "failed"]
    reason: str


@dataclass(frozen=True)
class Request:
    """Everything a run needs, resolved.

    ``start`` starts the worker of a case; ``readers`` are the backends that read a network's original files; ``engine``
    is where the accuracy pass runs (`bench.shards`), ``cached`` whether it takes what an earlier one found.
    """

    config: RunConfig
    cards: Mapping[str, Card]
    planned: Sequence[Planned]
    splits: Sequence[Split]
    start: Start
    readers: frozenset[str]
    out: Path
    resume: bool
    mirror: Path | None
    notes: tuple[str, ...] = ()
    engine: str = "local"
    cached: bool = True


def run(request: Request) -> int:
    """Measure every planned case and leave ``run.json`` and ``results.jsonl`` in ``request.out``.

    Returns the exit code: 0; 1 when a case failed; 2 when a network's files are wrong, or nothing at all was measured;
    130 after Ctrl-C or SIGTERM, when the cases not yet run are skipped with that reason.
    Raises BadInput when ``out`` cannot be used.
    """
    make_folder(request.out)
    with (
        alone(request.out / ".lock", "is measuring into this folder", wait=False),
        shards.engine(request.engine, cached=request.cached) as engine,
    ):
        return _run(request, engine)


def _run(request: Request, engine: Engine) -> int:
    before = earlier(request.out, resume=request.resume)
    if before is not None:
        refuse_another(request.out, before, _record(request, {}))
    faces = detection.opened(request.config.faces, request.mirror)
    found = networks_of(request.cards, request.mirror, request.config.precisions)
    networks = {name: seen_by(faces, network) for name, network in found.items()}
    record, kept = _record(request, networks), list[Result]()
    if before is not None:
        refuse_another(request.out, before, record)
        known = {key: {**getattr(before, key), **getattr(record, key)} for key in ("models", "costs", "inputs")}
        record = record.model_copy(update={"started": before.started, "limits": before.limits, **known})
        kept = standing(read_results(request.out), request.planned, request.splits)
    write_atomically(request.out / RUN, record.model_dump_json(by_alias=True, indent=1) + "\n")
    file = ResultsFile(request.out, kept)
    left = [p for p in request.planned if p.case not in {r.case for r in kept}]
    finished = list(kept)
    with (
        Display([p.case for p in left]) as display,
        terminable(),
        closing(_measure(request, left, networks, display, engine)) as measured,
    ):
        try:
            limits = roofline.limits(
                _to_be_timed(request, left, networks),
                request.start,
                record.limits,
                partial(display.working, "the machine"),
            )
            record = record.model_copy(update={"limits": limits})
            write_atomically(request.out / RUN, record.model_dump_json(by_alias=True, indent=1) + "\n")
            for results in measured:
                finished += results
                file.add(results)
                for result in results:
                    display.finished(result)
        except KeyboardInterrupt:
            with uninterrupted():
                written = {result.case for result in read_results(request.out)}
                file.add([result for result in finished if result.case not in written])
                file.add(_stopped(left, finished))
            return INTERRUPTED
    return _exit_code(finished, networks)


def _measure(
    request: Request,
    left: Sequence[Planned],
    networks: Mapping[str, Network | Missing],
    display: Display,
    engine: Engine,
) -> Generator[list[Result], None, None]:
    """Yield the results of cases as they are known, together those that were measured side by side."""
    for _, group in groupby(left, lambda planned: _same_workers(request.cards, planned.case)):
        going: list[Case] = []
        for planned in group:
            why = _not_measured(planned, networks[planned.case.network])
            if why is None:
                going.append(planned.case)
            else:
                yield [why]
        if going:
            yield from _measure_group(request, going, networks, display, engine)


def _same_workers(cards: Mapping[str, Card], case: Case) -> tuple[str, str, int]:
    return cards[case.network].name, case.precision, case.threads


def _not_measured(planned: Planned, network: Network | Missing) -> Result | None:
    case = planned.case
    if planned.skip is not None:
        return Result(case=case, status="skipped", reason=planned.skip)
    if isinstance(network, Missing):
        return Result(case=case, status=network.status, reason=network.reason)
    if network.file(case.precision) is None:
        return Result(case=case, status="skipped", reason=_unbuilt(case))
    return None


def _to_be_timed(request: Request, left: Sequence[Planned], networks: Mapping[str, Network | Missing]) -> list[Case]:
    """Return the cases of latency that will be measured on ONNX files, which is what the machine is measured by."""
    return [
        planned.case
        for planned in left
        if planned.case.kind == "latency"
        and planned.case.backend not in request.readers
        and _not_measured(planned, networks[planned.case.network]) is None
    ]


def _measure_group(
    request: Request,
    cases: Sequence[Case],
    networks: Mapping[str, Network | Missing],
    display: Display,
    engine: Engine,
) -> Generator[list[Result], None, None]:
    """Measure the cases of one graph, precision and number of threads, each backend's in one worker."""
    network = networks[cases[0].network]
    assert isinstance(network, Network)

    def model(case: Case) -> Model:
        return network.given(case, source=case.backend in request.readers)

    with Team(request.start, model) as team:
        for _, group in groupby(cases, side_by_side):
            together = list(group)
            tell = partial(display.working, short(together[0]))
            display.started(together)
            if together[0].kind == "latency":
                given = scenarios.Given(together, network, team, request.splits, request.config, tell)
                yield scenarios.named(together[0].scenario).measure(given)
                continue
            for case in together:
                fed = networks[case.network]
                assert isinstance(fed, Network)
                split = next(s for s in request.splits if (s.dataset, s.split) == (case.dataset, case.split))
                keep = partial(predictions.write, request.out)
                yield [accuracy.measure(case, fed, split, team, tell, keep, engine)]


def _unbuilt(case: Case) -> str:
    name = case.network.partition("@")[0]
    return f"no {case.precision} variant of {name} is built; python -m zoo build {name} --precision {case.precision}"


def networks_of(
    cards: Mapping[str, Card], mirror: Path | None, precisions: Sequence[Precision]
) -> dict[str, Network | Missing]:
    """Fetch and build every graph, several at a time; return each network, or why there is none."""
    graphs = list({card.name: card for card in cards.values()}.values())
    models: dict[str, Path | Missing] = {}
    for card, result in build_all(graphs, mirror, cores()):
        if isinstance(result, BadInput):
            models[card.name] = _missing(card.name, result)
        else:
            models[card.name] = result.path
            if result.seconds is not None:
                print(f"{card.name} is built: {result.seconds:.1f} s", file=sys.stderr)
    wanted = [variant for variant in VARIANTS if variant in precisions]
    variants = {card.name: {v: path for v in wanted if (path := built(card, v))} for card in graphs}
    return {name: _network(name, card, models[card.name], mirror, variants[card.name]) for name, card in cards.items()}


def seen_by(faces: Faces | None, network: Network | Missing) -> Network | Missing:
    """Let ``faces`` find a network's faces: its spec then says box, and takes its margin from the photograph."""
    if faces is None or isinstance(network, Missing):
        return network
    spec = network.spec.model_copy(update={"face": "box", "border": "photo"})
    return replace(network, spec=spec, faces=faces)


def network_of(name: str, card: Card, mirror: Path | None) -> Network | Missing:
    """Fetch and build one network, or say why there is none."""
    return networks_of({name: card}, mirror, ("fp32",))[name]


def _network(
    name: str, card: Card, model: Path | Missing, mirror: Path | None, variants: Mapping[Any, Path]
) -> Network | Missing:
    if isinstance(model, Missing):
        return model
    try:
        spec = card.networks()[name]
        mean_image = None
        if spec.mean_image is not None:
            mean_image = read_mean(fetch_weights(card, mirror, variant=spec.variant)[spec.mean_image])
        contract.check(model, name, spec, mean_image)
        return Network(name, card, model, spec, load_golden(card.name), mean_image, variants, sources(card, mirror))
    except BadInput as error:
        return _missing(name, error)


def sources(card: Card, mirror: Path | None) -> dict[str, Path]:
    """Return the original files of a card's graph, by role."""
    files = fetch_graph(card, mirror)
    return {weights.role: files[weights.file] for weights in card.graph()}


def _missing(name: str, error: BadInput) -> Missing:
    if isinstance(error, Unreachable):
        print(f"{name} is skipped: {error}", file=sys.stderr)
        return Missing("skipped", str(error))
    why = str(error).removeprefix(f"{name}: ")
    print(f"error: {name}: {why}", file=sys.stderr)
    return Missing("failed", why)


def _record(request: Request, networks: Mapping[str, Network | Missing]) -> RunRecord:
    models, inputs, looked = {}, dict[str, str](), tuple[str, ...]()
    files: dict[str, dict[Precision, Path]] = {}
    for name, network in networks.items():
        if isinstance(network, Network):
            sources = {w.file: w.sha256 for w in network.card.files if w.needed_for(network.spec.variant)}
            variants = {f"onnx {precision}": sha256_of(path) for precision, path in network.variants.items()}
            models[name] = {"onnx": sha256_of(network.model), **variants, **sources}
            files[name] = {"fp32": network.model, **network.variants}
            inputs[name] = network.spec.sha256 or contract.fingerprint(network.spec, network.mean_image)
            if network.faces is not None:
                detector = network.faces.detector
                models.setdefault(detector.network, {"onnx": detector.sha256})
                looked = (f"faces are found by {network.faces.about}",)
    costs, uncounted = costs_of(files)
    told = (f"{split.dataset}:{split.split}: {note}" for split in request.splits for note in split.notes)
    return RunRecord(
        config=request.config,
        host=host(),
        versions=versions(),
        git_commit=git_commit(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        models=models,
        costs=costs,
        inputs=inputs,
        notes=(*request.notes, *looked, *told, *_calibrations(networks), *uncounted),
    )


def _calibrations(networks: Mapping[str, Network | Missing]) -> Iterator[str]:
    for name, network in networks.items():
        for precision, path in network.variants.items() if isinstance(network, Network) else ():
            if faces := calibration_of(path):
                yield f"{name} in {precision}: calibrated on {faces}"


def _stopped(left: Sequence[Planned], finished: Sequence[Result]) -> list[Result]:
    done = {result.case for result in finished}
    why = "stopped before it was measured: --resume goes on from here"
    return [Result(case=p.case, status="skipped", reason=why) for p in left if p.case not in done]


def _exit_code(finished: Sequence[Result], networks: Mapping[str, Network | Missing]) -> int:
    statuses = {result.status for result in finished}
    if any(isinstance(network, Missing) and network.status == "failed" for network in networks.values()):
        return BAD_INPUT
    if statuses == {"skipped"}:
        print(f"error: nothing was measured: every case was skipped; the first: {finished[0].reason}", file=sys.stderr)
        return BAD_INPUT
    return CHECK_FAILED if "failed" in statuses else DONE
