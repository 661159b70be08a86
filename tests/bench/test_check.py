"""What a check finds: one thing is changed at a time, and its dimension, and no other, has to say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench_cases import latency_case
from check_cases import (
    COSTS,
    accuracy_case,
    limit,
    mae,
    run_record,
    scored,
    share,
    side,
    timed,
    times,
)

from bench import predictions
from bench.check import latency as check_latency
from bench.check.allowed import Allowed, share_of
from bench.check.findings import Finding, Judged
from bench.check.judge import judge
from bench.heads import Prediction
from bench.metrics import scores
from bench.records import Parity, Point, Result
from bench.selftest import alarms
from bench.types import Sample, Split
from bench.verdict import compare
from converters.errors import BadInput
from zoo.fields import Head

CASE = latency_case("onnxruntime")
SOURCE = latency_case("source")


def found(*arguments, **named):
    """Return what is not fine, as dimension and verdict."""
    return sorted({(f.dimension, f.verdict) for f in judge(*arguments, **named) if f.verdict != "ok"})


def the(dimension, *arguments, **named) -> Finding:
    (finding,) = [f for f in judge(*arguments, **named) if f.dimension == dimension and f.verdict != "ok"]
    return finding


def test_a_run_beside_one_that_is_alike_is_fine_in_every_dimension():
    before = side(timed(CASE, seed=1), scored(accuracy_case(), share(300), mae(5.0)))
    now = side(timed(CASE, seed=2), scored(accuracy_case(), share(300), mae(5.0)), name="now")
    findings = judge(before, now)
    assert {f.verdict for f in findings} == {"ok"}
    dimensions = {"status", "input", "model", "parity", "placement", "nodes", "size", "scores", "latency"}
    assert {f.dimension for f in findings} == dimensions | {"memory", "cold start"}


BROKEN = [
    ({"ms": 6.0}, ("latency", "regression")),
    ({"ms": 4.0}, ("latency", "better")),
    ({"memory_mb": 200.0}, ("memory", "regression")),
    ({"memory_mb": 60.0}, ("memory", "better")),
    ({"placement": {"CPUExecutionProvider": 25}}, ("nodes", "regression")),
    ({"placement": {"CPUExecutionProvider": 23}}, ("nodes", "better")),
    ({"placement": {"Elsewhere": 24}}, ("placement", "regression")),
    ({"placement": {"CPUExecutionProvider": 20, "Other": 4}, "strays": ("a", "b")}, ("placement", "regression")),
    ({"parity": Parity(reference="Caffe", max_abs=1e-5, max_rel=4e-5)}, ("parity", "regression")),
    ({"parity": Parity(reference="Keras", max_abs=1e-7, max_rel=3e-7)}, ("parity", "not compared")),
    ({"latency": times(5.0, 2).model_copy(update={"cold_ms": {"import": 30.0, "load": 700.0}})},
     ("cold start", "regression")),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "wanted"), BROKEN, ids=[f"{w[0]} {w[1]}, {next(iter(c))}" for c, w in BROKEN])
def test_what_is_worse_in_a_case_is_named_and_nothing_else_is(changes, wanted):
    assert found(side(timed(CASE)), side(timed(CASE, **{"seed": 2, **changes}))) == [wanted]


@pytest.mark.parametrize(
    ("changes", "dimension", "why"),
    [
        ({"inputs": {"tiny": "9" * 64}}, "input", "a known picture becomes other tensors"),
        ({"costs": {"tiny": {"fp32": COSTS.model_copy(update={"nodes": 25})}}}, "nodes", "+1 in the file"),
        ({"costs": {"tiny": {"fp32": COSTS.model_copy(update={"parameters": 2200})}}}, "nodes", "+200 parameters"),
        ({"costs": {"tiny": {"fp32": COSTS.model_copy(update={"macc": 40_000})}}}, "nodes", "+10,000 MACC"),
        ({"costs": {"tiny": {"fp32": COSTS.model_copy(update={"file_bytes": 1_020_000})}}}, "size", "+2.0%"),
    ],
    ids=["preprocessing", "a layer more", "parameters", "MACC", "bytes"],
)
def test_what_is_other_in_a_networks_file_fails(changes, dimension, why):
    finding = the(dimension, side(timed(CASE)), side(timed(CASE, seed=2), **changes))
    assert (finding.verdict, why in finding.why) == ("regression", True)
    assert finding.case.startswith("tiny")


def test_bounds_are_those_that_were_given():
    before = side(timed(CASE))
    costs = {"tiny": {"fp32": COSTS.model_copy(update={"nodes": 26, "file_bytes": 1_040_000})}}
    now = side(timed(CASE, 5.6, seed=2, memory_mb=150.0), costs=costs)
    assert found(before, now) == [(d, "regression") for d in ("latency", "memory", "nodes", "size")]
    assert found(before, now, Allowed(slowdown=0.2, memory=0.3, nodes=2, size=0.05)) == []


def test_other_bytes_of_a_model_are_named_with_the_source_that_differs():
    models = {"tiny": {"onnx": "8" * 64, "a.caffemodel": "7" * 64}}
    finding = the("model", side(timed(CASE)), side(timed(CASE, seed=2), models=models))
    assert (finding.verdict, finding.why) == (
        "changed",
        "other bytes of the ONNX file, its source a.caffemodel differs",
    )


def test_a_slow_down_is_an_alarm_only_beyond_the_bound_and_beyond_chance():
    """Both halves of the rule: a ratio of 1.3 that is chance, and a sure one of 1.05."""
    noisy = timed(CASE, 6.5, latency=times(6.5, 3, rounds=6, noise=0.6))
    assert the("latency", side(timed(CASE)), side(noisy)).verdict == "open"
    sure = side(timed(CASE, 5.25, latency=times(5.25, 4, noise=0.001)))
    assert found(side(timed(CASE, latency=times(5, 5, noise=0.001))), sure) == []


def test_the_rule_is_that_of_the_self_test(monkeypatch):
    assert check_latency.compare is compare is alarms.compare
    asked = []

    def spied(before, now, allowed, *, paired):
        asked.append((len(before), len(now), allowed, paired))
        return compare(before, now, allowed, paired=paired)

    monkeypatch.setattr(check_latency, "compare", spied)
    judge(side(timed(CASE)), side(timed(CASE, seed=2)), Allowed(slowdown=0.07))
    judge(side(timed(CASE)), side(timed(CASE, seed=2)), Allowed(slowdown=0.07), paired=True)
    assert asked == [(12, 12, 0.07, False), (12, 12, 0.07, True)]


def test_pairs_of_rounds_find_what_drift_hides():
    """Rounds that drift by half, side by side: paired, 10 % are seen; unpaired they drown."""
    drift = np.linspace(1, 1.5, 12)
    rounds = [[float(5 * d)] for d in drift], [[float(5.6 * d)] for d in drift]
    both = [times(5, 1).model_copy(update={"times_ms": sum(map(tuple, r), ()), "rounds": (1,) * 12}) for r in rounds]
    before, now = (side(timed(CASE, latency=latency)) for latency in both)
    assert the("latency", before, now).verdict == "open"
    assert the("latency", before, now, paired=True).verdict == "regression"


def test_on_another_machine_times_are_held_in_units_of_the_source_row():
    """A machine of half the speed: all is twice as slow, which is no regression; twice of that is one."""
    before = side(timed(CASE, 5), timed(SOURCE, 20, seed=7))
    same = side(timed(CASE, 10, seed=2), timed(SOURCE, 40, seed=8), machine="bbbb")
    slow = side(timed(CASE, 20, seed=3), timed(SOURCE, 40, seed=9), machine="bbbb")
    (finding,) = [f for f in judge(before, same) if f.dimension == "latency" and "onnxruntime" in f.case]
    assert (finding.verdict, "the original framework (source)" in finding.why) == ("ok", True)
    assert ("latency", "regression") in found(before, slow)
    assert ("run", "changed") in found(before, same)


def test_on_another_machine_without_a_source_row_the_best_convolution_is_the_unit():
    before = side(timed(CASE, 5), limits=(limit(1.0),))
    for ms, verdict in ((10, []), (16, ["regression"]), (6, ["better"])):
        now = side(timed(CASE, ms, seed=2), machine="bbbb", limits=(limit(2.0),))
        told = [f for f in judge(before, now) if f.dimension == "latency"]
        assert [f.verdict for f in told if f.verdict != "ok"] == verdict
        assert "another machine: as part of large convolution on onnxruntime" in told[0].why
        assert "50% allowed" in told[0].why


def test_on_another_machine_without_any_reference_nothing_is_said_of_times():
    finding = the("latency", side(timed(CASE, 5)), side(timed(CASE, 50, seed=2), machine="bbbb"))
    assert (finding.verdict, "no reference" in finding.why) == ("not compared", True)


def test_on_another_machine_memory_and_cold_start_are_told_and_no_alarm():
    now = side(timed(CASE, memory_mb=300.0), machine="bbbb", limits=(limit(1.0),))
    assert ("memory", "not compared") in found(side(timed(CASE), limits=(limit(1.0),)), now)


def test_a_machine_that_was_slower_itself_is_named_and_excuses_nothing():
    before, now = side(timed(CASE, 5), limits=(limit(1.0),)), side(timed(CASE, 7, seed=2), limits=(limit(1.4),))
    assert found(before, now) == [("latency", "regression"), ("run", "changed")]
    assert "perhaps the machine's doing" in the("latency", before, now).why
    assert "the machine itself took 40% longer" in the("run", before, now).why


def test_the_rows_own_warning_of_load_stands_beside_its_alarm():
    said = "load: other processes took 59% of its CPUs; close them and repeat"
    finding = the("latency", side(timed(CASE)), side(timed(CASE, 7, seed=2, warnings=(said,))))
    assert "the run warns: load: other processes took 59% of its CPUs" in finding.why


def test_one_thread_instead_of_two_is_held_against_it_and_named():
    before, now = side(timed(latency_case("onnxruntime", threads=2), 5)), side(timed(CASE, 9, seed=2))
    assert found(before, now) == [("latency", "regression"), ("run", "changed")]
    assert "[threads 2 -> 1]" in the("latency", before, now).case
    assert the("run", before, now).candidate == "1 thread"


def test_fewer_threads_are_not_said_to_be_the_machines_doing():
    """A run on fewer threads measures the machine on fewer threads, too."""
    one, two = limit(1.4), limit(1.0, threads=2)
    before = side(timed(latency_case("onnxruntime", threads=2), 5), limits=(two,))
    finding = the("latency", before, side(timed(CASE, 7, seed=2), limits=(one,)))
    assert finding.verdict == "regression"
    assert "machine's doing" not in finding.why


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_a_case_that_was_a_number_and_is_none_is_a_regression_with_its_reason(status):
    finding = the("status", side(timed(CASE)), side(Result(case=CASE, status=status, reason="no such luck")))
    assert (finding.verdict, finding.why) == ("regression", "was ok: no such luck")


def test_new_and_vanished_cases_are_named():
    other, third = latency_case("opencv"), latency_case("openvino")
    skipped = Result(case=third, status="skipped", reason="not here")
    before, now = side(timed(CASE), timed(other), skipped), side(timed(CASE, seed=2), timed(latency_case("tensorrt")))
    assert found(before, now) == [("status", "new"), ("status", "vanished")]
    told = {f.case.split(", ")[1]: f.verdict for f in judge(before, now) if f.dimension == "status"}
    assert told == {"onnxruntime": "ok", "opencv": "vanished", "openvino": "ok", "tensorrt": "new"}


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        ([timed(CASE)], [timed(latency_case("opencv"))], "have no case in common"),
        (
            [Result(case=CASE, status="failed", reason="x")],
            [timed(CASE)],
            "in common none is ok in base",
        ),
    ],
)
def test_where_there_is_nothing_to_compare_it_is_refused(before, now, wanted):
    with pytest.raises(BadInput, match=wanted):
        judge(side(*before), side(*now))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"started": "2027-06-01T10:00:00+00:00"}, ("open", "stale: measured 212 days before the run, 90 are allowed")),
        ({"started": "2026-01-01T10:00:00+00:00"}, ("open", "the baseline was measured after the run")),
        ({"started": "in spring"}, ("open", "when now was measured cannot be read")),
        ({"versions": {"onnxruntime": "1.33.0"}}, ("changed", "another version")),
        ({"git_commit": "d" * 40}, ("new", "another commit")),
        ({"host": {**run_record().host, "python": "3.12.1"}}, ("changed", "another version")),
        ({"config": run_record().config.model_copy(update={"options": {"engine": "new"}})},
         ("changed", "measured with another --options")),
    ],
    ids=["stale", "younger", "no date", "version", "commit", "Python", "options"],
)  # fmt: skip
def test_a_baseline_that_is_not_quite_the_same_is_named(changes, wanted):
    finding = the("run", side(timed(CASE)), side(timed(CASE, seed=2), name="now", **changes))
    assert (finding.verdict, finding.why) == wanted


def test_a_runtime_that_fuses_otherwise_on_another_machine_is_told_and_no_alarm():
    """Measured: OpenVINO runs two nodes more of the lean networks where the CPU has no AVX-512."""
    before, now = side(timed(CASE)), side(timed(CASE, placement={"CPUExecutionProvider": 26}), machine="bbbb")
    finding = the("nodes", before, now)
    assert (finding.verdict, finding.why) == (
        "changed", "+2 nodes run, by the same version of the runtime on another machine"
    )  # fmt: skip


def test_a_runtime_of_another_version_is_named_once_and_its_nodes_are_no_alarm():
    cases = [latency_case("onnxruntime", batch=batch) for batch in (1, 2, 3)]
    newer = {"placement": {"CPUExecutionProvider": 30}, "runtime": {"version": "1.33.0"}}
    findings = judge(side(*map(timed, cases)), side(*(timed(c, seed=2, **newer) for c in cases)))
    assert [(f.case, f.candidate) for f in findings if f.dimension == "run"] == [("backend onnxruntime", "1.33.0")]
    assert {f.verdict for f in findings if f.dimension == "nodes" and f.of is not None} == {"changed"}


def accuracy(*scores_, **changes):
    return side(scored(accuracy_case(), *scores_, **changes))


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (share(300), share(298), []),
        (share(300), share(297), ["open"]),
        (share(300), share(294), ["open"]),
        (share(300), share(293), ["regression"]),
        (share(300), share(307), ["better"]),
        (mae(5.0), mae(5.09), []),
        (mae(5.0), mae(5.12), ["regression"]),
        (mae(5.0, n=20), mae(5.9, n=20), ["open"]),
        (mae(5.0), mae(4.8), ["better"]),
    ],
    ids=[
        *("2 faces fewer", "3 fewer", "6 fewer", "7 fewer", "7 more"),
        *("within 0.1 years", "beyond on many faces", "beyond on few", "less"),
    ],
)
def test_scores_without_predictions_fail_by_seven_faces_and_more(before, after, verdict):
    findings = judge(accuracy(before), accuracy(after))
    assert [f.verdict for f in findings if f.dimension == "scores" and f.verdict != "ok"] == verdict


def test_seven_faces_on_one_side_are_what_mcnemar_needs():
    from bench.check.scores import FEWEST
    from bench.differences import ALPHA, of_shares

    def p(faces):
        first = np.zeros(100, dtype=bool)
        first[:faces] = True
        return of_shares(first, np.zeros(100, dtype=bool)).p

    assert p(FEWEST) < ALPHA <= p(FEWEST - 1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"split": "b"}, "different images or labels"),
        ({"rule": "by ear"}, "another label rule: by ear, not by hand"),
    ],
)
def test_scores_of_other_images_or_labels_are_not_compared(changes, why):
    finding = the("scores", accuracy(share(300)), accuracy(share(100), **changes))
    assert (finding.verdict, why in finding.why) == ("not compared", True)


def test_fewer_faces_and_a_score_that_is_gone_are_named():
    before = accuracy(share(300), share(400, metric="one_off"))
    assert found(before, accuracy(share(290, n=483))) == [("scores", "changed"), ("scores", "vanished")]


GENDER = Head(task="gender", output="prob", decode="argmax", labels=("male", "female"))


def predicted(folder, wrong):
    """Write a run's predictions of 400 faces, of which those in ``wrong`` are taken for the other sex."""
    folder.mkdir()
    sexes = [("male", "female")[i % 2] for i in range(400)]
    faces = tuple(Sample(f"{i:03}", folder / f"{i:03}", 30.0, sex) for i, sex in enumerate(sexes))
    other = {"male": "female", "female": "male"}
    said = Prediction(gender=np.array([other[s] if i in wrong else s for i, s in enumerate(sexes)]))
    result = scored(accuracy_case(), *scores(GENDER, said, faces))
    predictions.write(folder, result, Split("own", "all", "by hand", faces), faces, [(GENDER, said)])
    return side(result, folder=folder)


