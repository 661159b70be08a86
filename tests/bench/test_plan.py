"""Which cases a run has, also those it will skip, counted by hand."""

from dataclasses import replace

import pytest

from bench.plan import ACCURACY_BATCH, plan
from bench.records import RunConfig
from bench.types import Sample, Split
from zoo.card import find_networks

FACES = Split("own", "all", "rule", (Sample("a", "a", 30.0, "male"), Sample("b", "b", None, "female")))


def planned(pattern="levi-hassner-*", splits=(FACES,), refused=None, **changes):
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
    return plan(config, networks, dict.fromkeys(config.backends, "cpu"), refused or {}, splits)


def test_latency_is_measured_once_a_graph_and_accuracy_for_every_variant():
    cases = [p.case for p in planned()]
    assert len(cases) == len(set(cases)) == 2 * (2 * 2) + 4 * 2
    assert {c.network for c in cases if c.kind == "latency"} == {"levi-hassner-age", "levi-hassner-gender"}
    assert {c.batch for c in cases if c.kind == "latency"} == {1, 8}
    assert {c.batch for c in cases if c.kind == "accuracy"} == {ACCURACY_BATCH}
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
    rows = planned(refused={"opencv": "broken"})
    assert {p.skip for p in rows if p.case.backend == "opencv"} == {"broken"}
    assert {p.skip for p in rows if p.case.backend == "onnxruntime"} == {None}


def test_every_precision_is_a_case():
    rows = planned(precisions=("fp32", "int8"), only="latency")
    assert len(rows) == 16
    assert {p.skip for p in rows} == {None}
