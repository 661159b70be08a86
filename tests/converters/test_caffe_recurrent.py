"""LSTM and RNN beyond their cases: states carried from call to call, large numbers, sequences, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from caffe_nets import caffemodel, feed, write
from layer_cases import network, one_layer
from numpy.testing import assert_allclose

from converters.caffe import convert, convert_net
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.errors import BadInput, Unsupported
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

OUTPUTS = "recurrent_param { num_output: 4 }"
EXPOSED = "recurrent_param { num_output: 4 expose_hidden: true }"
X, CONT, STATE = (5, 3, 7), (5, 3), (1, 3, 4)
STATES = {"LSTM": 2, "RNN": 1}


def made(folder, kind, text, bottoms, tops=1):
    return read_net(*write(folder, one_layer(kind, text, bottoms, tops), bottoms))


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", STATES)
def test_steps_one_by_one_are_the_whole_sequence(tmp_path, kind, runtime):
    count = STATES[kind]
    states = (STATE,) * count
    data = feed((X, CONT))
    data["data_2"] = np.array([[0, 1, 1], [1, 1, 0], [1, 0, 1], [1, 1, 1], [0, 1, 1]], dtype=np.float32)
    whole = made(tmp_path, kind, OUTPUTS, (X, CONT))
    expected = run(whole, data)["top"]
    model = to_bytes(convert_net(made(tmp_path, kind, EXPOSED, ((1, 3, 7), (1, 3), *states), 1 + count)))
    carried = [np.zeros(STATE, dtype=np.float32)] * count
    for step in range(5):
        feeds = {"data": data["data"][step : step + 1], "data_2": data["data_2"][step : step + 1]}
        feeds |= {f"data_{i + 3}": state for i, state in enumerate(carried)}
        found = RUNTIMES[runtime](model, feeds)
        assert_allclose(found["top"][0], expected[step], rtol=1e-4, atol=1e-5)
        carried = [found[f"top_{i + 2}"].reshape(STATE) for i in range(count)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", STATES)
def test_a_zero_in_cont_begins_anew(tmp_path, kind, runtime):
    net = made(tmp_path, kind, OUTPUTS, (X, CONT))
    model, data = to_bytes(convert_net(net)), feed((X, CONT))
    data["data_2"] = np.ones(CONT, dtype=np.float32)
    data["data_2"][2, 1] = 0
    before = RUNTIMES[runtime](model, data)["top"]
    changed = {**data, "data": data["data"].copy()}
    changed["data"][0] += 1
    after = RUNTIMES[runtime](model, changed)["top"]
    assert_allclose(after[2:, 1], before[2:, 1], rtol=1e-6)
    assert (np.abs(after[2:, [0, 2]] - before[2:, [0, 2]]).max(axis=(0, 2)) > 1e-4).all()
    assert_allclose(after, run(net, changed)["top"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("kind", STATES)
def test_parts_of_a_state_and_large_numbers(tmp_path, kind, runtime):
    states = (STATE,) * STATES[kind]
    bottoms = (X, CONT, (3, 6), *states)
    net = made(tmp_path, kind, EXPOSED, bottoms, 1 + len(states))
    data = feed(bottoms)
    data["data_2"] = np.random.default_rng(3).uniform(0, 2, CONT).astype(np.float32)
    for name, factor in (("data", 100), ("data_3", 100), ("data_4", 80), ("data_5", 80)):
        if name in data:
            data[name] *= factor
    found, expected = RUNTIMES[runtime](to_bytes(convert_net(net)), data), run(net, data)
    for name, top in found.items():
        assert_allclose(top, expected[name], rtol=1e-4, atol=3e-5)


@pytest.mark.parametrize(("kind", "most"), [("LSTM", 14), ("RNN", 5)])
def test_nodes_a_step(tmp_path, kind, most):
    counts = {}
    for steps in (11, 21):
        net = made(tmp_path, kind, OUTPUTS, ((steps, 3, 7), (steps, 3)))
        counts[steps] = len(convert_net(net).graph.node)
    assert counts[21] - counts[11] <= 10 * most


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_rows_of_a_batch_as_a_sequence(tmp_path, runtime):
    """A net around an LSTM, the samples of whose convolution are its steps: the batch must be the file's."""
    layers = """
        layer { name: "features" type: "InnerProduct" bottom: "data" top: "features"
                inner_product_param { num_output: 5 } }
        layer { name: "steps" type: "Reshape" bottom: "features" top: "steps"
                reshape_param { shape { dim: 4 dim: 2 dim: 5 } } }
        layer { name: "lstm" type: "LSTM" bottom: "steps" bottom: "data_2" top: "lstm"
                recurrent_param { num_output: 3 } }
        layer { name: "scores" type: "InnerProduct" bottom: "lstm" top: "scores"
                inner_product_param { num_output: 6 axis: 2 } }
    """
    bottoms = ((8, 3, 2, 7), (4, 2))
    generator = np.random.default_rng(5)
    shapes = {"features": ((5, 42), (5,)), "lstm": ((12, 5), (12,), (12, 3)), "scores": ((6, 3), (6,))}
    weights = {name: [generator.normal(size=size) / 4 for size in sizes] for name, sizes in shapes.items()}
    (tmp_path / "a.prototxt").write_text(network(layers, bottoms))
    (tmp_path / "a.caffemodel").write_bytes(caffemodel(weights))
    net = read_net(tmp_path / "a.prototxt", tmp_path / "a.caffemodel")
    data = feed(bottoms)
    data["data_2"] = (data["data_2"] > 0).astype(np.float32)
    found = RUNTIMES[runtime](to_bytes(convert_net(net)), data)["scores"]
    assert net.fixed
    assert net.shapes["scores"] == found.shape == (4, 2, 6)
    assert_allclose(found, run(net, data)["scores"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "text", "bottoms", "tops", "error", "message"),
    [
        ("LSTM", "", (X, CONT), 1, BadInput, "num_output is missing or 0"),
        ("LSTM", OUTPUTS, (X, (3, 5)), 1, BadInput, r"'data_2', which says .*, has the shape \(3, 5\), not \(5, 3\)"),
        ("LSTM", OUTPUTS, ((5, 3), CONT), 1, BadInput, r"'data' has the shape \(5, 3\); it needs \(T, N, \.\.\)"),
        ("LSTM", OUTPUTS, (X, CONT, (5, 3, 2)), 1, BadInput, r"static bottom 'data_3' .* it needs \(3, \.\.\)"),
        ("LSTM", OUTPUTS, (X, CONT, (3,)), 1, BadInput, r"static bottom 'data_3' has the shape \(3,\)"),
        ("LSTM", OUTPUTS, (X, CONT), 3, BadInput, "2 bottoms and 3 tops; without expose_hidden .* 2 bottoms, one more"),
        ("LSTM", EXPOSED, (X, CONT, STATE), 3, BadInput, "with expose_hidden it has 4 bottoms, .* 3 tops"),
        ("LSTM", EXPOSED, (X, CONT, STATE, (3, 4)), 3, BadInput, r"'data_4', a state, .*\(3, 4\), not \(1, 3, 4\)"),
        ("RNN", EXPOSED, (X, CONT, (1, 3, 5)), 2, BadInput, r"'data_3', a state, has the shape \(1, 3, 5\)"),
        ("RNN", OUTPUTS, (X, CONT, (3, 2), STATE), 1, BadInput, "4 bottoms and 1 tops"),
        ("RNN", OUTPUTS, ((1001, 1, 2), (1001, 1)), 1, Unsupported, "1001 steps is not supported; up to 1000 are"),
        ("RNN", OUTPUTS, (X,), 1, Unsupported, "1 bottoms"),
    ],
)
def test_refused(tmp_path, kind, text, bottoms, tops, error, message):
    path = tmp_path / "net.prototxt"
    path.write_text(one_layer(kind, text, bottoms, tops))
    with pytest.raises(BadInput, match=message) as caught:
        convert(path)
    assert type(caught.value) is error
    assert f"layer 'top' ({kind}): " in str(caught.value)


@pytest.mark.parametrize("text", ["recurrent_param { num_output: 4000000000 }", OUTPUTS])
def test_sizes_that_nobody_has(tmp_path, text):
    path = tmp_path / "net.prototxt"
    path.write_text(one_layer("LSTM", text, ((90000000, 1, 1), (90000000, 1))))
    with pytest.raises(BadInput, match=r"steps is not supported|numbers"):
        convert(path)
