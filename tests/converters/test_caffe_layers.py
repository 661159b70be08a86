"""Every layer case three ways: Caffe's own answer (``tests/golden/caffe``), the numpy reference, and the runtimes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from golden_numbers import real
from layer_cases import cases
from numpy.testing import assert_allclose

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available

GOLDEN = Path(__file__).parents[1] / "golden" / "caffe"
CASES = list(cases())
JUDGED = [case for case in CASES if case.judge == "Caffe"]
FORMS = [(case, lrn) for case in CASES for lrn in ("lowered", "native") if lrn == "lowered" or case.type == "LRN"]

NO_ROWS = "OpenCV 4 has no blobs of one axis or none: it makes (N, 1) of (N,)"


def why_not(runtime, case, net):
    """Return why a runtime cannot run a case, else nothing."""
    version = available()[runtime].partition(".")[0]
    if (runtime, version) == ("opencv", "4") and any(len(net.shapes[top]) < 2 for top in case.outputs):
        return NO_ROWS
    gaps = (why for *where, part, why in case.gaps if where == [runtime, version] and part in str(case))
    return next(gaps, None)


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
    net = read_net(*write(tmp_path, case.network, case.bottoms, case.positive))
    if why := why_not(runtime, case, net):
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))
    model = to_bytes(convert_net(net, lrn=lrn))
    for batch in (None,) if net.fixed else (None, 1, 5):
        data = feed(case.bottoms, batch, net.layers[0])
        found, expected = RUNTIMES[runtime](model, data), run(net, data)
        assert sorted(found) == sorted(case.outputs)
        for name, top in found.items():
            assert top.shape == expected[name].shape
            assert all(top.shape[i] == n for i, n in enumerate(net.shapes[name]) if i not in net.symbols[name])
            assert_allclose(top, expected[name], rtol=1e-4, atol=3e-5)


def test_every_family_has_a_golden_file():
    assert {path.stem for path in GOLDEN.glob("*.npz")} == {case.family for case in JUDGED}
