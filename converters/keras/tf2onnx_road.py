"""The second road: TensorFlow runs the model once, tf2onnx turns the operations into ONNX, onnxslim tidies up.

It takes what the direct road does not know, and SavedModel folders. tf2onnx numbers its tensors as it goes and names
the batch at random, so names and order are made anew: the same file gives the same bytes.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from converters import VERSION
from converters.caffe import IR_VERSION, OPSET
from converters.caffe.emit import unique
from converters.errors import Unsupported
from converters.keras.judge import sizes, traced
from converters.keras.load import Loaded, MissingExtra, Port, load, tensorflow

if TYPE_CHECKING:
    import onnx

NUMBERED = re.compile(r"__\d+")
"""What tf2onnx puts behind names."""


def convert(model: Path, *, metadata: Mapping[str, str] = MappingProxyType({})) -> onnx.ModelProto:
    """Convert a model file (HDF5, ``.keras``) or a SavedModel folder by way of TensorFlow.

    Inputs and outputs are as the direct road has them (`converters.keras.convert`), and so is the metadata, but for
    ``road``. Code in a file is never run.

    Raises BadInput for a file that is not whole, Unsupported for one with code or that tf2onnx cannot convert, and
    MissingExtra when TensorFlow or tf2onnx is not installed.
    """
    tensorflow()
    loaded = load(model)
    first = canonical(_by_tf2onnx(model, loaded), loaded, loaded.scopes)
    found = canonical(_slim(model, first), loaded, {})
    own = _own_metadata(model, loaded)
    if clash := {key for key in own.keys() & metadata.keys() if own[key] != metadata[key]}:
        raise ValueError(f"metadata that contradicts what the converter writes itself: {sorted(clash)}")
    for key, value in sorted({**own, **metadata}.items()):
        found.metadata_props.add(key=key, value=value)
    _check(model, found)
    return found


def _by_tf2onnx(path: Path, loaded: Loaded) -> onnx.ModelProto:
    """Return what tf2onnx makes of a model. It does not merge equal nodes: which name stays would be left to chance."""
    try:
        import tf2onnx
        from tf2onnx import optimizer, tf_loader, tfonnx
    except ImportError as error:
        raise MissingExtra(f"tf2onnx cannot be imported ({error}); pip install 'agebench[keras]'") from error
    tf = tensorflow()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    function = traced(loaded, {}, squashed=False)[0].get_concrete_function()
    inputs = [tensor.name for tensor in function.inputs if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in function.outputs]
    passes = {name: one for name, one in optimizer._get_optimizers().items() if name != "merge_duplication"}
    try:
        frozen = tf_loader.from_function(function, inputs, outputs)
        with tf.device("/CPU:0"), tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen, name="")
            made = tfonnx.process_tf_graph(graph, opset=OPSET, input_names=inputs, output_names=outputs)
            found = optimizer.optimize_graph(made, optimizers=passes).make_model(loaded.name)
    except Exception as error:  # tf2onnx raises many types; which operation it was stands in the message
        said = " ".join(str(error).split())[:300]
        raise Unsupported(f"{path}: tf2onnx {tf2onnx.__version__} cannot convert it: {said}") from error
    unknown = sorted({node.op_type for node in found.graph.node if node.domain not in ("", "ai.onnx")})
    if unknown:
        raise Unsupported(f"{path}: tf2onnx has no ONNX operator for {', '.join(unknown)}")
    return cast("onnx.ModelProto", found)


def _slim(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model without what is constant or done twice; OpenCV needs that to run some at a larger batch."""
    try:
        import onnxslim
    except ImportError as error:
        raise MissingExtra(f"onnxslim cannot be imported ({error}); pip install 'agebench[keras]'") from error
    try:
        return cast("onnx.ModelProto", onnxslim.slim(model))
    except Exception as error:  # it raises many types
        raise Unsupported(f"{path}: onnxslim cannot simplify it: {' '.join(str(error).split())[:300]}") from error


