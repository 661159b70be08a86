"""A network that is ONNX already, brought to what every file of the zoo is.

That is opset 17 or later, a free batch ``N``, only real inputs listed, every node named. Old exporters write the batch
of 1 into their Reshapes; there it becomes 0, which is ONNX for "as the input has it".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from converters.errors import BadInput, Unsupported
from converters.onnx_file import IR_VERSION, OPSET
from zoo import graph

if TYPE_CHECKING:
    import onnx


def clean(model: onnx.ModelProto, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
    """Return the same network as the zoo wants it, ``metadata`` added. Names and numbers stay.

    Raises Unsupported for a batch that cannot be freed or an opset that cannot be raised, BadInput for a wrong graph.
    """
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    only_real_inputs(made)
    made = with_opset(made, OPSET)
    made.ir_version = max(made.ir_version, IR_VERSION)
    del made.graph.value_info[:], made.metadata_props[:]
    name_nodes(made)
    free_batch(made)
    graph.prune(made)
    onnx.helper.set_model_props(made, {p.key: p.value for p in model.metadata_props} | dict(metadata or {}))
    check(made)
    return made


def only_real_inputs(model: onnx.ModelProto) -> None:
    """Take the weights out of the list of inputs, where files of before IR version 4 have them."""
    kept = graph.inputs(model)
    del model.graph.input[:]
    model.graph.input.extend(kept)


def with_opset(model: onnx.ModelProto, least: int) -> onnx.ModelProto:
    """Return the model in this opset or, if it has one, a later one. Raises Unsupported when it cannot be raised."""
    import onnx

    version = opset(model)
    if version >= least:
        return model
    others = {entry.domain: entry.version for entry in model.opset_import if entry.domain not in {"", "ai.onnx"}}
    model.ir_version = max(model.ir_version, IR_VERSION)
    try:
        raised = onnx.version_converter.convert_version(model, least)
    except (RuntimeError, onnx.version_converter.ConvertError) as error:
        said = " ".join(str(error).split())
        raise Unsupported(
            f"opset {version} cannot be raised to {least}: {said}; export it with a later opset"
        ) from error
    known = {entry.domain for entry in raised.opset_import}
    raised.opset_import.extend(onnx.helper.make_opsetid(*entry) for entry in others.items() if entry[0] not in known)
    return raised


def opset(model: onnx.ModelProto) -> int:
    """Return the version of ONNX's own operators. Raises BadInput when the file does not say."""
    version = next((entry.version for entry in model.opset_import if entry.domain in {"", "ai.onnx"}), None)
    if version is None:
        raise BadInput("the file has no opset of ONNX's own operators; give a valid ONNX file")
    return version


def name_nodes(model: onnx.ModelProto) -> None:
    """Name the nodes that have no name, or one that was given before, after what they make."""
    seen: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in seen:
            node.name = next(name for name in _candidates(node) if name not in seen)
        seen.add(node.name)


def _candidates(node: onnx.NodeProto) -> list[str]:
    first = next((name for name in node.output if name), node.op_type)
    return [first, *(f"{first}_{count}" for count in range(2, 1000))]


def free_batch(model: onnx.ModelProto) -> None:
    """Make axis 0 of every input and output the batch ``N``. Raises Unsupported when the graph holds it fast."""
    for value in graph.inputs(model):
        axes = value.type.tensor_type.shape.dim
        if not axes:
            raise Unsupported(f"input {value.name!r} has no axes, so none for the batch; give a network that has one")
    _free_reshapes(model)
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].CopyFrom(graph.dimension(graph.BATCH))
    sizes, types = graph.sizes(model, graph.BATCH), graph.typed(model)
    for output in model.graph.output:
        size = sizes.get(output.name)
        if not size or size[0] is not None:
            raise Unsupported(f"output {output.name!r}: its batch cannot be freed{_holder(model, sizes)}")
        output.CopyFrom(types[output.name])
        output.type.tensor_type.shape.dim[0].CopyFrom(graph.dimension(graph.BATCH))


def _free_reshapes(model: onnx.ModelProto) -> None:
    """Write 0 for the batch into the sizes of Reshapes; at the batch that they were made for it is the same."""
    import onnx

    constants, sizes = graph.constants(model), graph.sizes(model)
    freed: dict[str, str] = {}
    for node in model.graph.node:
        exact = any(attribute.name == "allowzero" and attribute.i for attribute in node.attribute)
        if node.op_type != "Reshape" or exact or node.input[1] not in constants:
            continue
        wanted = onnx.numpy_helper.to_array(constants[node.input[1]]).copy()
        given = sizes.get(node.input[0])
        if not given or wanted.ndim != 1 or not len(wanted) or wanted[0] < 1 or wanted[0] != given[0]:
            continue
        old = node.input[1]
        if old not in freed:
            freed[old] = f"{old}/batch"
            wanted[0] = 0
            model.graph.initializer.append(onnx.numpy_helper.from_array(wanted, freed[old]))
        node.input[1] = freed[old]


def _holder(model: onnx.ModelProto, sizes: Mapping[str, graph.Sizes]) -> str:
    """Say which node is the first to read a free batch and to make a fixed one."""
    for node in model.graph.node:
        made, free = sizes.get(node.output[0]), [sizes[name] for name in node.input if name in sizes]
        if made and made[0] is not None and any(size and size[0] is None for size in free):
            return f": {node.op_type} {node.name!r} makes it {made[0]}; export the network with a free batch"
    return "; export the network with a free batch"


def check(model: onnx.ModelProto) -> None:
    """Raise BadInput when ONNX's own checker refuses the model."""
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        said = " ".join(str(error).split())
        raise BadInput(f"no valid ONNX graph: {said}; give a valid ONNX file") from error
