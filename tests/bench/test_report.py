"""Reports of results made by hand: what stands in every table, and what never does."""

import json
import re

import numpy as np
import pytest
from bench_cases import HOST, latency_case
from numpy.testing import assert_allclose

from bench.records import Confusion, Fingerprint, Latency, Parity, Result, RunConfig, RunRecord, Score
from bench.report import write
from bench.report.claims import claim_rows, confusions
from bench.report.flat import rows
from bench.report.markdown import cell, table
from bench.report.scores import score_tables
from bench.report.tables import latency_rows, shared, unmeasured_rows
from zoo.card import find_card
from zoo.fields import AGE_GROUPS

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
    host=HOST,
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
    """Return a result of before there were several heads of a task."""
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


GROUPS5 = ("0-6", "8-20", "25-32", "38-53", "60-")
GROUPS12 = tuple(f"{first}-{first + 4}" for first in range(0, 60, 5))


def grouped(head, labels, value, *, derived=False):
    """Return the scores of a head for age groups: 100 faces, spread evenly over the cells of its table."""
    table = Confusion(labels=labels, counts=tuple(tuple(1 for _ in labels) for _ in labels))
    said = {"head": head, "decode": "mass" if derived else "argmax", "derived": derived, "n": 100}
    return (
        Score(task="age_group", metric="accuracy", value=value, ci95=(0.1, 0.9), confusion=table, **said),
        Score(task="age_group", metric="one_off", value=0.95, ci95=(0.1, 0.99), **said),
    )


def aged(head, value, *, derived=False):
    said = {"task": "age", "head": head, "decode": "expectation", "derived": derived, "n": 100}
    return (
        Score(metric="mae", value=value, ci95=(value - 1, value + 1), **said),
        Score(metric="rmse", value=value + 2, ci95=(value, value + 3), **said),
        Score(metric="cs5", value=0.5, ci95=(0.4, 0.6), **said),
    )