@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        (range(10, 22), "regression"),  # 12 faces lost, none won: p = 0.0002
        (range(40, 64), "open"),  # 24 lost and 12 won, the same 12 net: p = 0.05
        (range(1), "better"),
    ],
    ids=["one way", "both ways", "better"],
)
def test_scores_with_predictions_are_compared_face_by_face(tmp_path, wrong, verdict):
    before = predicted(tmp_path / "a", set() if verdict == "regression" else set(range(12)))
    finding = the("scores", before, predicted(tmp_path / "b", set(wrong)))
    assert finding.verdict == verdict
    assert "in pairs, " in finding.why
    without = replace(before, folder=None)
    if verdict == "open":  # nobody knows of the 12 that went the other way
        assert the("scores", without, predicted(tmp_path / "c", set(wrong))).verdict == "regression"


def points(ms, scenario, **changes):
    case = latency_case("onnxruntime", scenario=scenario)
    rounds = {"rounds": (2,) * 6} if scenario == "batch" else {}
    many = [
        Point(batch=size, images=size, times_ms=times(ms * size, size, 6, 2).times_ms, **rounds, **changes)
        for size in ((1, 2) if scenario == "batch" else (4,))
    ]
    return side(timed(case, latency=None, points=many))


def test_every_size_of_a_sweep_and_the_pass_over_a_split_are_judged():
    slower = judge(points(5.0, "batch"), points(6.0, "batch"))
    assert [(f.case[-7:], f.verdict) for f in slower if f.dimension == "throughput"] == [
        ("batch 1", "regression"),
        ("batch 2", "regression"),
    ]
    pair = [points(ms, "offline", part="overlapped") for ms in (5.0, 6.0)]
    assert the("throughput", *pair).verdict == "regression"


