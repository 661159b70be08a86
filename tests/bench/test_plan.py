"""Which cases a run has, also those it will skip, counted by hand."""

from dataclasses import replace
from itertools import groupby

import pytest

from bench.plan import ACCURACY_BATCH, plan
from bench.records import RunConfig
from bench.types import Sample, Split
from zoo.card import find_networks

FACES = Split("own", "all", "rule", (Sample("a", "a", 30.0, "male"), Sample("b", "b", None, "female")))


def planned(pattern="levi-hassner-*", splits=(FACES,), refused=None, readers=None, **changes):
    networks = find_networks(pattern)
    values = {
        "networks": tuple(networks),
        "backends": ("onnxruntime", "opencv"),
        "device": "cpu",
        "precisions": ("fp32",),
        "data": (),
        "batches": (1, 8),
        "threads": 3,
        "limit": None,
        "only": None,
    }
    config = RunConfig.model_validate({**values, **changes})
    return plan(config, networks, dict.fromkeys(config.backends, "cpu"), refused or {}, readers or {}, splits)


def test_latency_is_measured_once_a_graph_and_accuracy_for_every_variant():
    cases = [p.case for p in planned()]
    assert len(cases) == len(set(cases)) == 2 * (2 * 2) + 4 * 2
    assert {c.network for c in cases if c.kind == "latency"} == {"levi-hassner-age", "levi-hassner-gender"}
    assert {c.batch for c in cases if c.kind == "latency"} == {1, 8}
    assert {c.batch for c in cases if c.kind == "accuracy"} == {ACCURACY_BATCH}
    (ten,) = planned("levi-hassner-age@over-sampled", only="accuracy", backends=("opencv",))
    assert ten.case.batch == 10  # the views of one face
    assert {c.threads for c in cases} == {3}


def test_a_variant_alone_has_its_latency_measured_under_its_own_name():
    cases = [p.case for p in planned("levi-hassner-age@mean-image", only="latency", batches=(1,))]
    assert {c.network for c in cases} == {"levi-hassner-age@mean-image"}


def test_backends_of_one_network_and_batch_stand_side_by_side():
    order = [(c.network, c.batch) for c in (p.case for p in planned(only="latency"))]
    assert order[0::2] == order[1::2]


@pytest.mark.parametrize(("only", "kinds"), [("latency", {"latency"}), ("accuracy", {"accuracy"})])
def test_only_one_kind(only, kinds):
    assert {p.case.kind for p in planned(only=only)} == kinds


def test_a_split_without_the_label_is_a_skipped_case_that_says_so():
    nobody = replace(FACES, samples=(Sample("a", "a", 30.0, None),))
    skips = {p.case.network: p.skip for p in planned(splits=(nobody,), only="accuracy")}
    assert skips["levi-hassner-age"] is None
    assert skips["levi-hassner-gender"] == "own:all has no gender labels"


def test_a_refused_backend_keeps_its_cases():
    rows = planned(refused={("opencv", "*"): "broken"})
    assert {p.skip for p in rows if p.case.backend == "opencv"} == {"broken"}
    assert {p.skip for p in rows if p.case.backend == "onnxruntime"} == {None}


def test_every_precision_is_a_case():
    rows = planned(precisions=("fp32", "int8"), only="latency")
    assert len(rows) == 16
    assert {p.skip for p in rows} == {None}


def test_a_backend_of_original_files_has_a_reason_for_each_network_that_comes_as_another_format():
    rows = planned("levi-hassner-age,dlib-age,c3ae-plain", only="latency", readers={"opencv": ("caffe", "keras")})
    told = {p.case.network: p.skip for p in rows if p.case.backend == "opencv"}
    assert told["dlib-age"] == "it comes as onnx, and opencv is for networks that come as caffe or keras"
    assert told["levi-hassner-age"] is told["c3ae-plain"] is None


def test_what_is_refused_for_one_format_is_refused_for_it_alone():
    refused = {("opencv", "keras"): "no TensorFlow"}
    rows = planned(
        "levi-hassner-age,c3ae-plain", only="latency", readers={"opencv": ("caffe", "keras")}, refused=refused
    )
    told = {p.case.network: p.skip for p in rows if p.case.backend == "opencv"}
    assert told == {"levi-hassner-age": None, "c3ae-plain": "no TensorFlow"}


def test_original_files_have_no_other_precision():
    rows = planned("levi-hassner-age", only="latency", readers={"opencv": ("caffe",)}, precisions=("fp32", "fp16"))
    told = {p.case.precision: p.skip for p in rows if p.case.backend == "opencv"}
    assert told["fp32"] is None
    assert "no fp16 of them" in told["fp16"]


def test_cases_that_share_their_workers_stand_together_batches_rising():
    rows = [p.case for p in planned(batches=(8, 1), threads=(1, 2))]
    groups = [(c.network.partition("@")[0], c.threads) for c in rows]
    assert len(list(groupby(groups))) == len(set(groups)) == 4
    for _, group in groupby(rows, lambda c: (c.network.partition("@")[0], c.threads)):
        assert [c.batch for c in group if c.kind == "latency"] == [1, 1, 8, 8]