def several(network="lean", backend="onnxruntime"):
    """Return the result of a network with four heads: an age, and age groups of two kinds, of its own and derived."""
    return Result(
        case=latency_case(backend, network=network, kind="accuracy", dataset="own", split="all"),
        status="ok",
        placement={"CPUExecutionProvider": 7},
        parity=Parity(reference="keras", max_abs=3e-8, max_rel=1e-7),
        scores=(
            *grouped("age", AGE_GROUPS, 0.51, derived=True),
            *aged("age", 6.5),
            *grouped("groups8", AGE_GROUPS, 0.61),
            *grouped("groups5", GROUPS5, 0.71),
        ),
        fingerprint=Fingerprint(split_sha256="1" * 64, n=100, label_rule="by name"),
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
    assert found["p50 ms [95 %]"].startswith("**10.00** [9.")
    assert found["p90 ms"] == "11.60"
    assert found["p99 ms"] == "n<662"
    assert found["spread"] == "32%"
    assert found["images/s"] == "300.0"
    assert found["cold start ms"] == "10 + 20 + 30"
    assert found["placement"] == "24 CPUExecutionProvider"
    assert found["n"] == 101


def partly(result):
    placement = {"CUDAExecutionProvider": 22, "CPUExecutionProvider": 2}
    case = result.case.model_copy(update={"device": "cuda"})
    told = {"placement": placement, "strays": ("Softmax_3", "TopK"), "warnings": ("partial: 2 of 24 nodes ran on ..",)}
    return result.model_copy(update={"case": case, **told})


def test_a_row_that_is_partly_on_the_device_says_so_in_the_row(tmp_path, counts):
    (found,) = latency_rows([partly(timed([5.0] * 70))])
    assert found["device"] == "cuda, partial 22/24"
    (found,) = latency_rows([timed([5.0] * 70)])
    assert found["device"] == "cpu"
    whole, part = scored(counts), partly(scored(counts, "opencv"))
    whole = whole.model_copy(update={"case": whole.case.model_copy(update={"device": "cuda"})})
    rows = score_tables([part, whole])[0]["rows"]
    assert [row["device"] for row in rows] == ["cuda, partial 22/24", "cuda"]
    text = reported(tmp_path, [partly(timed([5.0] * 70)), timed([6.0] * 70)])
    assert "cuda, partial 22/24" in text.partition("## Latency")[2]
    assert "2 of 24 nodes ran on" in text.partition("## Warnings")[2]


def test_too_few_times_say_so():
    (found,) = latency_rows([timed([5.0, 6.0, 7.0])])
    assert (found["p90 ms"], found["spread"]) == ("n<64", "-")


def test_the_fastest_backend_of_a_network_is_in_bold():
    rows = latency_rows([timed([9.0] * 70), timed([7.0] * 70, "opencv")])
    assert [row["p50 ms [95 %]"][:2] for row in rows] == ["9.", "**"]


def test_what_is_the_same_in_every_row_is_said_once():
    rows = latency_rows([timed([9.0] * 70), timed([7.0] * 70, "opencv")])
    words, narrow = shared(rows, ("device", "batch", "backend"))
    assert words == "device cpu, batch 3"
    assert [row["backend"] for row in narrow] == ["onnxruntime", "opencv"]
    assert {"device", "batch"} & set(narrow[0]) == set()
    assert shared([], ("device",)) == ("", [])


def test_shares_have_intervals_and_derived_years_say_so(counts):
    groups, ages = score_tables([scored(counts)])
    assert groups["rows"][0]["exact % of 8"] == "43.8 [42.0, 45.5]"
    assert ages["rows"][0]["MAE years"] == "9.50 [9.10, 9.90]"
    assert "derived" in ages["rows"][0]["read by"]
    assert "derived" not in groups["rows"][0]["read by"]


def test_each_head_has_its_row_and_each_set_of_groups_its_table():
    tables = score_tables([several()])
    assert [table["title"] for table in tables] == [
        "Age groups: the eight standard ones",
        "Age groups: 5 of the network's own, 0-6 to 60-",
        "Age in years",
    ]
    rows = [[(row["head"], row["read by"]) for row in table["rows"]] for table in tables]
    assert rows == [
        [("age", "mass, *derived*"), ("groups8", "argmax")],
        [("groups5", "argmax")],
        [("age", "expectation")],
    ]
    assert [row["exact % of 8"][:4] for row in tables[0]["rows"]] == ["51.0", "61.0"]
    assert tables[1]["rows"][0]["exact % of 5"].startswith("71.0")
    assert tables[1]["note"].startswith("0-6 8-20 25-32 38-53 60-.")
    assert tables[2]["rows"][0]["within 5 years %"] == "50.0 [40.0, 60.0]"


def test_no_share_of_some_groups_stands_in_a_column_of_others(tmp_path):
    results = [several(), several("ror").model_copy(update={"scores": grouped("age_group", GROUPS12, 0.41)})]
    own5 = ("0-13", "14-22", "23-35", "36-56", "57-")  # as many groups as those of the lean network, but others
    results.append(several("separable").model_copy(update={"scores": grouped("age_group", own5, 0.81)}))
    tables = [table for table in score_tables(results) if "groups" in table["title"]]
    assert [{row["network"] for row in table["rows"]} for table in tables] == [
        {"lean"},
        {"ror"},
        {"lean"},
        {"separable"},
    ]
    columns = {name for result in results for row in rows(result) for name in row if name.endswith("_accuracy")}
    assert columns == {
        f"age_group{own}_accuracy" for own in ("", *(f"[{' '.join(g)}]" for g in (GROUPS5, GROUPS12, own5)))
    }
    titles = re.findall("^### Age groups: .*$", reported(tmp_path, results), re.MULTILINE)
    assert len(set(titles)) == len(titles) == 4


def test_backends_that_print_alike_share_a_row_and_others_do_not():
    first, second = several(), several(backend="opencv").model_copy(update={"placement": {"OpenCV/CPU": 5}})
    (row,) = score_tables([first, second])[2]["rows"]
    assert (row["backend"], row["placement"]) == ("onnxruntime, opencv", "7 CPUExecutionProvider; 5 OpenCV/CPU")
    other = second.model_copy(update={"scores": (*second.scores[:2], *aged("age", 6.9), *second.scores[5:])})
    assert [row["backend"] for row in score_tables([first, other])[2]["rows"]] == ["onnxruntime", "opencv"]


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
    assert {p.suffix for p in tmp_path.iterdir()} == {".md", ".json", ".jsonl", ".png", ".svg"}


def test_a_published_table_stands_beside_ours_only_where_the_groups_agree():
    found = confusions([several("levi-hassner-age")])
    assert [(table["title"], table["published"] is not None) for table in found] == [
        ("levi-hassner-age, age", True),
        ("levi-hassner-age, groups8", True),
        ("levi-hassner-age, groups5", False),
    ]
    assert [table["derived"] for table in found] == [True, False, False]


def test_a_published_table_of_a_network_that_was_not_measured_is_there_too(tmp_path):
    text = reported(tmp_path, [timed([5.0] * 70)])
    assert "levi-hassner-age: published age groups, not measured here" in text
    assert "0.699" in text


OURS = "measured here [95 %]"


def test_what_was_measured_stands_beside_what_was_published(counts):
    ours = [scored(counts), scored(counts, "opencv"), scored(counts, network="levi-hassner-age@mean-image")]
    five = several("levi-hassner-age").model_copy(update={"scores": grouped("five", GROUPS5, 0.7)})
    found = claim_rows(["levi-hassner-age"], ours)
    assert [(r["network"], r[OURS], r["n"]) for r in found] == [
        ("levi-hassner-age", "43.8 % [42.0, 45.5]", int(np.sum(counts))),
        ("levi-hassner-age@mean-image", "43.8 % [42.0, 45.5]", int(np.sum(counts))),
        ("levi-hassner-age", "-", "-"),
    ]
    found = claim_rows(["levi-hassner-age"], [five])
    assert [r[OURS] for r in found] == ["70.0 % [10.0, 90.0]", "95.0 % [10.0, 99.0]"]


def test_what_differs_from_a_published_number_has_columns_of_its_own(counts):
    first, other = claim_rows(["levi-hassner-age"], [scored(counts, network="levi-hassner-age@over-sampled")])
    assert first["images: theirs / ours"] == "Adience, the five official folds / own:all"
    assert first["crop: theirs / ours"].startswith(
        "five crops of 227x227 and their mirror images / the image as 256x256"
    )
    assert first["crop: theirs / ours"].endswith("ten views of it")
    assert first["trained on: theirs / ours"] == "Adience / Adience, photographs from Flickr"
    assert first["labels: theirs / ours"] == "not stated / by name, 8 groups"
    assert other["images: theirs / ours"] == "Adience, the five official folds"  # one-off was not measured
    (row, _) = claim_rows(["wide-resnet-16-8"], [several("wide-resnet-16-8")])
    assert row["labels: theirs / ours"] == "apparent age / by name"
    assert row["crop: theirs / ours"] == "not stated / the image times 1.4 as 64x64"


def test_a_share_of_groups_is_held_against_a_published_one_of_the_same_groups_alone(monkeypatch):
    card = find_card("levi-hassner-age")
    claims = tuple(c.model_copy(update={"labels": GROUPS5}) for c in card.published if c.metric == "accuracy")
    monkeypatch.setattr("bench.report.scores.find_card", lambda name: card.model_copy(update={"published": claims}))
    (found,) = claim_rows(["levi-hassner-age"], [several("levi-hassner-age")])
    assert (found["network"], found[OURS]) == ("levi-hassner-age, groups5", "71.0 % [10.0, 90.0]")
    assert found["labels: theirs / ours"] == "5 groups / by name, 5 groups"


def test_a_share_of_groups_that_are_only_derived_is_not_held_against_a_published_one_without_groups(monkeypatch):
    card = find_card("levi-hassner-age")
    claims = tuple(c.model_copy(update={"labels": None}) for c in card.published if c.metric == "accuracy")
    monkeypatch.setattr("bench.report.scores.find_card", lambda name: card.model_copy(update={"published": claims}))
    result = several("levi-hassner-age").model_copy(update={"scores": grouped("age", AGE_GROUPS, 0.7, derived=True)})
    assert [r[OURS] for r in claim_rows(["levi-hassner-age"], [result])] == ["-"]


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
    assert re.search(r"\| skipped +\| 1 +\| .*batch 3.* \| not \\\| here +\|", section)
    assert re.search(r"\| failed +\| 1 +\| .*batch 8.* \| crashed badly &lt;script> \|", section)
    assert "batch 3: a \\| b" in text


def test_skipped_cases_of_one_reason_share_a_row_that_stands_for_exactly_them():
    cases = [(n, b) for n in ("one", "two") for b in ("onnxruntime", "opencv")] + [("three", "opencv")]
    results = [Result(case=latency_case(b, network=n), status="skipped", reason="seeded") for n, b in cases]
    found = unmeasured_rows(results)
    assert [row["cases"] for row in found] == [4, 1]
    assert found[0]["which"].startswith("latency of one, two on onnxruntime, opencv, cpu")
    assert found[1]["which"].startswith("latency of three on opencv, cpu")


def test_a_warning_is_told_once_with_all_whom_it_concerns(tmp_path):
    slow = [timed([5.0] * 70), timed([6.0] * 70, "opencv")]
    bad = [r.model_copy(update={"warnings": ("skipped 2 of 100 images: a, b",)}) for r in (several(), several("ror"))]
    section = reported(tmp_path, slow + bad).partition("## Warnings")[2]
    assert section.count("skipped 2 of 100 images") == 1
    assert "- lean, onnxruntime on cpu, own:all; ror, onnxruntime on cpu, own:all: skipped 2 of" in section
    assert section.count("<summary>") == 2


def test_a_report_without_any_result_still_says_where_and_why(tmp_path):
    text = reported(tmp_path, [Result(case=latency_case(), status="skipped", reason="no weights")])
    assert "0 ok, 1 skipped, 0 failed" in text
    assert "no weights" in text
    assert "## Latency" not in text


def test_a_network_the_zoo_no_longer_has_is_still_reported(tmp_path, counts):
    text = reported(tmp_path, [scored(counts, network="gone")])
    assert "gone: age groups on own:all" in text


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
    (found,) = rows(scored(counts))
    assert found["age_group_accuracy"] == 0.4376
    assert found["age_mae_low"] == 9.1
    assert rows(timed(range(1, 102)))[0]["p50_ms"] == 51


def test_flat_rows_are_one_a_head():
    found = rows(several())
    assert [row["head"] for row in found] == ["age", "groups8", "groups5"]
    assert [row.get("age_group_accuracy") for row in found] == [0.51, 0.61, None]
    assert [row["age_group_derived"] for row in found] == [True, False, False]
    assert found[0]["age_mae"] == 6.5


def test_a_table_too_wide_for_a_terminal_is_not_lined_up():
    rows = [{"network": f"net-{n}", "why": "so " * 7 * n + "long"} for n in (1, 6)]
    narrow, wide = table(rows[:1]).splitlines(), table(rows).splitlines()
    assert len({len(line) for line in narrow}) == 1
    assert not any("  " in line for line in wide)
    assert [line.split(" | ") for line in wide[2:]] == [
        [f"| {row['network']}", " ".join(row["why"].split()) + " |"] for row in rows
    ]
    assert wide[1] == "|---|---|"
