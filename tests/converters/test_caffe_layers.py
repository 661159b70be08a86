"""Every layer case three ways: Caffe's own answer (``tests/golden/caffe``), the numpy reference, and the runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from golden_numbers import real
from layer_cases import NOT_IN_CAFFE, cases
from numpy.testing import assert_allclose

from converters.caffe import convert_net, to_bytes
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.runtimes import RUNTIMES, available

GOLDEN = Path(__file__).parents[1] / "golden" / "caffe"
CASES = list(cases())
JUDGED = [case for case in CASES if case.type not in NOT_IN_CAFFE]
FORMS = [(case, lrn) for case in CASES for lrn in ("lowered", "native") if lrn == "lowered" or case.type == "LRN"]

CANNOT = {("opencv", "4", "Reshape (3, 1) reshape_param { shape { dim: 0 } }"): "OpenCV 4 makes (N, 1) of (N,)"}
"""Runtime, its major version, case: why there is no form that it runs."""


@pytest.mark.parametrize("case", JUDGED, ids=str)
def test_reference_is_what_caffe_answers(tmp_path, case):
    with np.load(GOLDEN / f"{case.family}.npz") as golden:
        prefix = f"{case.number}:"
        found = {key.removeprefix(prefix): golden[key] for key in golden.files if key.startswith(prefix)}
    assert str(found["text"]) == case.text, "the cases changed: run tests/golden/make_layers.py again"
    weights = [real(found[key]) for key in sorted(found) if key.startswith("weights")]
    (tmp_path / "a.prototxt").write_text(case.network)
    if weights:
        (tmp_path / "a.caffemodel").write_bytes(caffemodel({"top": weights}))
    net = read_net(tmp_path / "a.prototxt", tmp_path / "a.caffemodel" if weights else None)
    blobs = run(net, {name: real(found[name]) for name in case.inputs})
    assert net.inputs == case.inputs
    for name in case.outputs:
        assert net.shapes[name] == found[name].shape
        assert_allclose(blobs[name], found[name], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("case", "lrn"), FORMS, ids=str)
def test_runtimes_give_the_reference(tmp_path, request, case, lrn, runtime):
    if why := CANNOT.get((runtime, available()[runtime].partition(".")[0], str(case))):
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    net = read_net(*write(tmp_path, case.network, case.bottoms, case.positive))
    model = to_bytes(convert_net(net, lrn=lrn))
    for batch in (case.bottoms[0][0], 1, 5):
        data = feed(case.bottoms, batch)
        found, expected = RUNTIMES[runtime](model, data), run(net, data)
        assert sorted(found) == sorted(case.outputs)
        for name, top in found.items():
            assert top.shape == (batch, *net.shapes[name][1:])
            assert_allclose(top, expected[name], rtol=1e-4, atol=3e-5)


def test_every_family_has_a_golden_file():
    assert {path.stem for path in GOLDEN.glob("*.npz")} == {case.family for case in JUDGED}
