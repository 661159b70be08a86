"""Whole networks of the public architectures, with seeded weights, against Caffe's own answers; and MTCNN's real ones.

MobileNet-SSD, whose last layers Caffe itself has not, is judged by OpenCV 4 reading Caffe.

The tolerance is 1e-4 of the largest number of an output: Caffe and the runtimes add up the products of a convolution in
float32 in orders of their own, which after 50 to 240 layers is a difference of about 1e-6 to 1e-5 of that.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from architectures import ARCHITECTURES, mobilenet_ssd
from architectures.binary import write_caffemodel
from architectures.mtcnn import LARGE, SAMPLES, faces
from numpy.testing import assert_allclose

from converters.caffe import convert
from converters.caffe.net import read_net
from converters.caffe.reference import run
from converters.onnx_file import to_bytes
from converters.runtimes import RUNTIMES, available

GOLDEN = Path(__file__).parents[1] / "golden" / "architectures"
NAMES = [pytest.param(n, marks=[pytest.mark.slow] if entry.slow else []) for n, entry in ARCHITECTURES.items()]
MTCNN = [("det1", ()), ("det1", LARGE), ("det2", ()), ("det3", ()), ("det4", ())]
"""A network, and the image that it takes instead of its own."""


def assert_close(found, expected, what):
    """Compare by the largest number."""
    assert found.shape == expected.shape, what
    assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max(), err_msg=what)


def golden(name):
    with np.load(GOLDEN / f"{name}.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module", params=NAMES)
def converted(request, tmp_path_factory):
    """Return the name and the model, converted from files as anyone would."""
    folder, net = tmp_path_factory.mktemp("net"), ARCHITECTURES[request.param].network()
    (folder / "deploy.prototxt").write_text(net.text)
    write_caffemodel(folder / "net.caffemodel", net.weights())
    yield request.param, to_bytes(convert(folder / "deploy.prototxt", folder / "net.caffemodel"))
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_parameters_are_as_many_as_published(name):
    assert ARCHITECTURES[name].network().learnt == ARCHITECTURES[name].published


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_outputs_are_those_of_caffe_at_any_batch(converted, runtime):
    name, model = converted
    entry, expected = ARCHITECTURES[name], golden(name)
    inputs = entry.network().samples(3)
    found = RUNTIMES[runtime](model, inputs)
    first = RUNTIMES[runtime](model, {blob: samples[:1] for blob, samples in inputs.items()})
    assert found.keys() == first.keys() == expected.keys()
    for output, top in expected.items():
        thin = slice(None, None, entry.step)
        seen = found[output][..., thin, thin] if top.ndim == 4 else found[output]
        assert_close(seen[: len(top)], top, f"{output} by Caffe")
        assert_close(first[output], found[output][:1], f"{output} of a sample alone")
        assert np.abs(top - top.mean()).max() > 0.05, f"{output} would not show an error"


NO_FLAGS = "OpenCV 4 reads no model with a constant of booleans, which the rows of detections need"


@pytest.fixture(scope="module")
def ssd(tmp_path_factory):
    """Return MobileNet-SSD as a model."""
    folder, net = tmp_path_factory.mktemp("ssd"), mobilenet_ssd.network()
    (folder / "deploy.prototxt").write_text(net.text)
    write_caffemodel(folder / "net.caffemodel", net.weights())
    return to_bytes(convert(folder / "deploy.prototxt", folder / "net.caffemodel"))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_detections_are_those_of_opencv_4(request, ssd, runtime, batch):
    if available()[runtime].startswith("4.") and runtime == "opencv":
        request.applymarker(pytest.mark.xfail(reason=NO_FLAGS, strict=True))
    found = RUNTIMES[runtime](ssd, mobilenet_ssd.network().samples(batch))["detection_out"]
    stored, expected = golden("mobilenet_ssd"), []
    for image in range(batch):
        rows = stored[f"detection_out {image}"][0, 0]
        rows = rows[np.lexsort((-rows[:, 2], rows[:, 1]))]  # Caffe's order: label by label
        expected.append(np.column_stack([np.full(len(rows), image), rows[:, 1:]]))
    assert [len(rows) for rows in expected] == [89, 99][:batch]
    expected = np.concatenate(expected)[None, None]
    assert found.shape == expected.shape
    assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def mtcnn(mirror):
    """Return the folder of the networks' files."""
    folder = mirror and next((f for f in (mirror / "mtcnn", mirror) if (f / "det1.caffemodel").is_file()), None)
    if folder is None:
        pytest.skip("no mtcnn/det1.caffemodel in $ZOO_MIRROR")
    return folder


@pytest.fixture
def real(request, mtcnn, tmp_path):
    """Return prototxt and caffemodel of one of MTCNN's networks, its samples, and Caffe's outputs."""
    name, shape = request.param
    prototxt, key = mtcnn / f"{name}.prototxt", name
    if shape:
        text = prototxt.read_text().replace(
            "input_dim: 12\ninput_dim: 12", "input_dim: {1}\ninput_dim: {2}".format(*shape)
        )
        prototxt, key = tmp_path / "large.prototxt", f"{name}_large"
        prototxt.write_text(text)
    stored = golden("mtcnn")
    expected = {blob.removeprefix(f"{key} "): stored[blob] for blob in stored if blob.startswith(f"{key} ")}
    shape = read_net(prototxt, mtcnn / f"{name}.caffemodel").inputs["data"][1:]
    return prototxt, mtcnn / f"{name}.caffemodel", faces(shape), expected


@pytest.mark.weights
@pytest.mark.parametrize("real", MTCNN, indirect=True, ids=str)
def test_reference_of_mtcnn_is_what_caffe_answers(real):
    prototxt, weights, samples, expected = real
    net = read_net(prototxt, weights)
    blobs = run(net, {"data": samples})
    assert set(net.outputs) == set(expected)
    for name, top in expected.items():
        assert blobs[name].shape == top.shape
        assert_allclose(blobs[name], top, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.weights
@pytest.mark.parametrize("batch", [SAMPLES, 1])
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("real", MTCNN, indirect=True, ids=str)
def test_outputs_of_mtcnn_are_those_of_caffe(real, runtime, batch):
    prototxt, weights, samples, expected = real
    found = RUNTIMES[runtime](to_bytes(convert(prototxt, weights)), {"data": samples[:batch]})
    assert found.keys() == expected.keys()
    for name, top in expected.items():
        assert_allclose(found[name], top[:batch], rtol=1e-4, atol=1e-5, err_msg=name)
