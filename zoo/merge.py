"""Two networks as one graph: what a backbone has inside becomes what a second network reads.

The tensors inside get the prefixes ``backbone/`` and ``head/``, since both may use the same names; what the whole takes
in and gives out keeps its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from converters.errors import BadInput
from zoo.clean import check, clean, opset, with_opset
from zoo.tap import Pool, tap

if TYPE_CHECKING:
    import onnx

BACKBONE, HEAD = "backbone/", "head/"


def merge(
    backbone: onnx.ModelProto,
    head: onnx.ModelProto,
    joints: Mapping[str, str],
    pool: Pool = "none",
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """Return one network: the backbone's inputs, the head's outputs, nothing that these do not need.

    ``joints`` says what each input of the head reads (input -> tensor or node of the backbone), ``pool`` whether maps
    are averaged on the way. Both are cleaned and brought to one opset first; of metadata there is only what is given.
    Raises BadInput for joints that do not fit, and what ``clean`` and ``tap`` raise.
    """
    import onnx

    lower, upper = _alike(tap(clean(backbone), list(joints.values()), pool), clean(head))
    _refuse_misfits(lower, upper, joints)
    outputs = [output.name for output in upper.graph.output]
    lower = onnx.compose.add_prefix(lower, BACKBONE, rename_inputs=False, inplace=True)
    upper = onnx.compose.add_prefix(upper, HEAD, rename_outputs=False, inplace=True)
    pairs = [(BACKBONE + tapped, HEAD + name) for name, tapped in joints.items()]
    try:
        made = onnx.compose.merge_models(lower, upper, pairs, outputs=outputs, doc_string="")
    except ValueError as error:
        said = " ".join(str(error).split())
        raise BadInput(f"the two networks cannot be joined: {said}; give one of them other names") from error
    versions = {entry.domain: entry.version for entry in made.opset_import}  # compose lists those of both
    del made.opset_import[:]
    made.opset_import.extend(onnx.helper.make_opsetid(*entry) for entry in versions.items())
    made.ClearField("producer_name")
    made.ClearField("producer_version")
    del made.graph.value_info[:]
    onnx.helper.set_model_props(made, dict(metadata or {}))
    check(made)
    return made


def _alike(*models: onnx.ModelProto) -> list[onnx.ModelProto]:
    """Bring the models to the latest opset and IR version among them, without metadata."""
    version = max(map(opset, models))
    made = [with_opset(model, version) for model in models]
    for model in made:
        model.ir_version = max(other.ir_version for other in made)
        del model.metadata_props[:]
    return made


def _refuse_misfits(lower: onnx.ModelProto, upper: onnx.ModelProto, joints: Mapping[str, str]) -> None:
    """Raise BadInput unless every input of the head has a joint, and each joint one size at both its ends."""
    wanted = {value.name: value.type.tensor_type for value in upper.graph.input}
    if set(wanted) != set(joints):
        raise BadInput(f"joints for the inputs {', '.join(joints)}; the second network has {', '.join(wanted)}")
    tapped = {value.name: value.type.tensor_type for value in lower.graph.output}
    for name, tap_name in joints.items():
        below, above = (_axes(value) for value in (tapped[tap_name], wanted[name]))
        fits = len(below) == len(above) and all(a == b or not a or not b for a, b in zip(below, above, strict=True))
        if not fits or tapped[tap_name].elem_type != wanted[name].elem_type:
            sizes = " and ".join("x".join(str(axis or "?") for axis in axes) for axes in (below, above))
            raise BadInput(f"{tap_name!r} and the input {name!r} that reads it have different sizes: {sizes}")


def _axes(tensor: onnx.TypeProto.Tensor) -> list[int | str]:
    return [axis.dim_value or axis.dim_param for axis in tensor.shape.dim]
