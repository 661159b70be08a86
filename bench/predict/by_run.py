"""Networks for a limit by the numbers of a run that was made on this machine: those that its answer picks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.host import host
from bench.predict.asking import Place
from bench.predict.choosing import METRICS, tell, words
from bench.records import Result
from bench.report.answer import pick
from bench.results import read_results, read_run
from converters.errors import BadInput
from zoo.card import Card


def by_run(cards: Mapping[str, Card], limit_ms: float, place: Place, folder: Path) -> dict[str, Card]:
    """Return the same by the numbers of a run. Raises BadInput for one of another machine, and where none meets it."""
    run, results = read_run(folder), read_results(folder)
    here = host()["fingerprint"]
    if run.host.get("fingerprint") != here:
        raise BadInput(
            f"--run {folder}: was made on another machine ({run.host.get('fingerprint')}, this is {here}), and "
            "--limit-ms is about this one; leave --run away to measure here"
        )
    same = [
        r for r in results
        if r.case.network in cards and r.case.backend == place.backend and r.case.device == place.device
        and r.case.precision == "fp32" and r.case.threads == place.threads
    ]  # fmt: skip
    chosen: dict[str, Card] = {}
    refused: list[str] = []
    splits = {f"{r.case.dataset}:{r.case.split}": r.fingerprint.n for r in same if r.scores and r.fingerprint}
    data = max(splits, key=lambda name: (not name.startswith("sample:"), splits[name]), default=None)
    for task in _asked(cards):
        try:
            choice = pick(run, same, task=task, limit_ms=limit_ms, data=data)
        except BadInput as error:
            refused.append(f"{words(task)}: {error}")
            continue
        one = choice.candidate
        if one is None or one.score is None or one.p50 is None:
            refused.append(f"{words(task)}: {choice.note or 'nothing was timed with one face a run'}")
            continue
        chosen[one.network] = cards[one.network]
        home = f"; {one.home}" if one.home else ""
        tell(
            f"{words(task)}: {one.network}, p50 {one.p50.text} of {one.p50.n} runs in {folder}; "
            f"{METRICS[task]} {one.score.text} on {data}, n {one.score.n}{home}"
        )
    for line in refused:
        tell(line)
    if not chosen:
        raise BadInput(f"--limit-ms {limit_ms:g}: no network meets it by --run {folder}; {_fastest(same)}")
    return chosen


def _fastest(results: Sequence[Result]) -> str:
    times = [
        (float(np.median(r.latency.times_ms)), r.case.network, len(r.latency.times_ms))
        for r in results
        if r.latency is not None and r.case.batch == 1
    ]
    if not times:
        return "none was timed there with one face a run on this backend, device and number of threads"
    ms, network, runs = min(times)
    return f"the fastest there is {network}: p50 {ms:.2f} ms of {runs} runs"


def _asked(cards: Mapping[str, Card]) -> Iterator[str]:
    tasks = {head.task for card in cards.values() for head in card.heads}
    if tasks & {"age", "age_group"}:
        yield "age" if "age" in tasks else "age_group"
    if "gender" in tasks:
        yield "gender"
