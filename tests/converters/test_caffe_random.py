"""Random networks of `random_nets`, three ways: Caffe's own answer, the numpy reference, and the runtimes."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from caffe_nets import caffemodel, feed
from layer_cases import network
from numpy.testing import assert_allclose
from random_nets import SEEDS, filled, random_network

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available

GOLDEN = Path(__file__).parents[1] / "golden" / "random.npz"
OPENCV_4 = {
    "gives (N, 1) or (1, N) of (N,)": (9, 40, 53, 69, 86, 105, 135, 143, 147, 195, 200, 220, 221, 226, 295),
    "loses the shape of other blobs where an input has two axes": (
        *(4, 18, 63, 122, 179, 185, 194, 201, 212, 214, 218, 261, 288, 306, 311, 315),
    ),
}
"""Why OpenCV 4 cannot run the network of a seed."""

CANNOT = {("opencv", "4", seed): f"OpenCV 4 {why}" for why, seeds in OPENCV_4.items() for seed in seeds}
"""Runtime, its major version, seed: why it is wrong there."""

ROW = (
    'layer { name: "a" type: "Reshape" bottom: "data" top: "a" '
    "reshape_param { shape { dim: 0 dim: -1 dim: 1 dim: 28 } } }"
)
FOUND = {
    "dense layer behind a reshape": (
        f'{ROW} layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" '
        "inner_product_param { num_output: 11 axis: 2 } }",
        (2, 3, 7, 8),
    ),
    "sum behind a reshape": (
        f'{ROW} layer {{ name: "b" type: "Reduction" bottom: "a" top: "b" reduction_param {{ axis: 2 }} }}',
        (2, 3, 7, 8),
    ),
    "sum behind columns": (
        'layer { name: "a" type: "Im2col" bottom: "data" top: "a" '
        "convolution_param { kernel_size: [4, 1] stride: 2 } } "
        'layer { name: "b" type: "Reduction" bottom: "a" top: "b" reduction_param { operation: SUMSQ axis: 2 } }',
        (2, 3, 5, 11),
    ),
    "log of exp": (
        'layer { name: "a" type: "Exp" bottom: "data" top: "a" } '
        'layer { name: "b" type: "Log" bottom: "a" top: "b" log_param { shift: 0.5 } }',
        (2, 7, 5, 3),
    ),
    "single channels on one row": (
        'layer { name: "a" type: "Convolution" bottom: "data" top: "a" '
        "convolution_param { num_output: 7 group: 7 kernel_size: 3 pad: 1 } }",
        (2, 7, 1, 5),
    ),
    "squares on one row": (
        'layer { name: "a" type: "LRN" bottom: "data" top: "a" '
        "lrn_param { local_size: 3 norm_region: WITHIN_CHANNEL } }",
        (2, 7, 1, 5),
    ),
    "square of one number": (
        'layer { name: "a" type: "Reduction" bottom: "data" top: "a" reduction_param { operation: SUMSQ axis: 2 } }',
        (2, 7, 1, 1),
    ),
    "an input of two axes": (
        'layer { name: "a" type: "Pooling" bottom: "data" top: "a" pooling_param { pool: AVE kernel_size: 2 pad: 1 } } '
        'layer { name: "b" type: "ReLU" bottom: "data_2" top: "b" }',
        ((2, 3, 8, 11), (2, 8)),
    ),
}
"""What thousands of random networks have shown to be easily got wrong, cut down to the least: layers and inputs."""

WRONG = {
    ("opencv", "4", "an input of two axes"): "OpenCV 4 loses the shape of other blobs where an input has two axes",
}
"""Runtime, its major version, network: why it is wrong there."""


@cache
def goldens():
    """Return what is stored of each seed."""
    found = defaultdict(dict)
    with np.load(GOLDEN) as stored:
        for key in stored.files:
            seed, _, what = key.partition(":")
            found[int(seed)][what] = stored[key]
    return found


def golden(seed):
    """Return the drawn network's seed and text, and what Caffe leaves in its outputs."""
    found = dict(goldens()[seed])
    return int(found.pop("drawn")), str(found.pop("text")), found


def expect_failure(request, table, runtime, case):
    """Mark a test that a table says this runtime's version fails."""
    if why := table.get((runtime, available()[runtime].partition(".")[0], case)):
        request.applymarker(pytest.mark.xfail(reason=why, strict=True))


@pytest.fixture
def drawn(request, tmp_path):
    """Return the network of a seed as read, its inputs for any batch, and Caffe's outputs."""
    seed = request.getfixturevalue("seed")
    drawn, text, outputs = golden(seed)
    weights, _ = filled(random_network(drawn), drawn)
    prototxt, binary = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    prototxt.write_text(text)
    binary.write_bytes(caffemodel(weights))
    net = read_net(prototxt, binary if weights else None)
    return net, lambda batch: filled(random_network(drawn), drawn, batch)[1], outputs


@pytest.mark.parametrize("seed", SEEDS)
def test_reference_is_what_caffe_answers(drawn, seed):
    net, inputs, expected = drawn
    blobs = run(net, inputs(2))
    assert set(net.outputs) == set(expected)
    for name, top in expected.items():
        assert net.shapes[name] == top.shape
        assert_allclose(blobs[name], top, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("seed", SEEDS)
def test_runtimes_give_what_caffe_answers(request, drawn, seed, runtime):
    expect_failure(request, CANNOT, runtime, seed)
    net, inputs, expected = drawn
    model = to_bytes(convert_net(net))
    found = RUNTIMES[runtime](model, inputs(2))
    assert found.keys() == expected.keys()
    for name, top in found.items():
        assert top.shape == expected[name].shape, name
        assert_allclose(top, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    for batch in (1, 3) if seed % 4 == 0 else ():
        found, blobs = RUNTIMES[runtime](model, inputs(batch)), run(net, inputs(batch))
        for name, top in found.items():
            assert top.shape == (batch, *net.shapes[name][1:]), name
            assert_allclose(top, blobs[name], rtol=1e-4, atol=1e-5, err_msg=f"{name} at batch {batch}")


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", FOUND)
def test_what_was_found(tmp_path, request, name, runtime):
    expect_failure(request, WRONG, runtime, name)
    layers, bottoms = FOUND[name]
    (tmp_path / "net.prototxt").write_text(network(layers, bottoms))
    net = read_net(tmp_path / "net.prototxt")
    model = to_bytes(convert_net(net))
    for batch in (2, 1, 3):
        data = feed(bottoms, batch)
        found, expected = RUNTIMES[runtime](model, data), run(net, data)
        for output in net.outputs:
            assert found[output].shape == expected[output].shape
            assert_allclose(found[output], expected[output], rtol=1e-4, atol=1e-5)


def test_the_networks_are_those_that_are_drawn():
    for seed in SEEDS:
        drawn, text, _ = golden(seed)
        assert random_network(drawn).text == text, f"seed {seed}: run tests/golden/make_nets.py again"
