"""Layers that work number by number: large numbers, corners, slopes of old files, and what they refuse."""

from __future__ import annotations

from math import exp, expm1, log1p, tanh

import numpy as np
import pytest
from caffe_nets import caffemodel
from layer_cases import one_layer
from numpy.testing import assert_allclose

from converters.caffe import convert
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

NUMBERS = [-3000.0, -90.0, -50.0, -6.5, -6.0, -1.0, 0.0, 0.25, 6.0, 6.5, 50.0, 90.0, 3000.0]

FORMULAS = {
    ("AbsVal", ""): abs,
    ("BNLL", ""): lambda x: max(x, 0) + log1p(exp(-abs(x))),
    ("Clip", "clip_param { min: -6 max: 0.25 }"): lambda x: min(max(x, -6), 0.25),
    ("ELU", "elu_param { alpha: 2 }"): lambda x: x if x > 0 else 2 * expm1(x),
    ("Power", "power_param { power: 2 shift: 6 }"): lambda x: (x + 6) ** 2,
    ("ReLU6", ""): lambda x: min(max(x, 0), 6),
    ("Sigmoid", ""): lambda x: 1 / (1 + exp(-x)) if x > -700 else 0,
    ("Swish", "swish_param { beta: 0.5 }"): lambda x: x / (1 + exp(-x / 2)) if x > -700 else 0,
    ("TanH", ""): tanh,
    ("Threshold", ""): lambda x: float(x > 0),
    ("Threshold", "threshold_param { threshold: 6 }"): lambda x: float(x > 6),
}


@pytest.mark.parametrize(("layer", "formula"), FORMULAS.items(), ids=[f"{kind} {text}" for kind, text in FORMULAS])
def test_large_numbers_and_corners(tmp_path, layer, formula):
    path, data = tmp_path / "net.prototxt", {"data": np.array([NUMBERS, NUMBERS[::-1]], dtype=np.float32)}
    path.write_text(one_layer(*layer, (2, len(NUMBERS))))
    expected = [[formula(x) for x in row] for row in (NUMBERS, NUMBERS[::-1])]
    assert_allclose(run(read_net(path), data)["top"], expected, rtol=1e-12, atol=1e-15)
    for runtime in RUNTIMES.values():
        assert_allclose(runtime(to_bytes(convert(path)), data)["top"], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "stored"),
    [("", (7,)), ("", (1, 1, 1, 7)), ("prelu_param { channel_shared: true }", (1, 1, 1, 1))],
)
def test_slopes_in_the_form_of_old_files(tmp_path, text, stored):
    slopes = np.arange(1, 1 + np.prod(stored), dtype=np.float32) / 4
    data = np.random.default_rng(2).normal(size=(2, 7, 5, 3)).astype(np.float32)
    (tmp_path / "net.prototxt").write_text(one_layer("PReLU", text, data.shape))
    (tmp_path / "net.caffemodel").write_bytes(caffemodel({"top": [slopes.reshape(stored)]}))
    net = read_net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    each = np.broadcast_to(slopes.ravel(), 7)
    for channel in range(7):
        plane = data[:, channel].astype(np.float64)
        expected = np.where(plane > 0, plane, plane * each[channel])
        assert_allclose(run(net, {"data": data})["top"][:, channel], expected)


@pytest.mark.parametrize(
    ("kind", "text", "bottom", "error", "message"),
    [
        ("Clip", "", (2, 7), BadInput, "give both min and max"),
        ("Clip", "clip_param { max: 1 }", (2, 7), BadInput, "give both min and max"),
        ("Clip", "clip_param { min: 2 max: 1 }", (2, 7), Unsupported, "min 2 above max 1"),
        ("Exp", "exp_param { base: 0 }", (2, 7), BadInput, "base 0 is not above 0; -1 stands for e"),
        ("Exp", "exp_param { base: -2 }", (2, 7), BadInput, "base -2 is not above 0"),
        ("Log", "log_param { base: -2 }", (2, 7), BadInput, "base -2 is not above 0"),
        ("Log", "log_param { base: 1 }", (2, 7), BadInput, "base 1 has no logarithm"),
        ("MVN", "", (2, 3, 5, 7, 11), BadInput, "it needs at most 4 axes"),
    ],
)
def test_refused(tmp_path, kind, text, bottom, error, message):
    (tmp_path / "net.prototxt").write_text(one_layer(kind, text, bottom))
    with pytest.raises(error, match=rf"net.prototxt:\d+: layer 'top' \({kind}\): .*{message}"):
        convert(tmp_path / "net.prototxt")


@pytest.mark.parametrize("kind", ["AbsVal", "LRN"])
def test_refused_in_place(tmp_path, kind):
    (tmp_path / "net.prototxt").write_text(one_layer(kind, "", (2, 7, 5, 3)).replace('top: "top"', 'top: "data"'))
    with pytest.raises(BadInput, match=rf"layer 'top' \({kind}\): top 'data' .*another name"):
        convert(tmp_path / "net.prototxt")
