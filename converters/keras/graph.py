"""The architecture of a model as a graph: Sequential, Functional, and models inside models, in the form of any Keras.

A layer that is called several times has several calls; another layer refers to one by (layer, call, output). Keras 2
counts the calls of a nested model from the one that it had when it was built, so they need not start at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converters.errors import BadInput, Unsupported
from converters.keras.weights import Weights

SEQUENTIAL, FUNCTIONAL = "Sequential", ("Model", "Functional")
DEEPEST = 32
"""Models inside models."""


@dataclass(frozen=True)
class Ref:
    """What one call of a layer made: its output number ``output``."""

    layer: str
    call: int
    output: int


@dataclass(frozen=True, eq=False)
class Call:
    """What a layer is called with: by position, and by name; a tensor is a `Ref`."""

    args: tuple[Any, ...]
    named: Mapping[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Spec:
    """A layer as the file describes it; ``path`` is its name with those of the models it lies in.

    ``graph`` is what a nested model holds. ``weights`` are added when they are read; ``numbers`` says how the file counts the calls of a nested
    model: by its number, from 0 on.
    """

    name: str
    type: str
    config: Mapping[str, Any]
    calls: tuple[Call, ...]
    path: str
    where: str
    graph: Graph | None = None
    weights: Weights = field(default_factory=Weights)
    numbers: dict[int, int] = field(default_factory=dict)


@dataclass(eq=False)
class Graph:
    """A model: layers by name, and which tensors go in and come out, in order."""

    name: str
    type: str
    layers: dict[str, Spec]
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]

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
    kind, config = model["class_name"], model["config"]
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
    return entry["class_name"] == SEQUENTIAL or entry["class_name"] in FUNCTIONAL


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
    kind, module = entry["class_name"], str(entry.get("module") or "")
    if module.startswith(("keras.src.ops", "keras.ops")):
        kind = f"ops.{kind}"
    elif module and module.partition(".")[0] not in ("keras", "tf_keras", "builtins"):
        kind = f"{module}>{kind}"
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
        given = {"batch_input_shape": _first_shape(config, entries[0])}
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


def _first_shape(config: Any, entry: Mapping[str, Any]) -> Any:
    """Return the input shape of a Sequential without an InputLayer, as its first layer says it; None: it does not."""
    inner = entry["config"]
    if is_model(entry):
        return _first_shape(inner, _entries(inner, "")[0])
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
        calls = tuple(_call(node, f"{where}: layer {name!r}") for node in nodes)
        layers[name] = _spec(path, entry, name, calls or (Call(()),), outer, depth)
    ends = [tuple(flat(config.get(key), f"{where}: {key}")) for key in ("input_layers", "output_layers")]
    if not all(ends):
        raise BadInput(f"{where}: input_layers or output_layers is empty")
    _renumber(layers, ends[1])
    found = Graph(
        str(config.get("name", "model")), "Functional", layers, *(tuple(map(_numbered(layers), e)) for e in ends)
    )
    for spec in layers.values():
        spec.calls = tuple(_with_refs(call, _numbered(layers)) for call in spec.calls)
    for ref in references(found):
        if ref.layer not in layers or not 0 <= ref.call < len(layers[ref.layer].calls) or ref.output < 0:
            raise BadInput(
                f"{where}: output {ref.output} of call {ref.call} of {ref.layer!r} is read, and is not there"
            )
    return found


def _is_ref(value: Any) -> bool:
    """Whether a value is ``[layer, call, output]``."""
    short = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
    return short and all(isinstance(n, int) and not isinstance(n, bool) for n in value[1:])


def flat(value: Any, where: str) -> list[Ref]:
    """Return the tensors of a structure of lists and dictionaries, in Keras's order: a dictionary's by sorted key."""
    if _is_ref(value):
        return [Ref(*value)]
    if isinstance(value, list):
        return [ref for one in value for ref in flat(one, where)]
    if isinstance(value, dict):
        return [ref for key in sorted(value) for ref in flat(value[key], where)]
    raise BadInput(f"{where}: {value!r:.100} is no [layer, call, output]")


def _call(node: Any, where: str) -> Call:
    """Read what a layer is called with once. Keras 3 has args and kwargs, Keras 1 and 2 lists of inputs."""
    if isinstance(node, dict) and isinstance(node.get("args"), list) and isinstance(node.get("kwargs"), dict):
        return Call(tuple(_argument(one) for one in node["args"]), {k: _argument(v) for k, v in node["kwargs"].items()})
    node = [node] if isinstance(node, list) and node and isinstance(node[0], str) else node
    if not isinstance(node, list):
        raise BadInput(f"{where}: {node!r:.100} is not what a layer is called with")
    args: list[Any] = []
    named: dict[str, Any] = {}
    for one in node:
        if isinstance(one, list) and len(one) in (3, 4) and one[0] == "_CONSTANT_VALUE":
            args.append(one[2])
        elif isinstance(one, list) and len(one) in (3, 4) and _is_ref(one[:3]):
            args.append(Ref(*one[:3]))
        else:
            raise BadInput(f"{where}: is called with {one!r:.100}, which is no [layer, call, output]")
        if len(one) == 4 and isinstance(one[3], dict):
            named |= {key: _old_argument(value) for key, value in one[3].items()}
    return Call(tuple(args), named)


def _argument(value: Any) -> Any:
    """Turn an argument of Keras 3 into Python, its tensors into `Ref`."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        history = value.get("config", {}).get("keras_history")
        return Ref(*history) if _is_ref(history) else value
    if isinstance(value, list):
        return [_argument(one) for one in value]
    return {key: _argument(one) for key, one in value.items()} if isinstance(value, dict) else value