def canonical(model: onnx.ModelProto, loaded: Loaded, scopes: Mapping[str, str]) -> onnx.ModelProto:
    """Return a model with nodes in the order that the outputs need them, and names that depend on nothing else.

    ``scopes`` has the layer for each prefix of names that are TensorFlow's still (`Loaded.scopes`).
    """
    from onnx import helper

    graph = model.graph
    nodes = _in_order(graph)
    names = _names(graph, nodes, loaded, scopes)
    taken: dict[str, int] = {}
    for node in nodes:
        node.name = unique(taken, _plain(node.name or node.op_type, scopes))
        node.doc_string = ""
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
    used = list(dict.fromkeys(name for node in nodes for name in node.input))
    constants = {names[one.name]: one for one in graph.initializer if one.name in names}
    for name, one in constants.items():
        one.name, one.doc_string = name, ""
    inputs, outputs, kept = _described(loaded.inputs), _described(loaded.outputs), [n for n in used if n in constants]
    made = helper.make_graph(nodes, loaded.name or "keras", inputs, outputs, [constants[name] for name in kept])
    return helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="agebench",
        producer_version=VERSION,
    )


def _in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes that the outputs need, each behind those that it needs."""
    makers = {name: node for node in graph.node for name in node.output}
    order: list[onnx.NodeProto] = []
    done: set[int] = set()
    waiting = [(makers[end.name], False) for end in reversed(graph.output) if end.name in makers]
    while waiting:
        node, ready = waiting.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
            continue
        waiting.append((node, True))
        waiting += [(makers[name], False) for name in reversed(_read(node)) if name in makers]
    return order


def _read(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that a node reads, those in its subgraphs too."""
    inner = [g for a in node.attribute for g in (*a.graphs, *([a.g] if a.HasField("g") else ()))]
    return [*node.input, *(name for graph in inner for one in graph.node for name in _read(one))]


def _names(
    graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto], loaded: Loaded, scopes: Mapping[str, str]
) -> dict[str, str]:
    """Return a new name for each tensor; inputs and outputs get those of the model."""
    ends = [*zip(graph.input, loaded.inputs, strict=True), *zip(graph.output, loaded.outputs, strict=True)]
    names = {end.name: one.name for end, one in ends}
    taken = dict.fromkeys(names.values(), 1)
    for node in nodes:
        for name in (*node.input, *node.output):
            if name and name not in names:
                names[name] = unique(taken, _plain(name, scopes))
    return names


def _plain(name: str, scopes: Mapping[str, str]) -> str:
    """Return a name with that of its layer in front, as the file has it, and without the numbers of tf2onnx."""
    name = NUMBERED.sub("", name.removesuffix(":0")) or "tensor"
    parts = name.split("/")
    for end in range(len(parts) - 1, 0, -1):
        if layer := scopes.get("/".join(parts[:end])):
            return "/".join([layer, *parts[end:]])
    return name


def _described(ports: Iterable[Port]) -> list[onnx.ValueInfoProto]:
    from onnx import TensorProto, helper

    return [
        helper.make_tensor_value_info(
            one.name,
            TensorProto.FLOAT,
            ["N", *(f"{one.name}_{axis}" if n is None else n for axis, n in enumerate(sizes(one, {})[1:], start=1))],
        )
        for one in ports
    ]


def _own_metadata(path: Path, loaded: Loaded) -> dict[str, str]:
    layout = [
        f"{one.name}: Keras axes {list(one.order)}" for one in (*loaded.inputs, *loaded.outputs) if len(one.order) > 2
    ]
    return {
        "converter": "keras",
        "converter_version": VERSION,
        "road": "tf2onnx",
        "layout": f"NCHW ({'; '.join(layout)})" if layout else "NCHW",
        "source_model": path.name,
        "source_model_sha256": sha256(path),
        "tf2onnx": _versions(),
    }


def _versions() -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in ("tf2onnx", "onnxslim", "keras"))


def sha256(path: Path) -> str:
    """Return the sha256 of a file; of a folder, that of what ``sha256sum`` lists of its files."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    listed = "".join(f"{sha256(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()


def _check(path: Path, model: onnx.ModelProto) -> None:
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        said = " ".join(str(error).split())[:300]
        raise Unsupported(f"{path}: tf2onnx made a graph that ONNX refuses: {said}") from error
