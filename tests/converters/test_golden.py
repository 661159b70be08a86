"""The committed answers of Caffe: what is in them, and how a batch is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from converters.errors import BadInput
from zoo.golden import FOLDER, SUMMARY, load, summary


@pytest.mark.parametrize(("name", "classes"), [("levi-hassner-age", 8), ("levi-hassner-gender", 2)])
def test_contents(name, classes):
    golden = load(name)
    assert golden.inputs["data"].shape == (8, 3, 227, 227)
    assert golden.inputs["data"].dtype == golden.outputs["prob"].dtype == np.float32
    assert golden.outputs["prob"].shape == (8, classes)
    assert_allclose(golden.outputs["prob"].sum(axis=1), 1, atol=1e-6)
    assert {blob.shape for blob in golden.blobs.values()} == {(8, len(SUMMARY))}
    assert golden.source.startswith("Caffe 1.0.0")
    assert all(len(sha256) == 64 for sha256 in golden.meta["sha256"].values())
    assert len(golden.meta["portraits"]) == 8
    assert len({bytes(image.tobytes()) for image in golden.inputs["data"]}) == 8
    assert (FOLDER / f"{name}.npz").stat().st_size < 300_000


def test_inputs_are_pixels_less_the_mean():
    pixels = (
        load("levi-hassner-age").inputs["data"]
        + np.float32([78.4263377603, 87.7689143744, 114.895847746])[:, None, None]
    )
    assert_allclose(pixels, pixels.round(), atol=2e-5)
    assert 0 <= pixels.min() < 50 < 200 < pixels.max() < 255.5


@pytest.mark.parametrize("batch", [1, 3, 8, 19])
def test_cycle(batch):
    golden = load("levi-hassner-gender")
    inputs, outputs = golden.cycle(batch)
    assert inputs["data"].shape == (batch, 3, 227, 227)
    for index in range(batch):
        assert_array_equal(inputs["data"][index], golden.inputs["data"][index % 8])
        assert_array_equal(outputs["prob"][index], golden.outputs["prob"][index % 8])


def test_summary():
    blob = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5)
    found = summary(blob)
    assert found.shape == (2, 13)
    assert_allclose(found[1, :5], [22, np.std(np.arange(15)), 15, 29, np.linalg.norm(np.arange(15, 30))], rtol=1e-6)
    assert_array_equal(found[0, 5:], [0, 2, 4, 6, 8, 10, 12, 14])
    assert_array_equal(summary(np.array([[3.0, 4.0]]))[0, 5:], [3] * 7 + [4])


def test_unknown_network_lists_those_there_are():
    with pytest.raises(BadInput, match=r"'nobody'; there are those of: .*levi-hassner-age, levi-hassner-gender"):
        load("nobody")
