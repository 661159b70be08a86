"""The real networks against Caffe's own answers: outputs at every batch size, and every blob on the way."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose

from converters.caffe import convert
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES
from converters.verify import differences
from zoo.golden import load, summary

NETWORKS = ("age", "gender")


@pytest.fixture(scope="session")
def converted(levi_hassner):
    files = {name: levi_hassner[name].files for name in NETWORKS}
    return {
        (name, lrn): to_bytes(convert(files[name]["prototxt"], files[name]["caffemodel"], lrn=lrn))
        for name in NETWORKS
        for lrn in ("lowered", "native")
    }


@pytest.mark.weights
@pytest.mark.parametrize("batch", [1, 3, 8])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("lrn", ["lowered", "native"])
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_caffe(converted, name, lrn, runtime, batch):
    feeds, outputs = load(f"levi-hassner-{name}").cycle(batch)
    found = differences(outputs, RUNTIMES[runtime](converted[name, lrn], feeds))
    assert found["prob"].max_abs < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_reference_has_every_blob_of_caffe(levi_hassner, name):
    golden = load(f"levi-hassner-{name}")
    network = levi_hassner[name].files
    blobs = run(read_net(network["prototxt"], network["caffemodel"]), golden.inputs)
    assert_allclose(blobs["prob"], golden.outputs["prob"], atol=2e-6)
    assert len(golden.blobs) == 11
    for blob, expected in golden.blobs.items():
        assert_allclose(summary(blobs[blob]), expected, rtol=2e-5, atol=1e-5 * np.abs(expected).max(), err_msg=blob)


@pytest.mark.weights
@pytest.mark.parametrize("lrn", ["lowered", "native"])
@pytest.mark.parametrize("name", NETWORKS)
def test_model_has_every_blob_of_caffe(converted, name, lrn):
    golden = load(f"levi-hassner-{name}")
    model = onnx.load_from_string(converted[name, lrn])
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(blob) for blob in golden.blobs)
    blobs = RUNTIMES["onnxruntime"](model.SerializeToString(), golden.inputs)
    for blob, expected in golden.blobs.items():
        assert_allclose(summary(blobs[blob]), expected, rtol=2e-5, atol=1e-5 * np.abs(expected).max(), err_msg=blob)


@pytest.mark.weights
def test_the_same_bytes_again(levi_hassner, converted):
    files = levi_hassner["age"].files
    assert to_bytes(convert(files["prototxt"], files["caffemodel"])) == converted["age", "lowered"]
