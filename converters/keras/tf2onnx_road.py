"""The second road: TensorFlow runs the model once, tf2onnx turns the operations into ONNX, onnxslim tidies up.

It takes what the direct road does not know, and SavedModel folders. tf2onnx numbers its tensors as it goes and names
the batch at random, so names and order are made anew: the same file gives the same bytes.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from converters import VERSION
from converters.errors import Unsupported
from converters.keras.canonical import canonical
from converters.keras.judge import traced
from converters.keras.load import Loaded, MissingExtra, load, tensorflow
from converters.onnx_file import OPSET

if TYPE_CHECKING:
    import onnx


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
    import onnx

    try:
        import tf2onnx
        from tf2onnx import optimizer, tf_loader, tfonnx
    except ImportError as error:
        raise MissingExtra(f"tf2onnx cannot be imported ({error}); pip install 'agebench[keras]'") from error
    tf = tensorflow()
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    with _without_xla(tf):
        function = traced(loaded, {}, squashed=False)[0].get_concrete_function()
    inputs = [tensor.name for tensor in function.inputs[: len(loaded.inputs)]]  # weights and constants come behind
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
    _write_out(found.graph)
    known = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    unknown = sorted({node.op_type for node in found.graph.node if (node.domain, node.op_type) not in known})
    if unknown:
        raise Unsupported(f"{path}: tf2onnx has no ONNX operator for {', '.join(unknown)}")
    return cast("onnx.ModelProto", found)


@contextmanager
def _without_xla(tf: Any) -> Iterator[None]:
    """Let Keras write grouped convolutions as operations: it has XLA compile them, and tf2onnx cannot read that."""
    function = tf.function

    def plain(*given: Any, jit_compile: bool | None = None, **words: Any) -> Any:
        return (lambda call: call) if jit_compile else function(*given, **words)

    tf.function = plain
    try:
        yield
    finally:
        tf.function = function


def _write_out(graph: onnx.GraphProto) -> None:
    """Replace Erfc by ``1 - Erf`` and Expm1 by ``Exp - 1``: Keras's gelu and celu need them, and ONNX has neither."""
    from onnx import helper, numpy_helper

    forms = {"Erfc": ("Erf", True), "Expm1": ("Exp", False)}
    one, made = "one__erfc", []
    for node in graph.node:
        if node.op_type in forms and not node.domain:
            inner, one_first = forms[node.op_type]
            between = f"{node.output[0]}/{inner}"
            made.append(helper.make_node(inner, node.input, [between], name=f"{node.name}/{inner}"))
            node = helper.make_node("Sub", (one, between) if one_first else (between, one), node.output, name=node.name)
        made.append(node)
    graph.initializer.append(numpy_helper.from_array(np.array(1, dtype=np.float32), one))
    del graph.node[:]
    graph.node.extend(made)


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
