"""The cases of all Keras layer families, and each as a model built and filled by Keras. `build` needs TensorFlow."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from converters.keras import kind

LAYERS = Path(kind.__file__).parent / "layers"
BATCH = 3
"""Samples that are kept; larger batches repeat them."""


class Case(NamedTuple):
    """One layer. ``shapes`` are those of its inputs, as Keras has them, without the batch.

    ``number`` counts the cases of the family; ``gaps`` are what the family says of runtimes (``GAPS``).
    """

    family: str
    number: int
    type: str
    settings: dict[str, Any]
    shapes: tuple[tuple[int, ...], ...]
    gaps: tuple[tuple[str, str, str, str], ...]

    def __str__(self) -> str:
        return f"{self.family}[{self.number}] {self.type} {self.settings} {' '.join(map(str, self.shapes))}"


def cases() -> Iterator[Case]:
    """Yield all cases, family by family."""
    for path in sorted(LAYERS.glob("[!_]*.py")):
        module = importlib.import_module(f"converters.keras.layers.{path.stem}")
        for number, (type_name, settings, shapes) in enumerate(module.CASES):
            several = shapes if isinstance(shapes, list) else [shapes]
            yield Case(path.stem, number, type_name, settings, tuple(several), getattr(module, "GAPS", ()))


def build(case: Case):
    """Return the case as a Keras model with seeded weights: inputs ``in``, ``in_2`` .., the layer ``out``."""
    import keras

    keras.backend.clear_session()
    rows = case.settings.get("input_dim") if case.type == "Embedding" else None
    inputs = [
        keras.Input(shape, name=f"in_{i}" if i > 1 else "in", dtype="int32" if rows else None)
        for i, shape in enumerate(case.shapes, start=1)
    ]
    tensors = inputs if len(inputs) > 1 else inputs[0]
    if case.type.startswith("ops."):
        made = keras.layers.Identity(name="out")(applied(case, inputs))
    else:
        made = layer_of(case.type, {**case.settings, "name": "out"})
        made = made(*inputs) if case.type == "MultiHeadAttention" else made(tensors)
    model = keras.Model(tensors, made, name="tiny")
    fill(model, zlib.crc32(str(case).encode()))
    return model


def applied(case: Case, inputs):
    """Return what a function of ``keras.ops`` makes: ``ops.name``, its other arguments as settings."""
    import keras

    function = keras.ops
    for word in case.type.split(".")[1:]:
        function = getattr(function, word)
    settings = dict(case.settings)
    before, behind = settings.pop("before", ()), settings.pop("behind", ())
    given = [inputs] if settings.pop("as_list", False) else inputs
    return function(*before, *given, *behind, **settings)


def layer_of(type_name: str, settings: dict[str, Any]):
    """Return a layer of Keras; a setting that is ``(class name, settings)`` is a layer too."""
    import keras

    def made(value: Any) -> Any:
        inner = isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict)
        return layer_of(*value) if inner else value

    module = (
        keras.layers if hasattr(keras.layers, type_name) else importlib.import_module("keras.src.applications.convnext")
    )
    return getattr(module, type_name)(**{key: made(value) for key, value in settings.items()})


def fill(model, seed: int) -> None:
    """Give a model seeded weights, 64ths: near 1 where it divides by them or multiplies with them, else around 0."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.dtype != "float32":
            continue
        whole = generator.integers(-40, 41, variable.shape)
        near_one = variable.name in ("gamma", "moving_variance", "variance", "scale")
        variable.assign((64 + whole // 2 if near_one else whole) / np.float32(64))
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def inputs_of(case: Case) -> dict[str, np.ndarray]:
    """Return `BATCH` samples for each input in Keras's layout: sixteenths up to 2.5 either way (int8, times 16)."""
    generator = np.random.default_rng(zlib.crc32(f"inputs {case}".encode()))
    rows = case.settings.get("input_dim") if case.type == "Embedding" else None
    names = [f"in_{i}" if i > 1 else "in" for i in range(1, len(case.shapes) + 1)]
    low, high = (0, rows) if rows else (-40, 41)
    return {
        name: generator.integers(low, high, (BATCH, *shape), dtype=np.int8)
        for name, shape in zip(names, case.shapes, strict=True)
    }


def real(case: Case, numbers: np.ndarray) -> np.ndarray:
    """Return inputs as the model takes them, float32."""
    return numbers.astype(np.float32) / (1 if case.type == "Embedding" else np.float32(16))


def cycled(array: np.ndarray, batch: int) -> np.ndarray:
    """Return a batch of any size: the samples over and over."""
    return np.resize(array, (batch, *array.shape[1:]))
