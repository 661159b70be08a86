"""Networks with branches, in-place layers, several inputs and outputs: Caffe's answers, the reference, the runtimes.

Each ``tests/golden/nets/<name>.prototxt`` is one, with what Caffe leaves in its blobs beside it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from caffe_nets import caffemodel
from golden_numbers import real
from numpy.testing import assert_allclose

from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

NETS = sorted((Path(__file__).parents[1] / "golden" / "nets").glob("*.prototxt"))


@pytest.fixture(params=NETS, ids=lambda path: path.stem)
def golden(request, tmp_path):
    """Return the network with the weights, its inputs, and Caffe's blobs."""
    with np.load(request.param.with_suffix(".npz")) as stored:
        arrays = dict(stored)
    weights: dict[str, list[np.ndarray]] = {}
    for key in [key for key in arrays if key.startswith("weights ")]:
        weights.setdefault(key.split()[1], []).append(real(arrays.pop(key), fan_in=True))
    (tmp_path / "net.caffemodel").write_bytes(caffemodel(weights))
    net = read_net(request.param, tmp_path / "net.caffemodel")
    return net, {name: real(arrays.pop(name)) for name in net.inputs}, arrays


@pytest.fixture
def free(golden):
    """Return a network whose batch may be any."""
    if golden[0].fixed:
        pytest.skip("its batch is the file's")
    return golden


def at(batch, feeds):
    """Return the inputs with another number of samples, no two of them alike."""
    return {n: np.stack([feed[i % len(feed)] * (1 + i / 8) for i in range(batch)]) for n, feed in feeds.items()}


def test_reference_has_every_blob_of_caffe(golden):
    net, feeds, expected = golden
    blobs = run(net, feeds)
    assert set(expected) == {name for name in net.shapes if "@" not in name} - set(feeds)
    assert set(net.outputs) < set(expected)
    for name, top in expected.items():
        assert net.shapes[name] == top.shape
        assert_allclose(blobs[name], top, rtol=1e-5, atol=1e-5, err_msg=name)
        if net.symbols[name] or name in net.outputs:  # the others may be blobs filled with one number
            assert len(np.unique(top.round(4))) > 4, f"{name} would not show an error"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outputs_are_those_of_caffe(golden, runtime):
    net, feeds, expected = golden
    found = RUNTIMES[runtime](to_bytes(convert_net(net)), feeds)
    assert found.keys() == set(net.outputs)
    for name, top in found.items():
        assert_allclose(top, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("batch", [1, 3, 5])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_blob_at_every_batch(free, runtime, batch):
    net, feeds, _ = free
    model, feeds = convert_net(net), at(batch, feeds)
    there = {name for node in model.graph.node for name in node.output}  # without those that were folded away
    made = [name for op in net.layers for name in op.tops if name in there and name not in net.outputs]
    assert len(made) > 5
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", *net.shapes[name][1:]]) for name in made
    )
    found, expected = RUNTIMES[runtime](to_bytes(model), feeds), run(net, feeds)
    for name, top in found.items():
        assert top.shape == (batch, *net.shapes[name][1:]), name
        assert_allclose(top, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("batch", [1, 3, 5])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outputs_at_every_batch(free, runtime, batch):
    net, feeds, _ = free
    feeds = at(batch, feeds)
    found, expected = RUNTIMES[runtime](to_bytes(convert_net(net)), feeds), run(net, feeds)
    for name, top in found.items():
        assert top.shape == (batch, *net.shapes[name][1:]), name
        assert_allclose(top, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_inputs_of_different_batches_are_refused(free):
    net, feeds, _ = free
    if len({frozenset(net.symbols[name].items()) for name in feeds}) == len(feeds):
        pytest.skip("no two inputs have one batch")
    name = next(iter(feeds))
    with pytest.raises(BadInput, match=f"different batch sizes: .*'{name}' 3"):
        run(net, {**feeds, name: at(3, feeds)[name]})


def test_there_are_networks():
    assert "branches" in {path.stem for path in NETS}
