"""Preprocessing in the graph gives what the plain network gives on an image that was prepared by hand."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import onnx
import pytest
from caffe_nets import caffemodel
from layer_cases import network
from numpy.testing import assert_allclose

from converters import __main__ as command
from converters.caffe import convert_net
from converters.caffe.net import read_net
from converters.caffe.preprocessing import Preprocessing, embed
from converters.caffe.reference import run
from converters.caffe.schema import messages
from converters.errors import BadInput, run_command
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES

BOTTOM = (2, 3, 9, 7)
LAYERS = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 pad: 1 } }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
"""
NUMBERS = np.array([104, 117, 123.5], dtype=np.float32)
IMAGE = np.random.default_rng(3).uniform(0, 255, (3, 13, 8)).astype(np.float32)


@pytest.fixture
def files(tmp_path):
    generator = np.random.default_rng(5)
    weights = [generator.normal(size=(5, 3, 3, 3)) / 27, generator.normal(size=5)]
    (tmp_path / "net.prototxt").write_text(network(LAYERS, BOTTOM))
    (tmp_path / "net.caffemodel").write_bytes(caffemodel({"conv": weights}))
    mean = messages()["BlobProto"](num=1, channels=3, height=13, width=8, data=IMAGE.ravel().tolist())
    (tmp_path / "mean.binaryproto").write_bytes(mean.SerializeToString())
    return tmp_path / "net.prototxt", tmp_path / "net.caffemodel"


def by_hand(preprocessing, images):
    """Prepare images (N, 3, 9, 7) as Caffe does: the middle of the mean image, the numbers of channels spread out."""
    images = images[:, ::-1] if preprocessing.swap_rb else images
    mean = preprocessing.mean
    if mean is not None:
        images = images - (mean[:, 2:11, 0:7] if mean.ndim == 3 else mean[:, None, None])
    return images * np.float32(preprocessing.scale)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(NUMBERS),
        Preprocessing(IMAGE),
        Preprocessing(NUMBERS, scale=1 / 128),
        Preprocessing(IMAGE, scale=1 / 128, swap_rb=True),
        Preprocessing(swap_rb=True),
        Preprocessing(scale=0.017),
    ],
    ids=["mean", "mean image", "mean and scale", "all", "swap", "scale"],
)
def test_raw_images_in(files, preprocessing, runtime):
    net = read_net(*files)
    whole, model = embed(net, preprocessing), to_bytes(convert_net(embed(net, preprocessing)))
    for batch in (1, 2, 5):
        images = np.random.default_rng(batch).integers(0, 256, (batch, *BOTTOM[1:])).astype(np.float32)
        expected = run(net, {"data": by_hand(preprocessing, images).astype(np.float64)})
        found, judged = RUNTIMES[runtime](model, {"data": images}), run(whole, {"data": images})
        for name in net.outputs:
            largest = np.abs(expected[name]).max()
            assert_allclose(found[name], expected[name], atol=1e-6 * largest, rtol=0)
            assert_allclose(judged[name], expected[name], atol=1e-6 * largest, rtol=0)


def test_input_keeps_its_name(files):
    graph = convert_net(embed(read_net(*files), Preprocessing(IMAGE, scale=0.5, swap_rb=True))).graph
    assert [value.name for value in graph.input] == ["data"]
    assert {"conv", "pool", "data@preprocessing"} <= {name for node in graph.node for name in node.output}


def call(*arguments):
    return run_command(command.main, [str(argument) for argument in arguments])


def test_command(files, tmp_path, capsys):
    out, mean = tmp_path / "out.onnx", tmp_path / "mean.binaryproto"
    options = ("--embed-preprocessing", "--mean", mean, "--scale", "0.25", "--swap-rb")
    assert call("caffe", *files, "-o", out, "--verify", *options) == 0
    assert "FAILED" not in capsys.readouterr().out
    properties = {p.key: p.value for p in onnx.load(out).metadata_props}
    said = {"mean": f"mean.binaryproto sha256 {hashlib.sha256(mean.read_bytes()).hexdigest()}"}
    assert json.loads(properties["preprocessing"]) == {**said, "scale": 0.25, "swap_rb": True}
    assert call("caffe", *files, "-o", out, "--embed-preprocessing", "--mean", "1,2.5,3") == 0
    properties = {p.key: p.value for p in onnx.load(out).metadata_props}
    assert json.loads(properties["preprocessing"])["mean"] == "1,2.5,3"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--mean", "1,2,3"], "with --embed-preprocessing only"),
        (["--swap-rb"], "with --embed-preprocessing only"),
        (["--embed-preprocessing"], "nothing to embed"),
        (["--embed-preprocessing", "--mean", "1,2"], "1,2: a mean of 2 channels; the network's input has 3"),
        (["--embed-preprocessing", "--mean", "nowhere.binaryproto"], "no such file, and no numbers such as"),
        (["--embed-preprocessing", "--mean", "1,nan,3"], "must be finite"),
        (["--embed-preprocessing", "--scale", "0"], "must be a number other than 0"),
    ],
)
def test_wrong_options(files, tmp_path, capsys, options, said):
    assert call("caffe", *files, "-o", tmp_path / "out.onnx", *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "out.onnx").exists()


def test_what_does_not_fit(files):
    net = read_net(*files)
    with pytest.raises(BadInput, match=r"image of \(8, 7\) pixels is smaller than the input, \(9, 7\)"):
        embed(net, Preprocessing(IMAGE[:, :8, :7], "small.binaryproto"))


def test_names_that_the_network_has_already(tmp_path):
    layers = 'layer { name: "t" type: "TanH" bottom: "data" top: "data@preprocessing" }'
    (tmp_path / "net.prototxt").write_text(network(layers, BOTTOM))
    net = embed(read_net(tmp_path / "net.prototxt"), Preprocessing(NUMBERS, scale=0.01, swap_rb=True))
    images = np.random.default_rng(2).uniform(0, 255, BOTTOM).astype("f4")
    expected = np.tanh((images[:, ::-1] - NUMBERS[:, None, None]) * np.float32(0.01))
    found = RUNTIMES["onnxruntime"](to_bytes(convert_net(net)), {"data": images})
    assert_allclose(found["data@preprocessing"], expected, atol=1e-6)
