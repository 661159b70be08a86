"""A built network in half precision, and quantised to 8 bits, by ONNX Runtime's own tools.

Inputs and outputs stay float32, so a variant goes wherever its network goes. What squares its input stays float32 too:
raw pixels squared are beyond 65,504, the largest half, and spread too widely for 256 steps.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadInput, Unsupported
from zoo import graph
from zoo.clean import check, to_bytes

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]
Feeds = Mapping[str, Array]
Precision = Literal["fp32", "fp16", "int8"]
PERCENTILE = 99.999
"""Of the numbers of each tensor, this share is within the range that its 8 bits cover."""
FEW_WEIGHTS = 2**18
FLOAT32 = ("Softmax", "LogSoftmax", "LRN", "Pow", "Sqrt", "Exp", "Log", "ReduceSumSquare", "ReduceL2")
"""Operators whose results need more range or more digits than half precision has."""
BITS8 = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""What is worth 8 bits; those below only hand 8 bits on."""
HANDING_ON = ("Relu", "Clip", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Add", "Concat", "Reshape")


def half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network with half precision weights and arithmetic; inputs and outputs stay float32.

    Raises Unsupported without ONNX Runtime.
    """
    import onnx

    tools = _tools("onnxruntime.transformers.float16")
    source = onnx.ModelProto()
    source.CopyFrom(model)
    for tensor in source.graph.initializer:  # the tool takes seconds a million numbers for the other form
        tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))
    made: onnx.ModelProto = tools.convert_float_to_float16(
        source,
        keep_io_types=True,
        op_block_list=[*tools.DEFAULT_OP_BLOCK_LIST, *FLOAT32],
        node_block_list=squared(model),
    )
    _undo_double_casts(made)
    _tools("onnxruntime.quantization.onnx_model").ONNXModel(made).topological_sort()
    return _finished(made, model)


def quantised(model: onnx.ModelProto, batches: Iterable[Feeds]) -> onnx.ModelProto:
    """Return the network with 8-bit weights (a scale a channel) and activations, as QuantizeLinear/DequantizeLinear.

    ``batches`` are inputs to calibrate with; the range of an activation holds 99.999 % of what they make of it. Layers
    that only outputs read stay float32: they cost nothing and decide everything. Raises Unsupported without ONNX
    Runtime, BadInput without a batch.
    """
    tools = _tools("onnxruntime.quantization")
    with tempfile.TemporaryDirectory(prefix="agebench-") as folder:
        source, prepared = Path(folder) / "source.onnx", Path(folder) / "prepared.onnx"
        source.write_bytes(to_bytes(model))
        tools.shape_inference.quant_pre_process(source, prepared, skip_symbolic_shape=True)
        ready = graph.read(prepared)
        kinds = [*BITS8, *HANDING_ON]
        kept = sorted({*squared(ready), *_last(ready)})
        ranges = _ranges(prepared, kinds, batches, Path(folder))
        quantizer = tools.qdq_quantizer.QDQQuantizer(
            ready,
            per_channel=True,
            reduce_range=False,
            weight_qType=tools.QuantType.QInt8,
            activation_qType=tools.QuantType.QInt8,
            tensors_range=ranges,
            nodes_to_quantize=[],
            nodes_to_exclude=kept,
            op_types_to_quantize=kinds,
            extra_options={
                "QuantizeBias": False
            },  # OpenCV 5 refuses a dense layer with a quantised one, OpenCV 4 is off
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    _keep_apart(quantizer.model.model)
    return _finished(quantizer.model.model, model)


def _ranges(prepared: Path, kinds: Sequence[str], batches: Iterable[Feeds], folder: Path) -> Any:
    """Run the batches one by one, so that the activations of only one of them are in memory; return their ranges."""
    tools = _tools("onnxruntime.quantization")
    tools.calibrate.print = lambda *_: None  # it tells each batch on stdout, which belongs to the commands
    calibrator = tools.create_calibrator(
        prepared,
        list(kinds),
        augmented_model_path=str(folder / "augmented.onnx"),
        calibrate_method=tools.CalibrationMethod.Percentile,
        extra_options={"percentile": PERCENTILE},
    )
    count = 0
    for count, feeds in enumerate(batches, 1):  # noqa: B007 - how many there were is asked for below
        calibrator.collect_data(_once(feeds))
    if not count:
        raise BadInput("no batch to calibrate with; give a dataset with faces in it")
    return calibrator.compute_data()


def _once(feeds: Feeds) -> Any:
    class Once(_tools("onnxruntime.quantization").CalibrationDataReader):  # type: ignore[misc] # its interface
        def __init__(self) -> None:
            self._left = iter([dict(feeds)])

        def get_next(self) -> dict[str, Array] | None:
            return next(self._left, None)

    return Once()


def squared(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes from each square to the root, or the quotient, that brings it back in range."""
    large: set[str] = set()
    found = []
    for node in model.graph.node:
        square = node.op_type == "Mul" and node.input[0] == node.input[1]
        if square or large.intersection(node.input):
            found.append(node.name)
            if node.op_type not in {"Sqrt", "Div"}:
                large.update(node.output)
    return found


def _last(model: onnx.ModelProto) -> list[str]:
    """Return the names of the dense layers and convolutions that no other one comes after, and of all behind them.

    Large ones are not among them, such as the embedding of a recognition network.
    """
    size = {tensor.name: prod(tensor.dims) for tensor in model.graph.initializer}
    followed: set[str] = set()
    found = []
    for node in reversed(model.graph.node):
        inside = bool(followed.intersection(node.output))
        if not inside and max((size.get(name, 0) for name in node.input), default=0) <= FEW_WEIGHTS:
            found.append(node.name)
        if inside or node.op_type in BITS8:
            followed.update(node.input)
    return found


def _keep_apart(model: onnx.ModelProto) -> None:
    """Multiply what a convolution makes by one before it is quantised.

    OpenCV 5.0's own 8-bit convolution is wrong for many sizes of map, such as 2x2 and 7x5; the product keeps it from
    using it. ONNX Runtime takes a product by one out before it looks for what runs in 8 bits.
    """
    import onnx

    makers, one = graph.makers(model), "@one"
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        maker = makers.get(node.input[0]) if node.op_type == "QuantizeLinear" else None
        if maker is not None and maker.op_type in {"Conv", "ConvTranspose"}:
            read, node.input[0] = node.input[0], f"{node.input[0]}@same"
            product = onnx.helper.make_node("Mul", [read, one], [node.input[0]], name=f"{maker.name}@same")
            model.graph.node.append(product)
        model.graph.node.append(node)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1, dtype=np.float32), one))


