"""What a report holds: the rows, pictures and charts that the templates name, whatever they are rendered as.

The templates are in markdown; ``report.md`` and ``report.html`` are both made from them, so that no section can be in
one and not in the other. Charts are drawn only when they are called for: ``report.md`` has the pictures instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.records import WHOLE, Result, RunRecord
from bench.report import bars, lines, pictures, scenarios, stages
from bench.report.agreement import agreement
from bench.report.album import Album
from bench.report.answer import answers
from bench.report.apart import Paired, paired_verdicts
from bench.report.candidates import Question, score_anchor
from bench.report.claims import claim_rows, confusions, unmatched
from bench.report.comparisons import networks, predicted, published_rows
from bench.report.costs import kernel_rows, machine_rows, network_rows
from bench.report.first_screen import sections
from bench.report.latency import latency_parts
from bench.report.scores import score_tables
from bench.report.slices import details
from bench.report.tables import Row, shared, unmeasured_rows, warned, where_rows

TEMPLATES = Path(__file__).parent
TEMPLATE = "report.md.jinja"

SETTINGS = ("device", "precision", "batch", "threads", "warnings")
"""The columns that are said once where they are the same in every row."""

Contents = dict[str, Any]


def contents(
    run: RunRecord,
    results: Sequence[Result],
    out: Path,
    *,
    limit_ms: float | None = None,
    max_mae: float | None = None,
) -> Contents:
    """Return what the templates are filled with, and draw the pictures into ``out``.

    The limits are those of the answer (`bench.report.answer`).
    """
    album = Album(out)
    counted = Counter(result.status for result in results)
    splits: dict[tuple[str | None, ...], list[Result]] = {}
    for result in results:
        if result.fingerprint is not None and result.case.kind == "accuracy":
            key = (result.case.dataset, result.case.split, result.fingerprint.split_sha256, result.fingerprint.faces)
            splits.setdefault(key, []).append(result)
    alike = Counter((dataset, split) for dataset, split, *_ in splits)
    accuracy = [_split(members, album, alone=alike[key[0], key[1]] == 1) for key, members in splits.items()]
    found = answers(run, results, limit_ms=limit_ms, max_mae=max_mae, paired=_paired(accuracy))
    filled = {
        "run": run,
        "results": results,
        "answers": sections(found, album),
        "unanswered": found.missing,
        "counted": ", ".join(f"{counted[status]} {status}" for status in ("ok", "skipped", "failed")),
        "where": where_rows(run),
        "models": _models(run),
        "networks": network_rows(run),
        "machine": machine_rows(run),
        "kernels": kernel_rows(run),
        "latency": latency_parts(run, results, album),
        "threads": shared(scenarios.threads_rows(results), SETTINGS),
        "stages": shared(stages.stage_rows(results), SETTINGS),
        "stages_picture": stages.picture(results, album),
        "stages_chart": partial(bars.stages, results),
        "batches": shared(scenarios.batch_rows(results), SETTINGS),
        "batches_picture": scenarios.picture(results, album),
        "batches_chart": partial(lines.batches, results),
        "offline": shared(scenarios.offline_rows(results), SETTINGS),
        "server": shared(scenarios.server_rows(results), SETTINGS),
        "splits": accuracy,
        "claims": claim_rows(run.config.networks, results),
        "unmatched": unmatched(run.config.networks, [table for split in accuracy for table in split["confusions"]]),
        "warned": warned(results),
        "unmeasured": unmeasured_rows(results),
    }
    album.draw()
    return filled


def _paired(splits: Sequence[Mapping[str, Any]]) -> dict[Question, Paired]:
    """Return the verdicts of all comparisons face by face that were made for the report."""
    found: dict[Question, Paired] = {}
    for split in splits:
        for section in split["networks"]:
            found |= paired_verdicts(split["images"], section["compared"])
    return found


def _split(members: Sequence[Result], album: Album, *, alone: bool) -> dict[str, Any]:
    """Return all there is to say of one split; ``alone``: no other one has its name, which pictures are called by."""
    fingerprint, case = members[0].fingerprint, members[0].case
    assert fingerprint is not None
    found = "" if fingerprint.faces == WHOLE else f", faces {fingerprint.faces}"
    images = str(case.dataset), str(case.split), fingerprint.split_sha256, fingerprint.faces
    tables = [
        {**table, "anchor": score_anchor(Question(*images, table["task"], table["labels"]))}
        for table in score_tables(members)
    ]
    for one in tables:
        one["settings"], one["rows"] = shared(one["rows"], SETTINGS)
    file = f"{case.dataset}-{case.split}" + ("" if alone else f"-{fingerprint.split_sha256[:8]}-{fingerprint.faces}")
    confused, said = confusions(members), predicted(members, album.folder)
    return {
        "name": f"{case.dataset}:{case.split}{found}",
        "images": images,
        "fingerprint": fingerprint,
        "tables": tables,
        "details": details(members, file, album),
        "agreement": agreement(said),
        "networks": networks(said),
        "published": published_rows(members),
        "confusions": [{**t, "picture": pictures.confusion(t, file, album)} for t in confused],
    }


def _models(run: RunRecord) -> list[Row]:
    """Return each ONNX file once: the input variants of a network share theirs."""
    names: dict[str, list[str]] = {}
    for name, files in run.models.items():
        names.setdefault(files["onnx"], []).append(name)
    return [{"network": ", ".join(of), "sha256 of the ONNX file": f"`{onnx[:16]}`"} for onnx, of in names.items()]
