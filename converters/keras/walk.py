"""Runs a network once, with tensors of the ONNX graph for numbers: each call of each layer adds its nodes.

What the outputs need is run, in the order that it needs; a nested model is run anew for each of its calls, with the
same weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from converters.errors import Unsupported
from converters.keras.arguments import model_inputs, refuse_others, tensors_in
from converters.keras.calls import Call, Ref, refs_in, replaced
from converters.keras.emit import Emit
from converters.keras.graph import Graph, Spec
from converters.keras.kind import Layer, Tensor, kinds
from converters.keras.whole_numbers import wraps
from converters.onnx_file import LARGEST

CODE = ("Lambda", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "TFSMLayer")
"""Layers that are code. No code that comes in a file is ever run."""
Key = tuple[str, int]


def walk(graph: Graph, inputs: Sequence[Tensor], emit: Emit) -> list[Tensor]:
    """Run a model on these tensors; returns its outputs, in order."""
    made: dict[Key, tuple[Tensor, ...]] = {}
    for ref, tensor in zip(graph.inputs, inputs, strict=True):
        made[ref.layer, ref.call] = (tensor,)
    readers = _readers(graph)
    waiting: list[Key] = [(ref.layer, ref.call) for ref in reversed(graph.outputs)]
    started: set[Key] = set()
    while waiting:
        key = waiting[-1]
        spec = graph.layers[key[0]]
        call = spec.calls[key[1]]
        needed = [(ref.layer, ref.call) for ref in refs_in((call.args, call.named))]
        missing = [other for other in dict.fromkeys(needed) if other not in made]
        if key in made:
            waiting.pop()
        elif not missing:
            if wraps(graph, spec, call):
                known = "which wrap round in Keras (200 + 100 is 44 in uint8); make them floats before, as Rescaling"
                raise Unsupported(f"{spec.where}: calculates with whole numbers, {known}")
            made[key] = _run(spec, _filled(graph, call, made), emit, readers.get(spec.name, ()))
            waiting.pop()
        elif key in started:
            raise _of(spec).bad("it needs what it makes itself")
        else:
            started.add(key)
            waiting += reversed(missing)
    return [_output(graph.layers[ref.layer], made, ref) for ref in graph.outputs]


def _of(spec: Spec) -> Layer:
    """Return a layer without its inputs, to say what is wrong with it."""
    return Layer(spec.path, spec.type, {}, (), spec.where, spec.weights)


def _readers(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return the classes of the layers that read each layer."""
    readers: dict[str, tuple[str, ...]] = {}
    for spec in graph.layers.values():
        for call in spec.calls:
            for ref in refs_in((call.args, call.named)):
                readers[ref.layer] = (*readers.get(ref.layer, ()), spec.type)
    return readers


def _output(spec: Spec, made: Mapping[Key, tuple[Tensor, ...]], ref: Ref) -> Tensor:
    tensors = made[ref.layer, ref.call]
    if ref.output >= len(tensors):
        raise _of(spec).bad(f"its output {ref.output} is read; it makes {len(tensors)}")
    return tensors[ref.output]


def _filled(graph: Graph, call: Call, made: Mapping[Key, tuple[Tensor, ...]]) -> Call:
    """Return a call with tensors in place of what it refers to."""

    def tensor(ref: Ref) -> Tensor:
        return _output(graph.layers[ref.layer], made, ref)

    return Call(tuple(replaced(call.args, tensor)), replaced(call.named, tensor))


def _run(spec: Spec, call: Call, emit: Emit, readers: Sequence[str]) -> tuple[Tensor, ...]:
    """Add the nodes of one call of a layer."""
    inputs = tuple(tensors_in(call.args)) or tuple(tensors_in(call.named.get("inputs")))
    op = Layer(
        spec.path,
        spec.type,
        spec.config,
        inputs,
        spec.where,
        spec.weights,
        call.args,
        call.named,
        tuple(readers),
        emit.keras,
    )
    if spec.graph is not None:
        return tuple(walk(spec.graph, model_inputs(op, spec.graph), emit))
    before = len(emit.nodes)
    made = run_layer(op, emit)
    emit.described.add(op, made, emit.nodes[before:])
    return made


def run_layer(op: Layer, emit: Emit) -> tuple[Tensor, ...]:
    """Add the nodes of a layer. Raises Unsupported for one that is not known, or is called in a way that is not."""
    known = kinds().get(op.type)
    if known is None:
        raise unknown(op)
    refuse_others(op, known.call)
    if not op.inputs and not tensors_in(op.call) and op.type != "InputLayer":
        raise op.bad("is called without any tensor")
    emit.begin(op)
    made = emit.layer(op, known.convert(op, emit))
    op.check_all_read()
    for tensor in made:
        sizes = [size for size in tensor.shape[1:] if size is not None]
        if min(sizes, default=1) < 1:
            raise op.bad(f"its input is too small: it would make a tensor of shape {tensor.shape}")
        if prod(sizes) > LARGEST:
            raise op.bad(
                f"it would make a tensor of shape {tensor.shape}, more than {LARGEST} numbers; check the sizes"
            )
    return made


def unknown(op: Layer) -> Unsupported:
    """Return the error for a layer of a class that has no converter."""
    if op.type in CODE:
        return Unsupported(f"{op.where}: its code is in the file, and code in a file is never run; write it as layers")
    if ">" in op.type:
        known = "its code is not in the file; only Keras's own layers are converted. Write it as layers of Keras"
        other = "export the model as a SavedModel and convert that with --via tf2onnx"
        return Unsupported(f"{op.where}: is a class of somebody's own, {known}, or {other}")
    other = f"{len(kinds())} classes are; convert it with --via tf2onnx"
    return Unsupported(f"{op.where}: no converter for layers of class {op.type!r:.100}, {other}")


def layouts(graph: Graph) -> dict[str, bool]:
    """Return for each input whether its channels are Keras's last axis: what the first layer to say so says of it."""
    readers: dict[str, list[Spec]] = {}
    for spec in graph.layers.values():
        for call in spec.calls:
            for ref in refs_in((call.args, call.named)):
                readers.setdefault(ref.layer, []).append(spec)
    return {ref.layer: _last(ref.layer, readers) for ref in graph.inputs}


def _last(name: str, readers: Mapping[str, list[Spec]]) -> bool:
    waiting, seen = [name], {name}
    while waiting:
        for spec in readers.get(waiting.pop(0), ()):
            said = _says(spec)
            if said is not None:
                return said
            if spec.name not in seen and spec.type not in ("Permute", "Reshape", "Flatten"):
                seen.add(spec.name)
                waiting.append(spec.name)
    return True


def _says(spec: Spec) -> bool | None:
    """Return whether a layer has its channels last; None: it does not say."""
    if spec.graph is not None:
        return all(layouts(spec.graph).values())
    words = {"channels_first": False, "th": False, "channels_last": True, "tf": True}
    return words.get(str(spec.config.get("data_format", spec.config.get("dim_ordering"))))
