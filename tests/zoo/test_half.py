"""Trained weights as this project keeps them: half the size, the same bytes each time, nothing of the training."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from converters.errors import BadInput
from zoo.half import halve
from zoo.store import BUNDLED

KERNEL = np.random.default_rng(1).normal(size=(3, 3, 2, 5)).astype(np.float32)
BIAS = np.random.default_rng(2).normal(size=5).astype(np.float32) * 1e-6
CONFIG = {
    "class_name": "Functional",
    "config": {
        "layers": [
            {
                "class_name": "Conv2D",
                "config": {
                    "filters": 5,
                    "kernel_initializer": {"class_name": "GlorotUniform"},
                    "bias_regularizer": None,
                },
                "build_config": {"input_shape": [None, 9, 9, 2]},
            }
        ]
    },
    "compile_config": {"optimizer": "adam"},
}


def trained(path: Path, kernel: np.ndarray = KERNEL, *, stamped: bool = False) -> Path:
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        group = file.create_group("layers/conv/vars")
        group.create_dataset("0", data=kernel, track_times=stamped)
        group.create_dataset("1", data=BIAS, track_times=stamped)
        file["layers/conv"].attrs["name"] = "conv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.0", "date_saved": "2026-11-22@21:00:00"}))
        archive.writestr("config.json", json.dumps(CONFIG))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            found: dict[str, np.ndarray] = {}
            file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
        return json.loads(archive.read("config.json")), found


def test_kernels_are_halved_and_vectors_are_not(tmp_path: Path) -> None:
    halve(trained(tmp_path / "trained.keras"), tmp_path / "kept.keras")
    config, weights = read(tmp_path / "kept.keras")
    assert weights["layers/conv/vars/0"].dtype == np.float16
    assert_array_equal(weights["layers/conv/vars/0"], KERNEL.astype(np.float16))
    assert weights["layers/conv/vars/1"].dtype == np.float32
    assert_array_equal(weights["layers/conv/vars/1"], BIAS)
    (layer,) = config["config"]["layers"]
    assert layer == {"class_name": "Conv2D", "config": {"filters": 5}}
    assert list(config) == ["class_name", "config"]


def test_the_same_weights_make_the_same_bytes(tmp_path: Path) -> None:
    for name, stamped in (("one", True), ("two", False)):
        halve(trained(tmp_path / f"{name}.keras", stamped=stamped), tmp_path / f"{name}.half")
    assert (tmp_path / "one.half").read_bytes() == (tmp_path / "two.half").read_bytes()


def test_what_half_precision_has_not_is_told(tmp_path: Path) -> None:
    large = KERNEL.copy()
    large[0, 0, 0, 0] = 7e4
    with pytest.raises(BadInput, match="has numbers beyond half precision"):
        halve(trained(tmp_path / "trained.keras", large), tmp_path / "kept.keras")
    assert not (tmp_path / "kept.keras").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no archive at all"])
def test_what_is_no_keras_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trained.keras").write_bytes(content)
    with pytest.raises(BadInput, match=r"is no whole \.keras file"):
        halve(tmp_path / "trained.keras", tmp_path / "kept.keras")


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.keras")), ids=lambda path: path.stem)
def test_the_weights_of_this_package_are_kept_that_way(path: Path, tmp_path: Path) -> None:
    halve(path, tmp_path / path.name)
    (config, weights), (slim, halves) = read(path), read(tmp_path / path.name)
    assert config == slim
    assert weights.keys() == halves.keys()
    for name, kept in weights.items():
        assert kept.dtype == halves[name].dtype
        assert_array_equal(kept, halves[name])


def test_the_weights_of_this_package_are_small() -> None:
    assert sum(path.stat().st_size for path in BUNDLED.iterdir()) < 40_000_000
