"""Which tensor of the file belongs to which layer.

HDF5 has a group a layer of the outermost model; the tensors of a nested model lie in its one group, all trainable ones
first, and are told apart by their names (``conv1/kernel:0``; Keras 1: ``conv1_W``). A ``.keras`` file names no layer at
all: its groups are the classes in snake case, counted in the order of the layers (``conv2d``, ``conv2d_1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converters.errors import BadInput
from converters.keras.files import Source
from converters.keras.graph import Graph, Spec
from converters.keras.weights import Stored, Weights, check_all_used

KERAS_1 = re.compile(r"_(?:W|b|gamma|beta|running_mean|running_std|alphas|[WUb]_[a-z])(?:_\d+)?$")
STATE = ("mean", "variance", "std")
"""Ends of the names of tensors that are not trained: in a nested model they lie behind those that are."""
LISTS = ("layers", "_layer_checkpoint_dependencies")
"""The group that holds the layers of a model; the second is that of Keras 2.12."""


def assign(source: Source, graph: Graph) -> None:
    """Give each layer of the network its tensors. Raises BadInput for one that belongs to no layer."""
    if source.form == "json":
        for spec in graph.leaves():
            spec.weights = Weights(seeded=True)
    elif source.form == "hdf5":
        _from_groups(source, graph)
    else:
        left = {one.path: one for one in source.groups[""] if not _is_state(one)}
        _from_archive(left, graph, "")
        check_all_used(source.path, list(left))


def _is_state(one: Stored) -> bool:
    """Whether a tensor belongs to the training: the optimizer, or a source of random numbers."""
    return one.words[0] in ("optimizer", "metrics", "compile_metrics") or "seed_generator" in one.words


def _from_groups(source: Source, graph: Graph) -> None:
    for name, stored in source.groups.items():
        if not stored:
            continue
        spec = graph.layers.get(name)
        if spec is None:
            check_all_used(source.path, [one.path for one in stored])
        elif spec.graph is None:
            spec.weights = Weights(stored)
        else:
            _from_names(source, spec, spec.graph, stored)


def _from_names(source: Source, spec: Spec, graph: Graph, stored: Sequence[Stored]) -> None:
    """Tell the tensors of a nested model apart by their names."""
    leaves = list(graph.leaves())
    for one in stored:
        fit = _owners(leaves, one.words[2:-1] or (KERAS_1.sub("", one.words[-1]),))
        if len(fit) != 1:
            who = f"could be of {' or '.join(leaf.path for leaf in fit[:3])}" if fit else "belongs to no layer"
            raise BadInput(f"{source.path}: tensor {one.path!r} {who} in the nested model {spec.path!r}")
        fit[0].weights.stored.append(one)
    _check_order(source, graph, stored)


def _check_order(source: Source, graph: Graph, stored: Sequence[Stored]) -> None:
    """Raise BadInput where the names of layers have changed since: Keras goes by the order of the tensors alone.

    Tensors that are not trained lie behind the others, so only those of layers that are alike in that are compared.
    """
    places = {one.path: place for place, one in enumerate(stored)}
    before: dict[object, tuple[int, str]] = {}
    for leaf, frozen in _with_frozen(graph):
        if not leaf.weights.stored:
            continue
        first = leaf.weights.stored[0]
        alike = first.words[-1].endswith(STATE), frozen, tuple(_trainable(leaf.config))
        place, name = before.get(alike, (-1, ""))
        if places[first.path] < place:
            raise BadInput(
                f"{source.path}: tensor {first.path!r} of {leaf.path!r} lies before those of {name!r}, which comes "
                "before it in the network: Keras loads them in order; save the file anew without renaming layers"
            )
        before[alike] = places[first.path], leaf.path


def _with_frozen(graph: Graph, outer: tuple[object, ...] = ()) -> Iterator[tuple[Spec, tuple[object, ...]]]:
    """Yield the layers that are no models, each with whether the models that it lies in are trained."""
    for spec in graph.layers.values():
        if spec.graph is None:
            yield spec, outer
        else:
            yield from _with_frozen(spec.graph, (*outer, spec.config.get("trainable")))


def _trainable(config: Any) -> Iterator[object]:
    """Yield what the settings of a layer, and of those inside it, say of whether it is trained."""
    if isinstance(config, dict):
        yield config.get("trainable")
        for value in config.values():
            yield from _trainable(value)


def _owners(leaves: Sequence[Spec], words: Sequence[str]) -> list[Spec]:
    """Return the layers that a tensor may belong to: its last words are their name, or that with TensorFlow's number.

    TensorFlow's Keras 2 allowed slashes in names: ``conv1/conv`` of its DenseNet is two words.
    """
    for end in range(len(words), 0, -1):
        for first in range(end):
            word = "/".join(words[first:end])
            for name in (word, re.sub(r"_\d+$", "", word)):
                fit = [leaf for leaf in leaves if leaf.name == name]
                if len(fit) > 1:
                    deeper = [leaf for leaf in fit if set(leaf.path.split("/")[1:]) <= set(words)]
                    fit = deeper or fit
                if fit:
                    return fit
    return []


def snake_case(class_name: str) -> str:
    """Return the name that Keras 3 gives to a group of a class: ``p_re_lu`` for PReLU."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _from_archive(left: dict[str, Stored], graph: Graph, place: str) -> None:
    """Take the tensors of each layer of a model, and those of the models in it, out of what is ``left``."""
    counts: dict[str, int] = {}
    for spec in graph.layers.values():
        if spec.type.startswith("ops."):
            continue
        if graph.type == "Sequential" and spec.type == "InputLayer":
            continue
        name = snake_case("Functional" if spec.type == "Model" else spec.type.rpartition(">")[2])
        count = counts[name] = counts.get(name, -1) + 1
        inside = [f"{place}{listed}/{name}{f'_{count}' if count else ''}/" for listed in LISTS]
        if spec.graph is not None:
            for each in inside:
                if any(path.startswith(each) for path in left):
                    _from_archive(left, spec.graph, each)
        else:
            found = [path for path in left if path.startswith(tuple(inside))]
            spec.weights = Weights([left.pop(path) for path in found])


def unused(graph: Graph) -> Mapping[str, list[str]]:
    """Return the tensors that no converter asked for, by the place of their layer."""
    return {leaf.where: left for leaf in graph.leaves() if (left := leaf.weights.unused())}
