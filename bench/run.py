"""A run: every planned case, one after the other, each ending as one Result on disk.

Networks are fetched and built before anything is timed; one that cannot be had takes its own cases with it, no others.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Literal

from bench import accuracy, latency
from bench.accuracy import Network
from bench.datasets import fingerprint
from bench.host import git_commit, host, versions
from bench.plan import Planned
from bench.progress import Display, short
from bench.records import Case, Result, RunConfig, RunRecord
from bench.results import RESULTS, RUN, ResultsFile, read_results, read_run, write_atomically
from bench.types import Split
from converters.caffe.weights import read_mean
from converters.errors import BAD_INPUT, CHECK_FAILED, DONE, INTERRUPTED, BadInput
from zoo.card import Card
from zoo.download import Unreachable
from zoo.golden import load as load_golden
from zoo.store import build, fetch_weights


@dataclass(frozen=True)
class Missing:
    """A network that could not be built: its cases are skipped where it is out of reach, failed where it is wrong."""

    status: Literal["skipped", "failed"]
    reason: str


@dataclass(frozen=True)
class Request:
    """Everything a run needs, resolved."""

    config: RunConfig
    cards: Mapping[str, Card]
    planned: Sequence[Planned]
    splits: Sequence[Split]
    out: Path
    resume: bool
    mirror: Path | None
    timeout: float
    notes: tuple[str, ...] = ()


def run(request: Request) -> int:
    """Measure every planned case and leave ``run.json`` and ``results.jsonl`` in ``request.out``.

    Returns the exit code: 0; 1 when a case failed; 2 when a network's files are wrong, or nothing at all could be run;
    130 after Ctrl-C, when the cases not yet run are skipped with that reason.
    Raises BadInput when ``out`` cannot be used.
    """
    kept = _open_out(request)
    networks = {name: _build(name, card, request.mirror) for name, card in request.cards.items()}
    record = _record(request, networks)
    write_atomically(request.out / RUN, record.model_dump_json(by_alias=True, indent=1) + "\n")
    results = ResultsFile(request.out, kept)
    left = [p for p in request.planned if p.case not in {r.case for r in kept}]
    finished = list(kept)
    with Display(len(left)) as display:
        measured = _measure(request, left, networks, display)
        try:
            for result in measured:
                results.add(result)
                finished.append(result)
                display.finished(result)
        except KeyboardInterrupt:
            measured.close()
            for result in _stopped(left, finished):
                results.add(result)
            return INTERRUPTED
    return _exit_code(finished, networks)


def _measure(
    request: Request, left: Sequence[Planned], networks: Mapping[str, Network | Missing], display: Display
) -> Generator[Result, None, None]:
    for _, group in groupby(left, _side_by_side):
        together = list(group)
        network = networks[together[0].case.network]
        for planned in together:
            if planned.skip is not None:
                yield Result(case=planned.case, status="skipped", reason=planned.skip)
            elif isinstance(network, Missing):
                yield Result(case=planned.case, status=network.status, reason=network.reason)
        cases = [planned.case for planned in together if planned.skip is None]
        if cases and isinstance(network, Network):
            yield from _measure_group(request, cases, network, partial(display.working, short(cases[0])))


def _side_by_side(planned: Planned) -> Case:
    """Return the same for cases that are measured in turns: those of latency that differ in their backend alone."""
    alike = {"backend": "", "device": ""} if planned.case.kind == "latency" else {}
    return planned.case.model_copy(update=alike)


def _measure_group(
    request: Request, cases: Sequence[Case], network: Network, tell: Callable[[str], None]
) -> Iterator[Result]:
    if cases[0].kind == "latency":
        yield from latency.measure(cases, network.model, network.golden, request.timeout, tell)
        return
    for case in cases:
        split = next(s for s in request.splits if (s.dataset, s.split) == (case.dataset, case.split))
        yield accuracy.measure(case, network, split, request.timeout, tell)


def _open_out(request: Request) -> list[Result]:
    """Make the folder, and return the results of an earlier run that stand. Raises BadInput if they cannot."""
    out = request.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error
    if not (out / RESULTS).exists():
        return []
    if not request.resume:
        raise BadInput(f"--out {out} holds results already: give --resume to go on with them, or another folder")
    before, now = read_run(out), _record(request, {})
    for what, old, new in (
        *((f"config.{key}", old, getattr(now.config, key)) for key, old in before.config),
        ("host", before.host["fingerprint"], now.host["fingerprint"]),
        ("versions", before.versions, now.versions),
    ):
        if old != new:
            raise BadInput(f"--resume {out}: the run there has {what} = {old}, this one {new}: give another --out")
    planned = {p.case for p in request.planned}
    return [r for r in read_results(out) if r.status == "ok" and r.case in planned and _same_split(r, request.splits)]


def _same_split(result: Result, splits: Sequence[Split]) -> bool:
    if result.fingerprint is None:
        return True
    split = next(s for s in splits if (s.dataset, s.split) == (result.case.dataset, result.case.split))
    return result.fingerprint.split_sha256 == fingerprint(split)


def _build(name: str, card: Card, mirror: Path | None) -> Network | Missing:
    try:
        spec = card.networks()[name]
        model = build(card, mirror)
        mean_image = None
        if spec.mean_image is not None:
            mean_image = read_mean(fetch_weights(card, mirror, variant=spec.variant)[spec.mean_image])
        return Network(name, card, model, spec, load_golden(card.name), mean_image)
    except Unreachable as error:
        print(f"{name} is skipped: {error}", file=sys.stderr)
        return Missing("skipped", str(error))
    except BadInput as error:
        print(f"error: {name}: {error}", file=sys.stderr)
        return Missing("failed", str(error))


def _record(request: Request, networks: Mapping[str, Network | Missing]) -> RunRecord:
    models = {}
    for name, network in networks.items():
        if isinstance(network, Network):
            sources = {w.file: w.sha256 for w in network.card.weights if w.needed_by in (None, network.spec.variant)}
            models[name] = {"onnx": hashlib.sha256(network.model.read_bytes()).hexdigest(), **sources}
    notes = (*request.notes, *(f"{s.dataset}:{s.split}: {note}" for s in request.splits for note in s.notes))
    return RunRecord(
        config=request.config,
        host=host(),
        versions=versions(),
        git_commit=git_commit(),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        models=models,
        notes=notes,
    )


def _stopped(left: Sequence[Planned], finished: Sequence[Result]) -> Iterator[Result]:
    done = {result.case for result in finished}
    for planned in left:
        if planned.case not in done:
            yield Result(
                case=planned.case, status="skipped", reason="stopped before it ran: --resume goes on from here"
            )


def _exit_code(finished: Sequence[Result], networks: Mapping[str, Network | Missing]) -> int:
    statuses = {result.status for result in finished}
    missing = {network.status for network in networks.values() if isinstance(network, Missing)}
    if "failed" in missing or (missing and "ok" not in statuses):
        return BAD_INPUT
    return CHECK_FAILED if "failed" in statuses else DONE
