"""Features of a backbone: pooled as the merged network pools them, the same each time, computed once."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import nets
import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper

from converters.errors import BadInput
from converters.runtimes import run_onnxruntime
from zoo import features, formats
from zoo.augmentation import moved
from zoo.faces import Faces
from zoo.features import pooled, views
from zoo.fields import InputSpec
from zoo.formats import lean
from zoo.formats.lean import on_maps
from zoo.recipes import Augmentation

SPEC = InputSpec(name="data", size=(13, 13), resize=(13, 13), channels="RGB", mean=(1, 2, 3), scale=0.1)
KERNEL = np.random.default_rng(4).normal(size=(5, 3, 3, 3)).astype(np.float32)


@pytest.fixture
def backbone(tmp_path: Path) -> Path:
    """Return a network with a convolution whose maps, 11x11, are not its output."""
    path = tmp_path / "backbone.onnx"
    onnx.save(nets.backbone(KERNEL), path)
    return path


@pytest.fixture
def found() -> Faces:
    images = np.random.default_rng(6).integers(0, 256, (19, 13, 13, 3), dtype=np.uint8)
    return Faces(images, np.arange(19, dtype=np.float32), ("male",) * 19, "f" * 64)


def by_hand(image: np.ndarray) -> np.ndarray:
    """Return the features (20,) of one image, a place at a time."""
    tensor = (image[:, :, ::-1].astype(np.float64).transpose(2, 0, 1) - np.array([1, 2, 3])[:, None, None]) * 0.1
    maps = np.empty((5, 11, 11))
    for row, column in np.ndindex(11, 11):
        maps[:, row, column] = (KERNEL * tensor[:, row : row + 3, column : column + 3]).sum((1, 2, 3))
    maps = np.maximum(maps, 0)
    fields = [maps[:, r : r + 6, c : c + 6].mean((1, 2)) for r in (0, 5) for c in (0, 5)]
    return np.stack(fields, axis=1).reshape(-1)


def test_the_first_view_is_the_faces_as_they_are(backbone: Path, found: Faces, tmp_path: Path) -> None:
    (plain,) = views(backbone, "relu", SPEC, found, 1, tmp_path)
    assert plain.dtype == np.float16
    assert_allclose(plain, [by_hand(image) for image in found.images], rtol=1e-3)


def test_each_further_view_moves_them_its_own_way_and_always_the_same(
    backbone: Path, found: Faces, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    first, second = (views(backbone, "relu", SPEC, found, 3, folder) for folder in (tmp_path, tmp_path / "again"))
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one, other)
    assert np.abs(first[1].astype(np.float32) - first[2]).max() > 0.1
    generator = np.random.default_rng((11, 2, 16))
    last = [by_hand(moved(image, Augmentation(), generator)) for image in found.images[16:]]
    assert_allclose(first[2][16:], last, rtol=1e-3)


def test_what_is_kept_is_not_computed_again(
    backbone: Path, found: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plain,) = views(backbone, "relu", SPEC, found, 1, tmp_path)
    kept = [path.name for path in tmp_path.glob("*.npy")]
    assert kept == ["features-ffffffffffffffff-relu-0.npy"]
    monkeypatch.setattr(features, "_session", None)
    assert_array_equal(views(backbone, "relu", SPEC, found, 1, tmp_path)[0], plain)
    with pytest.raises(TypeError):
        views(backbone, "relu", SPEC, found, 2, tmp_path)


def test_a_tap_that_is_not_there_is_told(backbone: Path, found: Faces, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=re.escape("conv_99")):
        views(backbone, "conv_99", SPEC, found, 1, tmp_path)


def head(features: int = 20) -> onnx.ModelProto:
    """Return a network that gives back the features that it takes."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", features]) for name in ("features", "same")]
    graph = helper.make_graph([helper.make_node("Identity", ["features"], ["same"])], "lean", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def lean_network(backbone: Path, tap: str, monkeypatch: pytest.MonkeyPatch, features: int = 20) -> bytes:
    """Make a lean network on any layer; what is converted is ``head``."""
    monkeypatch.setattr("converters.keras.convert", lambda path: head(features))
    formats.check("lean", lean.ROLES, {"tap": tap})
    return lean.model_bytes({"backbone": backbone, "model": backbone}, {"tap": tap}, {})


@pytest.mark.parametrize("tap", ["relu", "maps", "conv"])
def test_a_lean_network_reads_whatever_layer_makes_maps(
    backbone: Path, tap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``conv`` is the node that makes ``maps``."""
    images = np.random.default_rng(8).normal(size=(3, 3, 13, 13)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(2, 3))
    maps = np.einsum("nchwij,kcij->nkhw", windows, KERNEL)
    found = run_onnxruntime(lean_network(backbone, tap, monkeypatch), {"data": images})["same"]
    assert_allclose(found, pooled(np.maximum(maps, 0) if tap == "relu" else maps), atol=1e-5)


@pytest.mark.parametrize(
    ("tap", "features", "said"),
    [
        ("rely", 20, "no tensor or node 'rely'; the nearest are relu"),
        ("embedding", 20, "convert.tap 'embedding': 5x1x1; name a layer of square maps"),
        ("relu", 24, "the lean network takes 24 features; 5 maps give 20"),
    ],
)
def test_a_layer_that_does_not_fit_is_told(
    backbone: Path, tap: str, features: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=f"^{said}$"):
        lean_network(backbone, tap, monkeypatch, features)


@pytest.mark.parametrize("side", [2, 7, 11, 14])
def test_the_fields_are_those_of_the_merged_network(side: int) -> None:
    maps = np.random.default_rng(side).normal(size=(3, 5, side, side)).astype(np.float32)
    model = on_maps(head(), 5, side)
    assert_allclose(pooled(maps), run_onnxruntime(model.SerializeToString(), {"maps": maps})["same"], atol=1e-6)


def test_moved_is_bounded_and_draws_a_face_of_the_same_size() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    cv2.circle(image, (30, 20), 8, (255, 255, 255), -1)
    generator = np.random.default_rng(1)
    by = Augmentation(turn=0, scale=0, shift=0.1, light=0)
    for _ in range(20):
        other = moved(image, by, generator)
        assert other.shape == image.shape
        rows, columns = np.nonzero(other[:, :, 0] > 127)
        assert abs(rows.mean() - 20) <= 4.5
        assert abs(columns.mean() - 29.5) <= 7
    assert_array_equal(moved(image, by, np.random.default_rng(2)), moved(image, by, np.random.default_rng(2)))
