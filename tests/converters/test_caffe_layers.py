"""Every layer case three ways: Caffe's own answer (``tests/golden/caffe``), the numpy reference, and the runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from layer_cases import cases, one_layer
from numpy.testing import assert_allclose

from converters.caffe import convert_net, to_bytes
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.runtimes import RUNTIMES

GOLDEN = Path(__file__).parents[1] / "golden" / "caffe"
CASES = list(cases())
NAMES = [f"{type_name} {bottom} {text}" for _, type_name, text, bottom in CASES]
FORMS = [(*case[1:], lrn) for case in CASES for lrn in ("lowered", "native") if lrn == "lowered" or case[1] == "LRN"]
NUMBERED = [(*case, sum(c[0] == case[0] for c in CASES[:i])) for i, case in enumerate(CASES)]


@pytest.mark.parametrize(("family", "type_name", "text", "bottom", "number"), NUMBERED, ids=NAMES)
def test_reference_is_what_caffe_answers(tmp_path, family, type_name, text, bottom, number):
    with np.load(GOLDEN / f"{family}.npz") as golden:
        assert str(golden[f"{number}:text"]) == text, "the cases changed: run tests/golden/make_layers.py again"
        count = sum(key.startswith(f"{number}:weights") for key in golden.files)
        weights = [golden[f"{number}:weights {i}"] / np.float32(16) for i in range(count)]
        data, top = golden[f"{number}:input"] / np.float32(16), golden[f"{number}:top"]
    (tmp_path / "a.prototxt").write_text(one_layer(type_name, text, bottom))
    if weights:
        (tmp_path / "a.caffemodel").write_bytes(caffemodel({"top": weights}))
    net = read_net(tmp_path / "a.prototxt", tmp_path / "a.caffemodel" if weights else None)
    assert net.shapes["top"] == top.shape
    assert_allclose(run(net, {"data": data})["top"], top, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("type_name", "text", "bottom", "lrn"), FORMS)
def test_runtimes_give_the_reference(tmp_path, type_name, text, bottom, lrn, runtime):
    net = read_net(*write(tmp_path, one_layer(type_name, text, bottom), bottom))
    model = to_bytes(convert_net(net, lrn=lrn))
    for batch in (bottom[0], 1, 5):
        data = feed(bottom, batch)
        top = RUNTIMES[runtime](model, data)["top"]
        assert top.shape == (batch, *net.shapes["top"][1:])
        assert_allclose(top, run(net, data)["top"], rtol=1e-4, atol=3e-5)


def test_every_family_has_a_golden_file():
    assert {path.stem for path in GOLDEN.glob("*.npz")} == {family for family, *_ in CASES}