def _old_argument(value: Any) -> Any:
    """Turn an argument of Keras 2 that is passed by name into Python, its tensors into `Ref`."""
    if _is_ref(value):
        return Ref(*value)
    return [_old_argument(one) for one in value] if isinstance(value, list) else value


def refs_in(value: Any) -> Iterator[Ref]:
    """Yield the tensors in an argument, in order."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from refs_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from refs_in(one)


def replaced(value: Any, change: Callable[[Ref], Any]) -> Any:
    """Return an argument with something else for each tensor in it."""
    if isinstance(value, Ref):
        return change(value)
    if isinstance(value, dict):
        return {key: replaced(one, change) for key, one in value.items()}
    return [replaced(one, change) for one in value] if isinstance(value, list | tuple) else value


def _with_refs(call: Call, change: Callable[[Ref], Any]) -> Call:
    return Call(tuple(replaced(call.args, change)), replaced(call.named, change))


def references(graph: Graph) -> Iterator[Ref]:
    """Yield every tensor that is read: by a layer, or as input or output of the model."""
    for spec in graph.layers.values():
        for call in spec.calls:
            yield from refs_in((call.args, call.named))
    yield from (*graph.inputs, *graph.outputs)


def _renumber(layers: Mapping[str, Spec], outputs: Sequence[Ref]) -> None:
    """Note how the calls of each nested model are counted, where that is not from 0 on."""
    read: dict[str, set[int]] = {}
    for spec in layers.values():
        for call in spec.calls:
            for ref in refs_in((call.args, call.named)):
                read.setdefault(ref.layer, set()).add(ref.call)
    for ref in outputs:
        read.setdefault(ref.layer, set()).add(ref.call)
    for name, numbers in read.items():
        spec = layers.get(name)
        if spec is not None and spec.graph is not None and len(numbers) == len(spec.calls):
            spec.numbers = {number: index for index, number in enumerate(sorted(numbers))}


def _numbered(layers: Mapping[str, Spec]) -> Callable[[Ref], Ref]:
    """Return the function that counts the calls of a nested model from 0 on."""

    def change(ref: Ref) -> Ref:
        numbers = layers[ref.layer].numbers if ref.layer in layers else {}
        return Ref(ref.layer, numbers.get(ref.call, ref.call), ref.output)

    return change
