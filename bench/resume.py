"""What ``--resume`` may go on with: results of the same run, on the same machine, of the same code and models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.datasets import fingerprint
from bench.plan import Planned
from bench.records import Case, Result, RunRecord
from bench.results import RESULTS, read_run
from bench.types import Split
from converters.errors import BadInput


def make_folder(out: Path) -> None:
    """Make the folder ``out``. Raises BadInput when it cannot be made."""
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out}: is a file; give a folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror}") from error


def earlier(out: Path, *, resume: bool) -> RunRecord | None:
    """Return the run that the folder ``out`` holds, None if it holds no results.

    Raises BadInput when it holds results and ``resume`` was not asked for.
    """
    if not (out / RESULTS).exists():
        return None
    if not resume:
        raise BadInput(f"--out {out} holds results already: give --resume to go on with them, or another folder")
    return read_run(out)


def refuse_another(out: Path, before: RunRecord, now: RunRecord) -> None:
    """Raise BadInput, naming the first difference, when the run in ``out`` is not the one to be gone on with."""
    pairs: list[tuple[str, object, object]] = [
        *((f"config.{key}", old, getattr(now.config, key)) for key, old in before.config),
        ("host", before.host["fingerprint"], now.host["fingerprint"]),
        ("versions", before.versions, now.versions),
        ("git_commit", before.git_commit, now.git_commit),
        *((f"models.{name}", before.models.get(name, files), files) for name, files in now.models.items()),
    ]
    for what, old, new in pairs:
        if old != new:
            raise BadInput(f"--resume {out}: the run there has {what} = {old}, this one {new}: give another --out")


def standing(results: Sequence[Result], planned: Sequence[Planned], splits: Sequence[Split]) -> list[Result]:
    """Return the results that need not be measured again: ok, planned, of the same images.

    Latencies that were measured side by side stand or fall together.
    """
    ok = {r.case: r for r in results if r.status == "ok" and _same_split(r, splits)}
    broken = {side_by_side(p.case) for p in planned if p.skip is None and p.case not in ok}
    return [ok[p.case] for p in planned if p.case in ok and side_by_side(p.case) not in broken]


def side_by_side(case: Case) -> Case:
    """Return the same for cases that are measured in turns: those of latency that differ in their backend alone.

    A pass over a whole split is measured alone.
    """
    in_turns = case.kind == "latency" and case.scenario != "offline"
    return case.model_copy(update={"backend": "", "device": ""} if in_turns else {})


def _same_split(result: Result, splits: Sequence[Split]) -> bool:
    if result.fingerprint is None:
        return True
    return any(
        (s.dataset, s.split) == (result.case.dataset, result.case.split)
        and result.fingerprint.split_sha256 == fingerprint(s)
        for s in splits
    )
