"""Reports of results made by hand: what stands in every table, and what never does."""

import json
import re

import numpy as np
import pytest
from bench_cases import latency_case
from numpy.testing import assert_allclose

from bench.records import Confusion, Fingerprint, Latency, Parity, Result, RunConfig, RunRecord, Score
from bench.report import write
from bench.report.flat import row
from bench.report.markdown import cell
from bench.report.tables import accuracy_rows, claim_rows, confusions, latency_rows
from zoo.card import AGE_GROUPS, find_card

RUN = RunRecord(
    config=RunConfig(
        networks=("levi-hassner-age", "levi-hassner-gender"),
        backends=("onnxruntime", "opencv"),
        device="cpu",
        precisions=("fp32",),
        data=("own:all",),
        batches=(3,),
        threads=2,
        limit=None,
        only=None,
    ),
    host={
        "cpu": "A | B",
        "cores": 2,
        "usable_cpus": 2,
        "memory_gb": 24,
        "gpus": [],
        "system": "Linux",
        "fingerprint": "f00",
        "python": "3.12",
        "load": 0.5,
    },
    versions={"numpy": "2.0"},
    git_commit=None,
    started="2026-01-02T03:04:05+00:00",
    models={"levi-hassner-age": {"onnx": "a" * 64}},
    notes=("own:all: 3 dropped",),
)


def timed(times, backend="onnxruntime"):
    return Result(
        case=latency_case(backend, network="levi-hassner-age"),
        status="ok",
        placement={"CPUExecutionProvider": 24},
        latency=Latency(times_ms=tuple(times), cold_ms={"import": 10, "load": 20, "first": 30}),
        memory_mb=100,
        parity=Parity(reference="caffe", max_abs=2e-7, max_rel=1e-6),
        warnings=("drift: a | b",),
    )


def scored(counts, backend="onnxruntime", fingerprint="1" * 64, network="levi-hassner-age"):
    table = Confusion(labels=AGE_GROUPS, counts=tuple(map(tuple, counts)))
    n = int(np.sum(counts))
    return Result(
        case=latency_case(backend, network=network, kind="accuracy", dataset="own", split="all"),
        status="ok",
        scores=(
            Score(task="age_group", metric="accuracy", value=0.4376, ci95=(0.42, 0.455), n=n, confusion=table),
            Score(task="age", metric="mae", value=9.5, ci95=(9.1, 9.9), n=n + 5),
        ),
        fingerprint=Fingerprint(split_sha256=fingerprint, n=n, label_rule="by name"),
    )


@pytest.fixture
def counts():
    return np.random.default_rng(2).integers(1, 30, (8, 8)).tolist()


def reported(tmp_path, results):
    (tmp_path / "run.json").write_text(RUN.model_dump_json(by_alias=True))
    (tmp_path / "results.jsonl").write_text("".join(r.line() + "\n" for r in results))
    (path,) = write(tmp_path, ["md"])
    return path.read_text()


def test_latency_rows_are_derived_from_the_raw_times():
    (found,) = latency_rows([timed(np.linspace(8, 12, 101))])
    assert found["p50 ms [95 %]"].startswith("10.00 [9.")
    assert found["p90 ms"] == "11.60"
    assert found["p99 ms"] == "n<662"
    assert found["spread"] == "32%"
    assert found["images/s"] == "300.0"
    assert found["cold start ms"] == "10 + 20 + 30"
    assert found["placement"] == "24 CPUExecutionProvider"
    assert found["n"] == 101


def test_too_few_times_say_so():
    (found,) = latency_rows([timed([5.0, 6.0, 7.0])])
    assert (found["p90 ms"], found["spread"]) == ("n<64", "-")


def test_shares_have_intervals_and_derived_years_say_so(counts):
    (found,) = accuracy_rows([scored(counts)])
    assert found["exact %"] == "43.8 [42.0, 45.5]"
    assert found["MAE years"] == "9.50 [9.10, 9.90] *derived*"
    assert found["gender %"] == "-"


def test_confusion_columns_sum_to_one_and_hold_predictions_in_rows(counts):
    counts[0][3] = 0
    (found,) = confusions([scored(counts)])
    shares = found["shares"]
    assert_allclose(shares.sum(axis=0), 1)
    assert shares[2, 5] == pytest.approx(counts[2][5] / sum(row[5] for row in counts))
    assert found["rows"][2][AGE_GROUPS[5]] == f"{shares[2, 5]:.3f}"
    assert found["totals"] == [sum(row[i] for row in counts) for i in range(8)]


