"""A run made by hand, with something in every part of a report; its names and reasons would like to be HTML."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bench_cases import HOST, latency_case

from bench.records import (
    Confusion,
    Costs,
    Fingerprint,
    Latency,
    Limit,
    Parity,
    Point,
    Result,
    RunConfig,
    RunRecord,
    Score,
    Slices,
)
from bench.report import write
from zoo.fields import AGE_GROUPS

HOSTILE = "</script><img src=x onerror=alert(1)>"
LINE = "\u2028"
"""Ends a line of JavaScript, but not of JSON."""

PLACE = "\ue0003\ue002 \ue0013\ue002"
"""What the page's own places for values look like while it is made."""

NETWORKS = ("levi-hassner-age", "dlib-age", "thesis-age", HOSTILE)
BACKENDS = ("onnxruntime", "opencv", "source")
SPLIT = "[x](javascript:alert(2))"

RUN = RunRecord(
    config=RunConfig(
        networks=NETWORKS,
        backends=BACKENDS,
        device="cpu",
        precisions=("fp32", "fp16"),
        data=("own:all",),
        batches=(1,),
        threads=(2,),
        limit=None,
        only=None,
    ),
    host=HOST,
    versions={"numpy": "2.0"},
    git_commit=None,
    started="2026-01-02T03:04:05+00:00",
    models={"levi-hassner-age": {"onnx": "a" * 64}},
    costs={
        name: {"fp32": Costs(file_bytes=9, parameters=12_345_678, macc=7, run_bytes=8, face_bytes=3)}
        for name in NETWORKS
    },
    limits=(Limit(device="cpu", threads=2, gflops=10.5, gflops_by="a", gb_s=5.5, gb_s_by="b"),),
    notes=(f"{HOSTILE}{LINE}*bold* ![p](http://example.invalid/p.png) `code {PLACE}",),
)


def timed(network: str, backend: str, middle: float, n: int = 120, **changes: object) -> Result:
    """Return a latency whose times are spread evenly from 0.9 to 1.1 times the middle."""
    times = np.linspace(0.9 * middle, 1.1 * middle, n)
    stages = {"decode": (0.4, 0.5), "prepare": (0.2, 0.3), "inference": (middle,), "heads": (0.01,)}
    return Result(
        case=latency_case(backend, network=network, batch=1, threads=2, **changes),
        status="ok",
        placement={"CPUExecutionProvider": 24},
        latency=Latency(
            times_ms=tuple(times),
            cold_ms={"import": 10, "load": 20, "first": middle},
            rounds=(n // 6,) * 6,
            stages_ms=stages,
        ),
        memory_mb=100,
        parity=Parity(reference="caffe", max_abs=2e-7, max_rel=1e-6),
        warnings=(f"drift: {HOSTILE}",) if backend == "opencv" else (),
    )


def scored(network: str, backend: str, mae: float) -> Result:
    """Return scores of 640 faces: groups with their table, an age with its slices and its curve."""
    counts = np.random.default_rng(int(10 * mae)).integers(1, 30, (8, 8))
    table = Confusion(labels=AGE_GROUPS, counts=tuple(tuple(int(v) for v in row) for row in counts))
    values = tuple(mae + 0.5 * i for i in range(8))
    slices = Slices(
        by="age group",
        labels=AGE_GROUPS,
        values=values,
        low=tuple(v - 1 for v in values),
        high=tuple(v + 1 for v in values),
        n=(80,) * 8,
        total=8,
    )
    said = {"n": 640, "head": "prob", "decode": "argmax", "derived": False}
    return Result(
        case=latency_case(backend, network=network, kind="accuracy", dataset="own", split=SPLIT, batch=1, threads=2),
        status="ok",
        placement={"CPUExecutionProvider": 24},
        parity=Parity(reference="caffe", max_abs=2e-7, max_rel=1e-6),
        scores=(
            Score(task="age_group", metric="accuracy", value=1 / mae, ci95=(0.1, 0.9), confusion=table, **said),
            Score(task="age", metric="mae", value=mae, ci95=(mae - 0.2, mae + 0.2), slices=(slices,), **said),
            Score(
                task="age",
                metric="cs5",
                value=0.5,
                ci95=(0.4, 0.6),
                curve=tuple(i / 10 for i in range(11)),
                **said,
            ),
        ),
        fingerprint=Fingerprint(split_sha256="1" * 64, n=640, label_rule=HOSTILE),
    )


def growing(network: str) -> Result:
    """Return a sweep over batch sizes."""
    points = tuple(
        Point(batch=b, images=b, times_ms=(2.0 * b, 2.1 * b, 2.2 * b), parity=None, memory_mb=9) for b in (1, 2, 4)
    )
    case = latency_case("onnxruntime", network=network, batch=4, threads=2, scenario="batch")
    return Result(case=case, status="ok", points=points)


MEDIANS = {
    ("levi-hassner-age", "onnxruntime"): 10.0,
    ("levi-hassner-age", "opencv"): 9.0,
    ("levi-hassner-age", "source"): 30.0,
    ("dlib-age", "onnxruntime"): 2.0,
    ("dlib-age", "opencv"): 4.0,
    ("thesis-age", "onnxruntime"): 100.0,
    ("thesis-age", "source"): 120.0,
    (HOSTILE, "onnxruntime"): 5.0,
    (HOSTILE, "opencv"): 6.0,
}


def results() -> list[Result]:
    """Return the results, one of each kind."""
    runs = {("dlib-age", "onnxruntime"): 900, ("thesis-age", "onnxruntime"): 30}
    return [
        *(timed(*place, middle, runs.get(place, 120)) for place, middle in MEDIANS.items()),
        timed("dlib-age", "onnxruntime", 1.5, precision="fp16"),
        Result(case=latency_case("opencv", network="thesis-age", batch=1, threads=2), status="failed", reason=HOSTILE),
        Result(
            case=latency_case("tensorrt", network="dlib-age", batch=1, threads=2, device="cuda"),
            status="skipped",
            reason=f"no | GPU {LINE} javascript:alert(3)",
        ),
        *(scored(network, "onnxruntime", mae) for network, mae in zip(NETWORKS, (6.5, 4.5, 3.5, 9.5), strict=True)),
        *(growing(network) for network in ("dlib-age", "thesis-age")),
    ]


def written(out: Path) -> None:
    """Write the run and its report, as markdown and as a page, into a folder; the pictures, which take long, empty."""
    (out / "run.json").write_text(RUN.model_dump_json(by_alias=True), encoding="utf-8")
    (out / "results.jsonl").write_text("".join(result.line() + "\n" for result in results()), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("bench.report.album.cores", lambda: 1)  # another process would draw them
        patched.setattr("matplotlib.figure.Figure.savefig", lambda *args, **kwargs: None)
        patched.setattr("bench.report.album._palette", lambda png: png.getvalue())
        write(out, ["md", "html"])
