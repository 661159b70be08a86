"""Speed-ups over the original framework, shares of the machine's limit, and where they stand in a report."""

import json
import re

import numpy as np
import pytest
from bench_cases import latency_case
from numpy.testing import assert_allclose
from test_report import RUN

from bench.records import Costs, Kernel, Latency, Limit, Result
from bench.report import write
from bench.report.album import Album
from bench.report.latency import fastest_rows, latency_parts
from bench.report.speed import bound_cell, bounds, speed_up_cell, speed_ups

COSTS = Costs(file_bytes=4_100_000, parameters=1_000_000, macc=50_000_000, run_bytes=4_000_000, face_bytes=1_000_000)
LIMIT = Limit(
    device="cpu",
    threads=2,
    gflops=100.0,
    gflops_by="openvino: convolution",
    gb_s=10.0,
    gb_s_by="memory: plain read",
    cache_bytes=2_000_000,
    kernels=(Kernel(name="plain read", backend="_memory", bytes=30_000_000, times_ms=(3.0,) * 3),),
    refused={"opencv5": "dense layer: not | today"},
)
FACTORS = np.linspace(0.9, 1.1, 11)
"""How slow the machine is in each round."""


def row(backend, ms, *, network="net", rounds=11, **changes):
    """Return a result whose rounds all have three runs of ``ms`` times what the machine was like."""
    times = [(ms * factor, ms * factor, 3 * ms) for factor in FACTORS[:rounds]]
    latency = Latency(
        times_ms=tuple(t for three in times for t in three),
        rounds=(3,) * rounds,
        cold_ms={"import": 10, "load": 20, "first": 30},
    )
    case = latency_case(backend, **{"network": network, "batch": 1, "threads": 2, **changes})
    return Result(case=case, status="ok", placement={"CPU": 3}, latency=latency, runtime={"version": "1.2"})


def run_of(*networks, **changes):
    config = RUN.config.model_copy(update={"networks": networks or ("net",), "threads": (2,)})
    costs = {name: {"fp32": COSTS, "fp16": COSTS} for name in networks or ("net",)}
    return RUN.model_copy(update={"config": config, "costs": costs, "limits": (LIMIT,), **changes})


def reported(tmp_path, run, results, form="md"):
    (tmp_path / "run.json").write_text(run.model_dump_json(by_alias=True))
    (tmp_path / "results.jsonl").write_text("".join(r.line() + "\n" for r in results))
    (path,) = write(tmp_path, [form])
    return path.read_text()


def test_a_speed_up_is_over_the_source_row_of_the_same_network_batch_and_threads():
    results = [
        row("source", 30.0), row("fast", 10.0), row("slow", 60.0),
        row("source", 8.0, batch=8), row("fast", 4.0, batch=8),
        row("source", 5.0, threads=1), row("fast", 4.0, threads=1),
        row("fast", 7.0, network="other"),
    ]  # fmt: skip
    found = speed_ups(results)
    said = {(c.backend, c.batch, c.threads): f.ratio for c, f in found.items()}
    assert said.keys() == {("fast", 1, 2), ("slow", 1, 2), ("fast", 8, 2), ("fast", 1, 1)}
    assert_allclose([said["fast", 1, 2].value, said["slow", 1, 2].value, said["fast", 8, 2].value], [3, 0.5, 2])
    assert said["fast", 1, 2].pairs == 11
    assert all(f.paired for f in found.values())


def test_what_the_machine_did_in_a_round_cancels_out():
    (found,) = speed_ups([row("source", 30.0), row("fast", 10.0)]).values()
    assert_allclose([found.ratio.low, found.ratio.high], 3)


def test_rows_of_another_precision_are_held_against_the_source_apart():
    results = [row("source", 30.0), row("fast", 10.0), row("fast", 5.0, precision="fp16")]
    found = {case.precision: speed for case, speed in speed_ups(results).items()}
    assert (found["fp32"].paired, found["fp16"].paired) == (True, False)
    assert found["fp16"].ratio.value == pytest.approx(6, rel=0.05)
    assert found["fp16"].ratio.low < 6 < found["fp16"].ratio.high
    assert speed_up_cell(results[2].case, speed_ups(results)).endswith("] apart")


