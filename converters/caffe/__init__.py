"""Caffe networks as ONNX. The batch of the file is forgotten: every input and output has a batch dimension ``N``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    from converters.caffe.emit import LrnForm
    from converters.caffe.net import Net

OPSET, IR_VERSION = 17, 8
"""Old enough for ONNX Runtime 1.17 and OpenCV 4.10, new enough for all that the layers need."""


def convert(
    prototxt: Path,
    caffemodel: Path | None = None,
    *,
    lrn: LrnForm = "lowered",
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> onnx.ModelProto:
    """Convert the TEST phase of a network (text or binary) with its weights.

    Inputs and outputs keep Caffe's names and shapes, but for the batch, ``N``. ``lrn`` says how LRN is written
    (docs/adr/0002-lrn-lowering.md). ``metadata`` goes into the model beside what the converter says of itself: its
    version, the ``lrn`` form, and name and sha256 of each source. The same inputs give the same bytes (`to_bytes`).

    Raises Unsupported for a layer or feature that is not known, BadInput for files that are not whole or do not fit.
    """
    from converters.caffe.net import read_net

    return convert_net(read_net(prototxt, caffemodel), lrn=lrn, metadata=metadata)


def convert_net(
    net: Net, *, lrn: LrnForm = "lowered", metadata: Mapping[str, str] = MappingProxyType({})
) -> onnx.ModelProto:
    """Convert a network that has been read already; see `convert`."""
    import onnx
    from onnx import TensorProto, helper

    from converters import VERSION
    from converters.caffe.emit import Emit, kinds

    emit = Emit(net.shapes, lrn)
    for op in net.layers:
        emit.layer(op, kinds()[op.type].convert)

    def batched(names: Mapping[str, object] | tuple[str, ...]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", *net.shapes[n][1:]]) for n in names]

    graph = helper.make_graph(
        emit.nodes, net.name or "caffe", batched(net.inputs), batched(net.outputs), initializer=emit.constants
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="agebench",
        producer_version=VERSION,
    )
    own = {"converter": "caffe", "converter_version": VERSION, "lrn": lrn}
    for role, (file, sha256) in net.sources.items():
        own |= {f"source_{role}": file, f"source_{role}_sha256": sha256}
    if clash := {key for key in own.keys() & metadata.keys() if own[key] != metadata[key]}:
        raise ValueError(f"metadata that contradicts what the converter writes itself: {sorted(clash)}")
    for key, value in sorted({**own, **metadata}.items()):
        model.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(model, full_check=True)
    return model


def to_bytes(model: onnx.ModelProto) -> bytes:
    """Serialise a model: the same model gives the same bytes."""
    data: bytes = model.SerializeToString(deterministic=True)
    return data