def test_the_rate_of_a_server_is_never_an_alarm():
    def server(rate):
        met = Point(batch=1, images=1, times_ms=(1.0,) * 64, rate_per_s=rate, requests=64, judged=90, limit_ms=10.0)
        return side(timed(latency_case("onnxruntime", scenario="server"), latency=None, points=(met,)))

    assert found(server(100.0), server(95.0)) == []
    assert the("throughput", server(100.0), server(60.0)).verdict == "open"


def test_a_latency_without_rounds_is_open():
    old = times(5, 1).model_copy(update={"rounds": ()})
    assert the("latency", side(timed(CASE, latency=old)), side(timed(CASE, 9, seed=2))).verdict == "open"


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), (" 0.5 % ", 0.005), ("0.1", 0.1), ("200%", 2.0), ("0", 0.0)])
def test_per_cent_and_shares_are_read(text, share):
    assert share_of(text, "--max-slowdown") == pytest.approx(share)


@pytest.mark.parametrize("text", ["10", "1", "ten", "-5%", "nan%", "inf", "", "%", "10%%", "1e3"])
def test_what_is_neither_is_one_clear_line(text):
    with pytest.raises(BadInput, match=r"--max-slowdown .*(give per cent as 10%|above 0)"):
        share_of(text, "--max-slowdown", zero=False)


def test_strict_fails_what_is_undecided_and_nothing_else():
    one = [Finding("c", "latency", v, "-", "-", "w") for v in ("ok", "better", "new", "changed")]
    assert not Judged("t", tuple(one), strict=True).failed
    for verdict in ("open", "not compared", "vanished"):
        undecided = (*one, Finding("c", "latency", verdict, "-", "-", "w"))
        assert (Judged("t", undecided).failed, Judged("t", undecided, strict=True).failed) == (False, True)
    assert Judged("t", (*one, Finding("c", "latency", "regression", "-", "-", "w"))).exit_code == 1