def _undo_double_casts(model: onnx.ModelProto) -> None:
    """Take out what casts to half precision and back again, between two nodes that both stay float32."""
    import onnx

    makers, outputs = graph.makers(model), {output.name for output in model.graph.output}
    kinds = {node.output[0]: node.attribute[0].i for node in model.graph.node if node.op_type == "Cast"}
    for node in list(model.graph.node):
        lower = (
            makers.get(node.input[0])
            if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT
            else None
        )
        if lower is None or kinds.get(lower.output[0]) != onnx.TensorProto.FLOAT16:
            continue
        model.graph.node.remove(node)
        if node.output[0] in outputs:
            graph.rename(model, {lower.input[0]: node.output[0]})
        else:
            graph.rename(model, {node.output[0]: lower.input[0]})


def _finished(made: onnx.ModelProto, source: onnx.ModelProto) -> onnx.ModelProto:
    """Return a variant as the zoo keeps it: what the source says of itself, no nodes without use, checked."""
    import onnx

    del made.graph.value_info[:], made.metadata_props[:]
    graph.prune(made)
    made.ClearField("producer_name")
    made.ClearField("producer_version")
    made.producer_name, made.producer_version = source.producer_name, source.producer_version
    onnx.helper.set_model_props(made, {entry.key: entry.value for entry in source.metadata_props})
    check(made)
    return made


def runtime_version() -> str:
    """Return the version of ONNX Runtime, whose tools make the variants. Raises Unsupported without it."""
    return str(_tools("onnxruntime").__version__)


def _tools(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Unsupported(f"needs ONNX Runtime ({error}); install the extra cpu or cuda") from error