def test_a_speed_up_needs_a_source_and_rounds():
    old = row("fast", 10.0).model_copy(update={"latency": Latency(times_ms=(1.0, 2.0), cold_ms={})})
    skipped = Result(case=latency_case("source", network="net", batch=1, threads=2), status="skipped", reason="none")
    assert speed_ups([row("fast", 10.0), skipped]) == {}
    assert speed_ups([row("source", 30.0), old]) == {}
    assert speed_up_cell(row("fast", 10.0).case, {}) == "-"
    assert speed_up_cell(row("source", 30.0).case, {}) == "1"


def test_few_rounds_have_a_ratio_and_no_interval():
    found = speed_ups([row("source", 30.0, rounds=3), row("fast", 10.0, rounds=3)])
    assert speed_up_cell(row("fast", 10.0).case, found) == "3.00x [too few rounds]"


@pytest.mark.parametrize(
    ("changes", "batch", "limit_ms", "by"),
    [
        ({}, 1, 1.0, "compute"),  # 100 million operations at 100 GFLOP/s; 5 MB at 10 GB/s are 0.5 ms
        ({}, 3, 3.0, "compute"),
        ({"macc": 10_000_000}, 1, 0.5, "memory"),
        ({"macc": 10_000_000}, 3, 0.7, "memory"),  # the weights are read once whatever the batch
        ({"macc": 5_000_000, "run_bytes": 1_000_000}, 1, 0.1, "compute"),  # all bytes just fit the cache
        ({"macc": 5_000_000, "run_bytes": 1_000_000}, 2, 0.3, "memory"),
        ({"macc": 1_000_000, "run_bytes": 1_000_001}, 1, 0.2000001, "memory"),  # one byte more than the cache has
    ],
)
def test_the_limit_is_the_longer_of_the_operations_and_the_bytes(changes, batch, limit_ms, by):
    result = row("fast", 4.0, batch=batch)
    costs = {"net": {"fp32": COSTS.model_copy(update=changes)}}
    (found,) = bounds(run_of(costs=costs), [result]).values()
    assert (found.limit_ms, found.by) == (pytest.approx(limit_ms), by)
    assert found.share == pytest.approx(limit_ms / np.median(result.latency.times_ms))


def test_a_limit_of_another_device_or_number_of_threads_or_without_a_number_says_nothing():
    results = [row("fast", 4.0, threads=1), row("fast", 4.0, device="cuda"), row("fast", 4.0, network="unknown")]
    assert bounds(run_of(), results) == {}
    unknown = LIMIT.model_copy(update={"gflops": None, "gflops_by": None})
    assert bounds(run_of(limits=(unknown,)), [row("fast", 4.0)]) == {}
    assert bound_cell(results[0].case, {}) == "-"


def test_the_table_of_the_fastest_has_a_row_a_network_and_a_column_a_backend():
    results = [
        row("source", 30.0), row("fast", 10.0), row("slow", 20.0),
        row("slow", 6.0, network="other"),
        Result(case=latency_case("fast", network="other", batch=1, threads=2), status="failed", reason="differs"),
        Result(case=latency_case("source", network="other", batch=1, threads=2), status="skipped", reason="none"),
    ]  # fmt: skip
    first, second = fastest_rows(
        [r for r in results if r.latency], results, speed_ups(results), bounds(run_of("net", "other"), results)
    )
    assert list(first) == [
        "network", "source ms", "fast ms", "slow ms", "fastest", "its p50 ms [95 %]", "n", "vs source", "images/s",
        "of the limit",
    ]  # fmt: skip
    middle = float(np.median(results[1].latency.times_ms))
    assert (first["fast ms"], first["slow ms"]) == (f"**{middle:.2f}**", f"{2 * middle:.2f}")
    assert (first["fastest"], first["vs source"]) == ("fast", "3.00x [3.00, 3.00]")
    assert (first["images/s"], first["of the limit"]) == (f"{1000 / middle:.1f}", f"{1 / middle:.0%} C")
    assert (second["fast ms"], second["source ms"], second["fastest"]) == ("failed", "-", "slow")
    assert second["vs source"] == "-"


def test_what_is_only_partly_on_its_device_says_so(tmp_path):
    results = [row("fast", 3.0).model_copy(update={"strays": ("softmax",)}), row("slow", 6.0)]
    (found,) = fastest_rows(results, results, {}, {})
    assert found["fast ms"].endswith("** (partial)")
    assert "partial" not in found["slow ms"]


