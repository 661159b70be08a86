"""Batch normalization is folded where nothing else reads what it scales; the judge is numpy in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from keras_files import functional, given, layer, write_hdf5

from converters.keras import convert
from converters.onnx_file import to_bytes
from converters.runtimes import run_onnxruntime

GENERATOR = np.random.default_rng(11)
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def norm_groups(size: int) -> dict[str, np.ndarray]:
    values = (*GENERATOR.normal(size=(3, size)), GENERATOR.uniform(0.2, 3, size))
    return {f"norm/{name}:0": value.astype(np.float32) for name, value in zip(NORM, values, strict=True)}


def net(tmp_path, before: dict, tensors: dict, *, between: dict | None = None, outputs: tuple[str, ...] = ("norm",)):
    """Write input -> before (-> between) -> norm; ``tensors`` are those of ``before``."""
    layers = [given("a", 5, 4, 3), {**before, "inbound_nodes": [[["a", 0, 0, {}]]]}]
    last = before["name"]
    if between:
        layers.append({**between, "inbound_nodes": [[[last, 0, 0, {}]]]})
        last = between["name"]
    layers.append(layer("BatchNormalization", "norm", [[[last, 0, 0]]], axis=-1, epsilon=1e-3))
    config = functional(layers, [["a", 0, 0]], [[name, 0, 0] for name in outputs])
    size = before["config"].get("filters") or before["config"].get("units") or 3
    groups = {"norm": norm_groups(size)} | ({before["name"]: tensors} if tensors else {})
    return write_hdf5(tmp_path / "net.h5", config, groups), groups


def normalised(x: np.ndarray, groups: dict) -> np.ndarray:
    gamma, beta, mean, variance = (groups["norm"][f"norm/{name}:0"].astype(np.float64) for name in NORM)
    return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta


KERNEL = GENERATOR.normal(size=(1, 1, 3, 6)).astype(np.float32)
BIAS = GENERATOR.normal(size=6).astype(np.float32)
CONV = {"filters": 6, "kernel_size": [1, 1], "activation": "linear"}
CASES = {
    "behind a convolution": (CONV, True, None, ("norm",), ["Conv"]),
    "behind one without bias": (CONV, False, None, ("norm",), ["Conv"]),
    "behind an activation": ({**CONV, "activation": "relu"}, True, None, ("norm",), ["Conv", "Relu", "Mul", "Add"]),
    "read by others too": (CONV, True, None, ("conv", "norm"), ["Conv", "Mul", "Add"]),
    "past a dropout": (CONV, True, layer("Dropout", "drop", rate=0.2), ("norm",), ["Conv"]),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_folded_where_it_is_exact(name, tmp_path):
    config, bias, between, outputs, nodes = CASES[name]
    tensors = {"conv/kernel:0": KERNEL} | ({"conv/bias:0": BIAS} if bias else {})
    before = layer("Conv2D", "conv", use_bias=bias, **config)
    path, groups = net(tmp_path, before, tensors, between=between, outputs=outputs)
    model = convert(path)
    assert [node.op_type for node in model.graph.node] == nodes
    x = GENERATOR.normal(size=(3, 5, 4, 3)).astype(np.float32)
    made = x.astype(np.float64) @ KERNEL[0, 0].astype(np.float64) + (BIAS if bias else 0)
    made = np.maximum(made, 0) if config["activation"] == "relu" else made
    found = run_onnxruntime(to_bytes(model), {"a": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})
    wanted = normalised(made, groups).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found["norm"], wanted, rtol=1e-5, atol=1e-5)


def test_a_wide_one_behind_the_same_tensor_is_told_from_another(tmp_path):
    """Two batch normalizations of one tensor differ, however many channels they have."""
    size = 2000
    names = ("norm", "other")
    layers = [given("a", size)]
    layers += [layer("BatchNormalization", name, [[["a", 0, 0]]], axis=-1, epsilon=1e-3) for name in names]
    config = functional(layers, [["a", 0, 0]], [[name, 0, 0] for name in names])
    first = norm_groups(size)
    second = {name.replace("norm", "other"): value.copy() for name, value in first.items()}
    second["other/beta:0"][1000] += 1
    path = write_hdf5(tmp_path / "net.h5", config, {"norm": first, "other": second})
    found = run_onnxruntime(to_bytes(convert(path)), {"a": np.zeros((1, size), np.float32)})
    differ = np.flatnonzero(found["norm"] != found["other"])
    assert list(differ) == [1000]
