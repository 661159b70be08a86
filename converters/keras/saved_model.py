"""A SavedModel folder loaded by TensorFlow: its serving signature. Only the tf2onnx road reads it.

It holds operations of TensorFlow, no layers and no Python code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converters.errors import BadInput, Unsupported
from converters.keras.load import Loaded, Port, port, tensorflow
from converters.keras.trust import refuse_file_operations

SIGNATURE = "serving_default"


def load_saved_model(path: Path) -> Loaded:
    """Load a folder; inputs and outputs are in the order of their names. See `converters.keras.load.load`."""
    tf = tensorflow()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    refuse_file_operations(path)
    try:
        trackable = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises a dozen types; the folder is what is wrong
        raise BadInput(f"{path}: cannot be loaded as a SavedModel: {' '.join(str(error).split())[:300]}") from error
    if SIGNATURE not in trackable.signatures:
        there = ", ".join(trackable.signatures) or "none"
        raise Unsupported(f"{path}: the SavedModel has no signature {SIGNATURE!r}; there are: {there}")
    function = trackable.signatures[SIGNATURE]
    inputs = _ports(path, function.structured_input_signature[1])
    outputs = _ports(path, function.structured_outputs)
    frozen = convert_variables_to_constants_v2(function)  # whose operations are in one graph, none inside another

    def call(*tensors: Any) -> list[Any]:
        given = {end.name: tensor for end, tensor in zip(frozen.inputs, tensors, strict=True)}
        names = [end.name for end in frozen.outputs]
        return list(tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), given, names, name=""))

    return Loaded(path.name, inputs, outputs, call)


def _ports(path: Path, specs: Any) -> tuple[Port, ...]:
    for name, spec in specs.items():
        if not spec.shape.rank:
            what = "no known number of axes" if spec.shape.rank is None else "no axes"
            raise Unsupported(f"{path}: {name!r} has {what}; a model with a batch as the first axis can be converted")
    return tuple(port(name, spec, last=True) for name, spec in sorted(specs.items()))
