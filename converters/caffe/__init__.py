"""Caffe networks as ONNX. The batch of the file is forgotten: inputs and outputs have a batch dimension ``N``.

Only a network with a layer that mixes samples keeps it, and says so (``fixed_batch`` in its metadata).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from converters.caffe.emit import LrnForm
    from converters.caffe.net import Net

LARGE = 1024
"""Constants of more numbers are weights, never sizes that the checker has to know."""


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
    version, the ``lrn`` form, and name and sha256 of each source. The same inputs give the same bytes.

    Raises Unsupported for a layer or feature that is not known, BadInput for files that are not whole or do not fit.
    """
    import onnx

    from converters.caffe.net import read_net

    data = _joined(read_net(prototxt, caffemodel), lrn, metadata)  # a name for the network would keep its weights
    return onnx.ModelProto.FromString(data)


def convert_net(
    net: Net, *, lrn: LrnForm = "lowered", metadata: Mapping[str, str] = MappingProxyType({})
) -> onnx.ModelProto:
    """Convert a network that has been read already; see `convert`."""
    import onnx

    return onnx.ModelProto.FromString(_joined(net, lrn, metadata))


def _joined(net: Net, lrn: LrnForm, metadata: Mapping[str, str]) -> bytes:
    """Return the model as bytes: onnx itself would copy each constant four times to put it into a model."""
    from converters.onnx_file import pieces

    return b"".join(pieces(*assemble(net, lrn=lrn, metadata=metadata)))


def assemble(
    net: Net, *, lrn: LrnForm = "lowered", metadata: Mapping[str, str] = MappingProxyType({})
) -> tuple[onnx.ModelProto, dict[str, NDArray[Any]]]:
    """Convert a network to a model that lacks its constants, and those by name; see `convert`.

    `converters.onnx_file` joins them without a copy of the weights, which may be half a gigabyte.
    """
    from onnx import TensorProto, helper

    from converters import VERSION
    from converters.caffe.emit import Emit
    from converters.caffe.fold import fold
    from converters.caffe.kind import kinds
    from converters.onnx_file import IR_VERSION, OPSET

    folded, known = fold(net)
    emit = Emit(folded.shapes, folded.symbols, lrn)
    emit.known(known, net.outputs)
    for op in folded.layers:
        emit.layer(op, kinds()[op.type].convert)
    emit.finish(net.inputs, net.outputs)

    def described(names: Iterable[str]) -> list[onnx.ValueInfoProto]:
        sizes = {n: [net.symbols[n].get(axis, size) for axis, size in enumerate(net.shapes[n])] for n in names}
        return [helper.make_tensor_value_info(n, TensorProto.FLOAT, shape) for n, shape in sizes.items()]

    graph = helper.make_graph(emit.nodes, net.name or "caffe", described(net.inputs), described(net.outputs))
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="agebench",
        producer_version=VERSION,
    )
    own = {"converter": "caffe", "converter_version": VERSION, "lrn": lrn}
    own |= {"fixed_batch": net.fixed} if net.fixed else {}
    own |= {"weights": "made up (seeded): no file had any"} if net.seeded else {}
    for role, (file, sha256) in net.sources.items():
        own |= {f"source_{role}": file, f"source_{role}_sha256": sha256}
    if clash := {key for key in own.keys() & metadata.keys() if own[key] != metadata[key]}:
        raise ValueError(f"metadata that contradicts what the converter writes itself: {sorted(clash)}")
    for key, value in sorted({**own, **metadata}.items()):
        model.metadata_props.add(key=key, value=value)
    _check(model, emit.constants)
    return model, emit.constants


def _check(model: onnx.ModelProto, constants: Mapping[str, NDArray[Any]]) -> None:
    """Let ONNX check the model; large constants stand in as inputs, so that it makes no copy of them."""
    import onnx

    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    for name, value in constants.items():
        if value.size > LARGE:
            kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
            probe.graph.input.append(onnx.helper.make_tensor_value_info(name, kind, value.shape))
        else:
            probe.graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    onnx.checker.check_model(probe, full_check=True)
