"""The architecture of a model as a graph: Sequential, Functional, and models inside models, in the form of any Keras.

A layer that is called several times has several calls; another layer refers to one by (layer, call, output). The calls
of a nested model need not be counted from 0 on: each Keras has its own rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converters.errors import BadInput, Unsupported
from converters.keras.calls import Call, Ref, flat, read_call, refs_in, replaced
from converters.keras.origin import class_of, is_operation
from converters.keras.weights import Weights

SEQUENTIAL, FUNCTIONAL = "Sequential", ("Model", "Functional")
DEEPEST = 32
"""Models inside models."""


@dataclass(eq=False)
class Spec:
    """A layer as the file describes it; ``path`` is its name with those of the models it lies in.

    ``graph`` is what a nested model holds. ``weights`` are added when they are read.
    """

    name: str
    type: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...]
    path: str
    where: str
    graph: Graph | None = None
    weights: Weights = field(default_factory=Weights)


@dataclass(eq=False)
class Graph:
    """A model: layers by name, and which tensors go in and come out, in order.

    ``keys`` are the words for the inputs, in the same order, by which a dictionary is passed to the model.
    """

    name: str
    type: str
    layers: dict[str, Spec]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    keys: tuple[str, ...] = ()

    def leaves(self) -> Iterator[Spec]:
        """Yield the layers that are no models, those of nested models in their place."""
        for spec in self.layers.values():
            if spec.graph is None:
                yield spec
            else:
                yield from spec.graph.leaves()


def read_graph(path: Path, model: Mapping[str, Any]) -> Graph:
    """Read an architecture, ``{"class_name", "config"}``. Raises BadInput where it is not whole."""
    try:
        return _graph(path, model, (), 0)
    except RecursionError as error:
        raise BadInput(f"{path}: the architecture is nested too deeply") from error


def _graph(path: Path, model: Mapping[str, Any], outer: tuple[str, ...], depth: int) -> Graph:
    kind, config = class_of(model), model["config"]
    where = f"{path}: model {'/'.join(outer)!r}" if outer else f"{path}"
    if depth > DEEPEST:
        raise BadInput(f"{where}: more than {DEEPEST} models lie in one another")
    if kind == SEQUENTIAL:
        return _sequential(path, config, outer, where, depth)
    if kind in FUNCTIONAL and isinstance(config, dict) and "layers" in config and "output_layers" in config:
        return _functional(path, config, outer, where, depth)
    known = "Sequential and Functional models are; code is not in the file and is never run"
    raise Unsupported(
        f"{where}: a model of class {kind!r:.100} is not supported; {known}. Convert it with --via tf2onnx"
    )


def is_model(entry: Mapping[str, Any]) -> bool:
    """Whether a layer is a model itself."""
    return class_of(entry) in (SEQUENTIAL, *FUNCTIONAL)


def _entries(config: Any, where: str) -> list[dict[str, Any]]:
    """Return the layers of a model as dictionaries; Keras 1 and 2 write a Sequential as a bare list."""
    layers = config if isinstance(config, list) else config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or not layers:
        raise BadInput(f"{where}: has no list of layers")
    for entry in layers:
        whole = isinstance(entry, dict) and isinstance(entry.get("class_name"), str)
        if not whole or not isinstance(entry.get("config"), dict | list):
            raise BadInput(f"{where}: a layer is {entry!r:.100}; it needs class_name and config")
    return layers


def _name(entry: Mapping[str, Any], index: int) -> str:
    config = entry["config"]
    inner = config.get("name") if isinstance(config, dict) else None
    name = entry.get("name") or inner or f"{entry['class_name'].lower()}_{index + 1}"
    return str(name).replace("\0", "")


def _spec(
    path: Path, entry: Mapping[str, Any], name: str, calls: tuple[Call, ...], outer: tuple[str, ...], depth: int
) -> Spec:
    kind = f"ops.{entry['class_name']}" if is_operation(entry, calls) else class_of(entry)
    places = (*outer, name)
    where = f"{path}: layer {'/'.join(places)!r} ({kind})"
    graph = _graph(path, entry, places, depth + 1) if is_model(entry) and "layers" in _keys(entry["config"]) else None
    config = entry["config"] if isinstance(entry["config"], dict) else {}
    return Spec(name, kind, config, calls, "/".join(places), where, graph)


def _keys(config: Any) -> Sequence[str]:
    return ("layers",) if isinstance(config, list) else tuple(config)


def _sequential(path: Path, config: Any, outer: tuple[str, ...], where: str, depth: int) -> Graph:
    """Read layers that stand one after the other, each with the output of the one before."""
    entries, layers = _entries(config, where), {}
    name = str(config.get("name", "sequential")) if isinstance(config, dict) else "sequential"
    before: Ref | None = None
    if entries[0]["class_name"] != "InputLayer":
        first = _name(entries[0], 0)
        given = {"batch_input_shape": _first_shape(config, entries[0], where)}
        start = {"class_name": "InputLayer", "config": {"name": f"{first}_input", **given}}
        entries = [start, *entries]
    for index, entry in enumerate(entries):
        inner = _name(entry, index)
        if inner in layers:
            raise BadInput(f"{where}: two layers are named {inner!r}")
        call = Call((before,) if before is not None else ())
        layers[inner] = _spec(path, entry, inner, (call,), outer, depth)
        before = Ref(inner, 0, 0)
    assert before is not None
    return Graph(name, SEQUENTIAL, layers, (Ref(next(iter(layers)), 0, 0),), (before,))


def _first_shape(config: Any, entry: Mapping[str, Any], where: str) -> Any:
    """Return the input shape of a Sequential without an InputLayer, as its first layer says it; None: it does not."""
    inner = entry["config"]
    if is_model(entry):
        return _first_shape(inner, _entries(inner, f"{where}: layer {_name(entry, 0)!r}")[0], where)
    if isinstance(inner, dict):
        shape = inner.get("batch_input_shape", inner.get("batch_shape"))
        if shape is None and isinstance(inner.get("input_dim"), int):
            shape = [None, inner["input_dim"]]
        if shape is not None:
            return shape
    return config.get("build_input_shape") if isinstance(config, dict) else None


def _functional(path: Path, config: Mapping[str, Any], outer: tuple[str, ...], where: str, depth: int) -> Graph:
    entries, layers = _entries(config, where), {}
    for index, entry in enumerate(entries):
        name = _name(entry, index)
        if name in layers:
            raise BadInput(f"{where}: two layers are named {name!r}")
        nodes = entry.get("inbound_nodes") or []
        if not isinstance(nodes, list):
            raise BadInput(f"{where}: layer {name!r}: inbound_nodes is no list")
        calls = tuple(read_call(node, f"{where}: layer {name!r}") for node in nodes)
        layers[name] = _spec(path, entry, name, calls or (Call(()),), outer, depth)
    inputs, outputs = (flat(config.get(key), f"{where}: {key}") for key in ("input_layers", "output_layers"))
    if not inputs or not outputs:
        raise BadInput(f"{where}: input_layers or output_layers is empty")
    modern = any(isinstance(node, dict) for entry in entries for node in entry.get("inbound_nodes") or ())
    outputs = _counted(layers, outputs, modern=modern)
    given = config["input_layers"]
    keys = tuple(sorted(given)) if isinstance(given, dict) else tuple(ref.layer for ref in inputs)
    name = str(config.get("name", "model"))
    found = Graph(name, "Functional", layers, tuple(inputs), tuple(outputs), keys if len(keys) == len(inputs) else ())
    for ref in references(found):
        if ref.layer not in layers or not 0 <= ref.call < len(layers[ref.layer].calls) or ref.output < 0:
            raise BadInput(
                f"{where}: output {ref.output} of call {ref.call} of {ref.layer!r} is read, and is not there"
            )
    return found


def references(graph: Graph) -> Iterator[Ref]:
    """Yield every tensor that is read: by a layer, or as input or output of the model."""
    for spec in graph.layers.values():
        for call in spec.calls:
            yield from refs_in((call.args, call.named))
    yield from (*graph.inputs, *graph.outputs)


def _counted(layers: Mapping[str, Spec], outputs: Sequence[Ref], *, modern: bool) -> list[Ref]:
    """Count the calls of nested models from 0 on; changes the calls in place and returns the outputs.

    Keras 2 has some other number for the first one. Keras 3 counts as here, but for the outputs of the model: there
    the first call of a Functional model is number 1.
    """
    nested = {name: spec for name, spec in layers.items() if spec.graph is not None}
    if modern:
        first = {name: 1 for name, spec in nested.items() if spec.type != SEQUENTIAL}
        return [Ref(ref.layer, ref.call - first.get(ref.layer, 0), ref.output) for ref in outputs]
    calls = [call for spec in layers.values() for call in spec.calls]
    read: dict[str, set[int]] = {name: set() for name in nested}
    for ref in (*refs_in([(call.args, call.named) for call in calls]), *outputs):
        read.get(ref.layer, set()).add(ref.call)
    numbers = {
        (name, number): index
        for name, found in read.items()
        if len(found) == len(layers[name].calls)
        for index, number in enumerate(sorted(found))
    }

    def change(ref: Ref) -> Ref:
        return Ref(ref.layer, numbers.get((ref.layer, ref.call), ref.call), ref.output)

    for spec in layers.values():
        spec.calls = tuple(Call(tuple(replaced(c.args, change)), replaced(c.named, change)) for c in spec.calls)
    return [change(ref) for ref in outputs]