def test_each_batch_size_number_of_threads_and_precision_has_its_part_and_pictures(tmp_path):
    results = [
        *(row(b, ms, batch=n, threads=t) for n in (8, 1) for t in (2, 1) for b, ms in (("source", 9.0), ("fast", 3.0))),
        row("fast", 2.0, precision="fp16"),
    ]
    album = Album(tmp_path)
    parts = latency_parts(run_of(), results, album)
    album.draw()
    assert [part["title"] for part in parts] == [
        "Batch 1, 2 threads, fp16",
        "Batch 1, 1 thread, fp32",
        "Batch 1, 2 threads, fp32",
        "Batch 8, 1 thread, fp32",
        "Batch 8, 2 threads, fp32",
    ]
    assert [part["apart"] for part in parts] == [True, False, False, False, False]
    pictures = {part[kind] for part in parts for kind in ("latency_picture", "speed_picture")}
    assert len(pictures) == 10
    assert {path.name for path in tmp_path.iterdir()} == pictures | {f"{name[:-4]}.svg" for name in pictures}


def test_a_single_part_has_its_pictures_under_plain_names(tmp_path):
    (part,) = latency_parts(run_of(), [row("source", 9.0), row("fast", 3.0)], Album(tmp_path))
    assert (part["latency_picture"], part["speed_picture"]) == ("latency.png", "speed-up.png")
    (part,) = latency_parts(run_of(), [row("fast", 3.0)], Album(tmp_path))
    assert part["speed_picture"] is None


def test_times_of_other_scenarios_stand_in_no_table_of_latency(tmp_path):
    results = [row("fast", 3.0), row("fast", 1.0, scenario="server"), row("fast", 2.0, scenario="single")]
    (part,) = latency_parts(run_of(), results, Album(tmp_path))
    medians = [f"{np.median(result.latency.times_ms):.2f}" for result in results]
    shown = [cells["p50 ms [95 %]"].partition(" [")[0].strip("*") for cells in part["rows"]]
    assert shown == [medians[0], medians[2]]


def test_a_report_says_what_networks_cost_what_the_machine_can_and_how_near_a_row_comes(tmp_path):
    text = reported(tmp_path, run_of("net", "net@variant"), [row("source", 9.0), row("fast", 0.9)])
    sections = re.findall("^## (.*)$", text, re.MULTILINE)
    assert sections[:5] == ["The answer", "Where it ran", "Networks", "Machine limits", "Latency"]
    assert re.search(r"\| net, net@variant +\| fp32 +\| 4\.1 +\| 1,000,000 +\| 50,000,000 +\| 5\.0 +\| 1\.0 +\|", text)
    assert re.search(
        r"\| cpu +\| 2 +\| 100\.0 +\| openvino: convolution +\| 10\.0 +\| memory: plain read +\| 2 +\|", text
    )
    assert re.search(r"\| plain read +\| memory +\| 3\.00 +\| 3\.00 +\| - +\| 10\.0 +\| 3 +\|", text)
    assert "not measured: dense layer: not \\| today" in text
    assert "Above 100 %: net on fast." in text
    assert "10.00x [10.00, 10.00]" in text
    assert text.count("speed-up.png") == 1


def test_a_report_without_a_source_or_limits_has_no_columns_for_them(tmp_path):
    text = reported(tmp_path, RUN, [row("fast", 3.0)])
    assert "vs source" not in text
    assert "| of the limit" not in text
    assert "## Machine limits" not in text
    assert "| fast ms" in text


def test_the_flat_table_has_speed_ups_limits_and_costs(tmp_path):
    results = [row("source", 9.0, batch=3), row("fast", 3.0, batch=3)]
    source, fast = json.loads(reported(tmp_path, run_of(), results, "json"))
    assert [fast[f"speed_up{end}"] for end in ("", "_low", "_high")] == pytest.approx([3, 3, 3])
    assert fast["speed_up_paired"] is True
    assert source["speed_up"] is None
    assert (fast["limit_ms"], fast["limit_by"]) == (pytest.approx(3.0), "compute")
    assert fast["limit_share"] == pytest.approx(3.0 / np.median(results[1].latency.times_ms))
    assert (fast["file_bytes"], fast["parameters"]) == (4_100_000, 1_000_000)
    assert (fast["macc"], fast["bytes_moved"]) == (150_000_000, 7_000_000)
