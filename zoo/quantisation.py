"""A built network quantised to 8 bits by ONNX Runtime's own tools, QuantizeLinear and DequantizeLinear around a layer.

Every runtime that knows 8 bits finds its layers between the two; any other computes the same in float32.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.errors import BadInput
from converters.onnx_file import to_bytes
from zoo import graph
from zoo.precision import finished, squared, tools

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]
Feeds = Mapping[str, Array]
PERCENTILE = 99.999
"""Of the numbers of each tensor, this share is within the range that its 8 bits cover."""
FEW_WEIGHTS = 2**18
"""A last layer of no more stays float32."""
BITS8 = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""What is worth 8 bits; those below only hand 8 bits on."""
HANDING_ON = ("Relu", "Clip", "LeakyRelu", "MaxPool", "AveragePool", "GlobalAveragePool", "Add", "Concat", "Reshape")


def quantised(model: onnx.ModelProto, batches: Iterable[Feeds]) -> onnx.ModelProto:
    """Return the network with 8-bit weights (a scale a channel) and activations, as QuantizeLinear/DequantizeLinear.

    ``batches`` are inputs to calibrate with; the range of an activation holds 99.999 % of what they make of it. Layers
    that only outputs read stay float32: they cost nothing and decide everything. Raises Unsupported without ONNX
    Runtime, BadInput without a batch.
    """
    module = tools("onnxruntime.quantization")
    with tempfile.TemporaryDirectory(prefix="agebench-") as folder:
        source, prepared = Path(folder) / "source.onnx", Path(folder) / "prepared.onnx"
        source.write_bytes(to_bytes(model))
        module.shape_inference.quant_pre_process(source, prepared, skip_symbolic_shape=True)
        ready = graph.read(prepared)
        kinds = [*BITS8, *HANDING_ON]
        kept = sorted({*squared(ready), *_last(ready)})
        ranges = _ranges(prepared, kinds, batches, Path(folder))
        quantizer = module.qdq_quantizer.QDQQuantizer(
            ready,
            per_channel=True,
            reduce_range=False,
            weight_qType=module.QuantType.QInt8,
            activation_qType=module.QuantType.QInt8,
            tensors_range=ranges,
            nodes_to_quantize=[],
            nodes_to_exclude=kept,
            op_types_to_quantize=kinds,
            extra_options={"QuantizeBias": False},  # else OpenCV 5 refuses a dense layer, and OpenCV 4 gets it wrong
        )
        quantizer.quantize_model()
        quantizer.model.topological_sort()
    _keep_apart(quantizer.model.model)
    return finished(quantizer.model.model, model)


def _ranges(prepared: Path, kinds: Sequence[str], batches: Iterable[Feeds], folder: Path) -> Any:
    """Run the batches one by one, so that the activations of only one of them are in memory; return their ranges."""
    module = tools("onnxruntime.quantization")
    module.calibrate.print = lambda *_: None  # it tells each batch on stdout, which belongs to the commands
    calibrator = module.create_calibrator(
        prepared,
        list(kinds),
        augmented_model_path=str(folder / "augmented.onnx"),
        calibrate_method=module.CalibrationMethod.Percentile,
        extra_options={"percentile": PERCENTILE},
    )
    count = 0
    for count, feeds in enumerate(batches, 1):  # noqa: B007 - how many there were is asked for below
        calibrator.collect_data(_once(feeds))
    if not count:
        raise BadInput("no batch to calibrate with; give a dataset with faces in it")
    return calibrator.compute_data()


def _once(feeds: Feeds) -> Any:
    class Once(tools("onnxruntime.quantization").CalibrationDataReader):  # type: ignore[misc] # its interface
        def __init__(self) -> None:
            self._left = iter([dict(feeds)])

        def get_next(self) -> dict[str, Array] | None:
            return next(self._left, None)

    return Once()


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
