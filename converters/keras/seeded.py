"""An architecture without weights, built by Keras and filled with the seeded weights that the direct road gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from converters.errors import Unsupported


def fill(path: Path, model: Any) -> None:
    """Give a Keras model the weights that `converters.keras.convert` makes up for this architecture.

    Raises Unsupported for a layer that the direct road does not know, or a weight that it does not make up.
    """
    from converters.keras import convert_network, read

    network = read(path)
    convert_network(network)  # which asks for every weight, and so makes it up
    layers = dict(_leaves(model, ""))
    for spec in network.graph.leaves():
        taken = spec.weights.taken
        for variable in layers[spec.path].weights if taken else ():
            words = set(variable.path.split("/"))
            fit = [numbers for (name, within), numbers in taken.items() if _fits(variable.name, words, name, within)]
            if len(fit) != 1 or fit[0].shape != tuple(variable.shape):
                raise Unsupported(
                    f"{spec.where}: its weight {variable.path!r} is not one that the direct road makes up"
                )
            variable.assign(fit[0])


def _fits(name: str, words: set[str], wanted: str, within: tuple[str, ...]) -> bool:
    return name == wanted and (not within or bool(words & set(within)))


def _leaves(model: Any, outer: str) -> Iterator[tuple[str, Any]]:
    for layer in model.layers:
        path = f"{outer}{layer.name}"
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            yield from _leaves(layer, f"{path}/")
        else:
            yield path, layer
