"""Tiny model files as each Keras writes them, made by hand: no Keras needed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def write_hdf5(
    path: Path,
    config: dict[str, Any],
    groups: dict[str, dict[str, np.ndarray]],
    *,
    version: str | bytes = "2.2.4",
    as_bytes: bool = True,
) -> Path:
    """Write a whole model: ``groups`` are the tensors of each layer, by the names they have in its group."""
    with h5py.File(path, "w") as file:
        text = json.dumps(config)
        file.attrs["model_config"] = text.encode() if as_bytes else text
        file.attrs["keras_version"] = version
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [name.encode() for name in groups]
        for layer, tensors in groups.items():
            group = weights.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in tensors]
            for name, numbers in tensors.items():
                group.create_dataset(name, data=numbers)
        training = file.create_group("optimizer_weights")
        training.create_dataset("training/Adam/iterations:0", data=np.int64(7))
    return path


def write_keras(path: Path, config: dict[str, Any], tensors: dict[str, np.ndarray], version: str = "3.15.1") -> Path:
    """Write a ``.keras`` file: ``tensors`` by their path in its weights."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        for name, numbers in {**tensors, "optimizer/vars/0": np.int64(3)}.items():
            file.create_dataset(name, data=numbers)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": version}))
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", data.getvalue())
    return path


def sequential(layers: list[dict[str, Any]], **config: Any) -> dict[str, Any]:
    """Return a Sequential model of Keras 2."""
    return {"class_name": "Sequential", "config": {"name": "net", "layers": layers, **config}}


def layer(kind: str, name: str, inputs: list[Any] | None = None, **config: Any) -> dict[str, Any]:
    """Return a layer; ``inputs`` are the calls, each a list of ``[layer, call, output]``, in the form of Keras 2."""
    entry: dict[str, Any] = {"class_name": kind, "name": name, "config": {"name": name, **config}}
    if inputs is not None:
        entry["inbound_nodes"] = [[[*ref, {}] for ref in call] for call in inputs]
    return entry


def modern(entry: dict[str, Any], calls: list[list[list[Any]]]) -> dict[str, Any]:
    """Return a layer with its calls in the form of Keras 3."""

    def tensor(ref: list[Any]) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {"shape": [None, 2], "keras_history": ref}}

    nodes = [
        {"args": [[tensor(r) for r in call] if len(call) > 1 else tensor(call[0])], "kwargs": {}} for call in calls
    ]
    return {**entry, "module": "keras.layers", "registered_name": None, "inbound_nodes": nodes}


def functional(
    layers: list[dict[str, Any]], inputs: Any, outputs: Any, name: str = "net", kind: str = "Model"
) -> dict[str, Any]:
    """Return a Functional model."""
    config = {"name": name, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    return {"class_name": kind, "name": name, "config": config}


def given(name: str, *shape: int | None) -> dict[str, Any]:
    """Return an InputLayer of Keras 2."""
    return layer("InputLayer", name, [], batch_input_shape=[None, *shape], dtype="float32")
