"""Runs made up for the check and the comparison: every number is known, nothing is measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from bench_cases import latency_case

from bench.records import Case, Costs, Fingerprint, Kernel, Latency, Limit, Parity, Result, RunConfig, RunRecord, Score
from bench.sides import Side

COSTS = Costs(file_bytes=1_000_000, parameters=2000, macc=30_000, run_bytes=8000, face_bytes=500, nodes=24)


def times(middle: float, seed: int, rounds: int = 12, runs: int = 3, noise: float = 0.01) -> Latency:
    """Return a latency of so many ms whose rounds and runs differ a little."""
    drawn = middle * np.exp(np.random.default_rng(seed).normal(scale=noise, size=rounds * runs))
    cold = {"import": 30.0, "load": 50.0, "first": 5.0}
    return Latency(times_ms=tuple(map(float, drawn)), cold_ms=cold, rounds=(runs,) * rounds)


def timed(case: Case, ms: float = 5.0, seed: int = 1, **changes: object) -> Result:
    values: dict[str, object] = {
        "placement": {"CPUExecutionProvider": 24},
        "latency": times(ms, seed),
        "memory_mb": 120.0,
        "parity": Parity(reference="Caffe", max_abs=1e-7, max_rel=3e-7),
        "runtime": {"version": "1.32.0"},
    }
    return Result.model_validate({"case": case, "status": "ok", **values, **changes})


def share(hits: int, n: int = 500, metric: str = "accuracy", **changes: object) -> Score:
    value = hits / n
    half = 1.96 * (value * (1 - value) / n) ** 0.5
    found = {"task": "age_group", "metric": metric, "value": value, "ci95": (value - half, value + half), "n": n}
    return Score.model_validate({**found, "head": "prob", "decode": "argmax", "derived": False, **changes})


def mae(value: float, n: int = 500, sd: float = 5.0, **changes: object) -> Score:
    half = 1.96 * sd / n**0.5
    found = {"task": "age", "metric": "mae", "value": value, "ci95": (value - half, value + half), "n": n}
    return Score.model_validate({**found, "head": "age", "decode": "scalar", "derived": False, **changes})


def scored(case: Case, *scores: Score, split: str = "a", rule: str = "by hand", **changes: object) -> Result:
    printed = Fingerprint(split_sha256=split * 64, n=scores[0].n, label_rule=rule)
    values: dict[str, object] = {"placement": {"CPUExecutionProvider": 24}, "runtime": {"version": "1.32.0"}}
    return Result.model_validate(
        {"case": case, "status": "ok", "scores": scores, "fingerprint": printed, **values, **changes}
    )


def accuracy_case(**changes: object) -> Case:
    return latency_case("onnxruntime", kind="accuracy", dataset="own", split="all", batch=8, **changes)


def limit(ms: float, threads: int = 1) -> Limit:
    """Return the machine's limits: its best convolution takes ``ms``, a worse one as long for half the work."""
    kernels = [
        Kernel(name=name, backend="onnxruntime", operations=operations, times_ms=(ms, 1.02 * ms, 1.05 * ms))
        for name, operations in (("large convolution", 2_000_000), ("small convolution", 1_000_000))
    ]
    none = {"gflops": 1.0, "gflops_by": "x", "gb_s": None, "gb_s_by": None}
    return Limit.model_validate({"device": "cpu", "threads": threads, **none, "kernels": kernels})


def run_record(machine: str = "aaaa", started: str = "2026-11-01T10:00:00+00:00", **changes: object) -> RunRecord:
    config = RunConfig(
        networks=("tiny",),
        backends=("onnxruntime",),
        device="cpu",
        precisions=("fp32",),
        data=(),
        batches=(3,),
        threads=(1,),
        limit=None,
        only=None,
    )
    values: dict[str, object] = {
        "config": config,
        "host": {"fingerprint": machine * 4, "cpu": f"CPU {machine}", "usable_cpus": 2, "gpus": [], "python": "3.11.7"},
        "versions": {"onnxruntime": "1.32.0"},
        "git_commit": "c" * 40,
        "started": started,
        "models": {"tiny": {"onnx": "1" * 64, "a.caffemodel": "2" * 64}},
        "costs": {"tiny": {"fp32": COSTS}},
        "inputs": {"tiny": "3" * 64},
    }
    return RunRecord.model_validate({**values, **changes})


def side(*results: Result, name: str = "base", folder: Path | None = None, **changes: object) -> Side:
    return Side(name, run_record(**changes), {result.case: result for result in results}, folder)  # type: ignore[arg-type]
