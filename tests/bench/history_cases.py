"""Runs that were never made: folders with the record and the results that a test of the history needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bench.records import Case, Fingerprint, Latency, Result, RunConfig, RunRecord, Score

START = datetime(2031, 1, 1, tzinfo=UTC)
CASE = Case(network="tiny", backend="onnxruntime", device="cpu", precision="fp32", batch=1, threads=2, kind="latency")
SCORED = CASE.model_copy(update={"kind": "accuracy", "batch": 8, "dataset": "own", "split": "all"})
NAME = "tiny/onnxruntime/cpu/fp32/batch-1/threads-2/latency"


def record(number: int = 0, **changes: Any) -> RunRecord:
    config = RunConfig(
        networks=("tiny",), backends=("onnxruntime",), device="auto", precisions=("fp32",), data=(), batches=(1,),
        threads=(2,), limit=None, only=None,
    )  # fmt: skip
    given = {
        "config": config,
        "host": {"fingerprint": "a" * 16, "cpu": "a processor", "python": "3.12.1", "load": number / 7},
        "versions": {"numpy": "2.1.0", "onnxruntime": "1.30.0"},
        "git_commit": "c" * 40,
        "started": (START + timedelta(hours=number)).isoformat(timespec="seconds"),
        "models": {"tiny": {"onnx": "5" * 64}},
    }
    return RunRecord.model_validate({**given, **changes})


def timed(middle: float, seed: int = 0, case: Case = CASE) -> Result:
    """Return a latency of 9 rounds of 5 runs whose median is near ``middle``."""
    times = middle * np.random.default_rng(seed).normal(1, 0.001, 45)
    latency = Latency(times_ms=tuple(times.round(6)), rounds=(5,) * 9, cold_ms={"load": 3.0})
    return Result(case=case, status="ok", latency=latency, runtime={"version": "1.30.0"})


def scored(value: float, split_sha256: str = "7" * 64) -> Result:
    given = {"task": "age", "metric": "mae", "value": value, "ci95": (value - 0.2, value + 0.3), "n": 13}
    fingerprint = Fingerprint(split_sha256=split_sha256, n=13, label_rule="as they are")
    score = Score.model_validate({**given, "head": "age", "derived": False})
    return Result(case=SCORED, status="ok", scores=(score,), fingerprint=fingerprint)


def folder(at: Path, run: RunRecord, results: Sequence[Result]) -> Path:
    at.mkdir(parents=True)
    (at / "run.json").write_text(run.model_dump_json(by_alias=True, indent=1))
    (at / "results.jsonl").write_text("".join(result.line() + "\n" for result in results))
    return at


def folders(at: Path, middles: Sequence[float], changes: Mapping[int, Mapping[str, Any]]) -> list[Path]:
    """Make a run a middle; ``changes`` hold from their number on."""
    made, now = [], dict[str, Any]()
    for number, middle in enumerate(middles):
        now |= changes.get(number, {})
        made.append(folder(at / f"{number:03}", record(number, **now), [timed(middle, number)]))
    return made