def test_a_true_group_without_faces_has_no_shares(counts):
    for predicted in counts:
        predicted[6] = 0
    (found,) = confusions([scored(counts)])
    assert {r[AGE_GROUPS[6]] for r in found["rows"]} == {"-"}


def test_backends_with_the_same_counts_share_a_table_and_others_do_not(counts):
    other = [list(r) for r in counts]
    other[0][0] += 1
    same = confusions([scored(counts), scored(counts, "opencv")])
    assert [t["backends"] for t in same] == [["onnxruntime", "opencv"]]
    apart = confusions([scored(counts), scored(other, "opencv")])
    assert [t["backends"] for t in apart] == [["onnxruntime"], ["opencv"]]


def test_the_published_table_stands_beside_ours_as_published(tmp_path, counts):
    text = reported(tmp_path, [scored(counts)])
    claim = next(c for c in find_card("levi-hassner-age").published if c.confusion)
    for label, shares in zip(AGE_GROUPS, claim.confusion, strict=True):
        cells = " *\\| *".join(re.escape(f"{v:.3f}") for v in shares)
        assert re.search(rf"\| {re.escape(label)} *\| *{cells} *\|", text)
    assert text.index("Predicted group in rows") < text.index("0.699") < text.index("## Published numbers")
    assert {p.suffix for p in tmp_path.iterdir()} == {".md", ".json", ".jsonl", ".png"}


def test_published_numbers_have_a_table_of_their_own():
    rows = claim_rows(["levi-hassner-age", "levi-hassner-age@mean-image", "levi-hassner-gender"])
    assert [r["published"] for r in rows] == ["50.7 ± 5.1 %", "84.7 ± 2.2 %", "86.8 ± 1.4 %"]


def test_different_fingerprints_never_share_a_table(tmp_path, counts):
    text = reported(tmp_path, [scored(counts), scored(counts, "opencv", fingerprint="2" * 64)])
    assert text.count("## Accuracy on own:all") == 2


def test_every_skipped_and_failed_case_stands_there_with_its_reason(tmp_path):
    results = [
        timed([5.0] * 70),
        Result(case=latency_case("opencv"), status="skipped", reason="not | here"),
        Result(case=latency_case("opencv", batch=8), status="failed", reason="crashed\nbadly <script>"),
    ]
    text = reported(tmp_path, results)
    assert "1 ok, 1 skipped, 1 failed" in text
    section = text.partition("## Skipped and failed cases")[2]
    assert re.search(r"\| skipped \| .*batch 3.* \| not \\\| here \|", section)
    assert re.search(r"\| failed \| .*batch 8.* \| crashed badly &lt;script> \|", section)
    assert "drift: a \\| b" in text


def test_a_report_without_any_result_still_says_where_and_why(tmp_path):
    text = reported(tmp_path, [Result(case=latency_case(), status="skipped", reason="no weights")])
    assert "0 ok, 1 skipped, 0 failed" in text
    assert "no weights" in text
    assert "## Latency" not in text


def test_a_network_the_zoo_no_longer_has_is_still_reported(tmp_path, counts):
    text = reported(tmp_path, [scored(counts, network="gone")])
    assert "### gone: age groups" in text


@pytest.mark.parametrize(
    ("value", "wanted"), [("a|b", "a\\|b"), ("a\nb", "a b"), ("<img src=x>", "&lt;img src=x>"), ("3 < 662", "3 < 662")]
)
def test_cells_cannot_break_their_table(value, wanted):
    assert cell(value) == wanted


def test_an_infinite_distance_survives_the_file(tmp_path):
    parity = Parity(reference="caffe", max_abs=float("inf"), max_rel=float("inf"))
    failed = Result(case=latency_case(), status="failed", reason="not numbers", parity=parity)
    json.loads(failed.line(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert Result.model_validate_json(failed.line()) == failed


def test_flat_rows_hold_shares_years_and_milliseconds(counts):
    found = row(scored(counts))
    assert found["age_group_accuracy"] == 0.4376
    assert found["age_mae_low"] == 9.1
    assert row(timed(range(1, 102)))["p50_ms"] == 51
