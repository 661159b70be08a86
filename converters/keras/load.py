"""A model loaded by Keras itself, for the second road and for the judge. It needs the extra ``keras``.

No code of a file is run (`converters.keras.trust`), and files of Keras 2 are mended on a copy where Keras 3 misreads
them (`converters.keras.mend`). Names and layouts are those of the direct road, so that both can be compared.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from converters.errors import NOT_USABLE, BadInput, Unsupported
from converters.keras.assemble import output_names
from converters.keras.files import Source, read_source
from converters.keras.graph import Graph, read_graph
from converters.keras.kind import channels_first
from converters.keras.mend import mended
from converters.keras.seeded import fill
from converters.keras.trust import refuse_code
from converters.keras.walk import layouts

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3", ONEDNN: "1", "KERAS_BACKEND": "tensorflow"}
"""Without oneDNN's kernels TensorFlow pads Conv3D and MaxPool3D wrongly where the stride is larger than the window.

It has them on by itself on CPUs with AVX-512 only, and reads this once, when it is imported.
"""


class MissingExtra(BadInput):
    """TensorFlow is not here."""

    exit_code = NOT_USABLE


@dataclass(frozen=True, eq=False)
class Port:
    """An input or an output. ``shape`` is Keras's, batch first (None: any size); ``dtype`` that of its numbers there.

    Axis ``i`` in ONNX is Keras's axis ``order[i]``.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    order: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model that TensorFlow can run. ``call`` takes the inputs in order and returns the outputs in order.

    ``scopes``, filled when it is traced, has the layer (``outer/inner``) for each prefix of TensorFlow's names.
    """

    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    call: Callable[..., Sequence[Any]]
    scopes: dict[str, str] = field(default_factory=dict)


def tensorflow() -> Any:
    """Return TensorFlow, imported quietly. Raises MissingExtra when it or Keras is not installed.

    Warns where it had been imported already, without oneDNN's kernels being asked for.
    """
    if "tensorflow" in sys.modules and os.environ.get(ONEDNN) != ENVIRONMENT[ONEDNN]:
        warnings.warn(
            f"TensorFlow was imported before, without {ONEDNN}=1: on some CPUs it then pads Conv3D and MaxPool3D "
            "wrongly where the stride is larger than the window; set that first",
            stacklevel=2,
        )
    os.environ |= ENVIRONMENT
    try:
        with _silence():
            import keras
            import tensorflow as tf
    except ImportError as error:
        what = f"TensorFlow and Keras are needed and cannot be imported ({error})"
        raise MissingExtra(f"{what}; install them: pip install 'agebench[keras]'") from error
    if keras.backend.backend() != "tensorflow":
        raise MissingExtra(f"Keras runs on {keras.backend.backend()} here; set KERAS_BACKEND=tensorflow")
    tf.get_logger().setLevel("ERROR")
    return tf


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing out on stderr: TensorFlow greets there from C++ before it reads how much it may say."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load(path: Path) -> Loaded:
    """Load a model file (HDF5, ``.keras``, or ``.json`` with the direct road's seeded weights) or a SavedModel folder.

    Raises BadInput for a file that is no whole model, Unsupported for one with code or that Keras refuses, MissingExtra
    without TensorFlow.
    """
    from converters.keras.saved_model import load_saved_model

    return load_saved_model(path) if path.is_dir() else _load_file(path)


def _load_file(path: Path) -> Loaded:
    source = read_source(path)
    refuse_code(path, source.config)
    graph = read_graph(path, source.config)
    _refuse_slashes(path, graph)
    tensorflow()
    import keras

    with tempfile.TemporaryDirectory() as folder:
        try:
            if source.form == "json":
                model = keras.models.model_from_json(json.dumps(mended(source.config)))
            else:
                model = keras.models.load_model(_copy(source, Path(folder)), compile=False, safe_mode=True)
        except Exception as error:  # Keras raises whatever its layers raise; the file is what is wrong
            said = " ".join(str(error).replace(folder, path.name).split())[:300]
            raise Unsupported(f"{path}: Keras {keras.__version__} cannot load it: {said}") from error
    if source.form == "json":
        fill(path, model)
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise Unsupported(f"{path}: Keras does not know the shape of its input; build the model with an Input")
    return _loaded(graph, model)


def _refuse_slashes(path: Path, graph: Graph) -> None:
    """Raise Unsupported for a name that tf.keras 2 gave to layers and Keras 3 refuses, as ``conv1/conv``."""
    for spec in graph.layers.values():
        if "/" in spec.name:
            known = "Keras 3 refuses it; only the direct road can convert this file, and Keras cannot check it"
            raise Unsupported(f"{path}: the name of layer {spec.path!r} has a slash, and {known}")
        if spec.graph is not None:
            _refuse_slashes(path, spec.graph)


def _loaded(graph: Graph, model: Any) -> Loaded:
    """Return a Functional or Sequential model with its inputs and outputs in order, named as in the file."""
    import keras

    last = layouts(graph)
    inputs = [
        port(ref.layer, tensor, last=last[ref.layer]) for ref, tensor in zip(graph.inputs, model.inputs, strict=True)
    ]
    outputs = [
        port(name, tensor, last=any(last.values()))
        for name, tensor in zip(output_names(graph), model.outputs, strict=True)
    ]

    def call(*tensors: Any) -> list[Any]:
        one = isinstance(model, keras.Sequential)  # which has no `input` before it is called
        given = tensors[0] if one else keras.tree.pack_sequence_as(model.input, list(tensors))
        return list(keras.tree.flatten(model(given, training=False)))

    scopes: dict[str, str] = {}
    _note_scopes(model, "", scopes)
    return Loaded(graph.name, tuple(inputs), tuple(outputs), call, scopes)


def _note_scopes(model: Any, outer: str, scopes: dict[str, str]) -> None:
    """Let each layer note under which name TensorFlow runs it: Keras opens a scope twice, and TensorFlow numbers it."""
    for layer in model.layers:
        path = f"{outer}{layer.name}"
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            _note_scopes(layer, f"{path}/", scopes)
        elif type(layer).__name__ != "InputLayer":
            layer.call = _noting(layer.call, path, scopes)


def _noting(call: Callable[..., Any], path: str, scopes: dict[str, str]) -> Callable[..., Any]:
    @wraps(call)
    def noting(*args: Any, **named: Any) -> Any:
        scopes[tensorflow().compat.v1.get_default_graph().get_name_scope()] = path
        return call(*args, **named)

    return noting


def port(name: str, tensor: Any, *, last: bool) -> Port:
    """Describe an input or output of TensorFlow; ``last``: its channels are Keras's last axis."""
    shape = tuple(tensor.shape)
    order = channels_first(len(shape)) if last else tuple(range(len(shape)))
    return Port(name, shape, getattr(tensor.dtype, "name", tensor.dtype), order)


def _copy(source: Source, folder: Path) -> Path:
    """Return the file under a name that Keras takes, with a mended architecture where it needs one."""
    copy, config = folder / ("model.keras" if source.form == "keras" else "model.h5"), mended(source.config)
    if config == source.config:
        copy.symlink_to(source.path.resolve())
    elif source.form == "keras":
        with zipfile.ZipFile(source.path) as old, zipfile.ZipFile(copy, "w") as new:
            for info in old.infolist():
                new.writestr(info.filename, json.dumps(config) if info.filename == "config.json" else old.read(info))
    else:
        import h5py

        shutil.copyfile(source.path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(config).encode()
    return copy
