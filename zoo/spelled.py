"""The nodes that stand in for one node of a network, named after it.

A constant is never used twice: OpenCV 4 refuses a network in which two products have the same one as their left side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.onnx_file import unique

if TYPE_CHECKING:
    import onnx


class Spelled:
    """Collects the nodes of a network and new constants: between `begin` and `end`, those that replace a node.

    ``source`` is what the node reads. Tensors and nodes are named ``node/what``; the last one has the node's own names.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        names = [tensor.name for tensor in model.graph.initializer] + [value.name for value in model.graph.input]
        names += [name for node in model.graph.node for name in (node.name, *node.output)]
        self._taken = dict.fromkeys(names, 1)

    def begin(self, node: onnx.NodeProto) -> None:
        """Let what follows replace a node of one output."""
        self._node = node
        self.source: str = node.input[0]

    def node(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output; returns its name."""
        import onnx

        name = unique(self._taken, f"{self._node.name}/{op_type.lower()}")
        self.nodes.append(onnx.helper.make_node(op_type, inputs, [name], name=name, **attributes))
        return name

    def reshape(self, tensor: str, *sizes: int) -> str:
        """Add a Reshape; a size of -1 is what is left."""
        return self.node("Reshape", tensor, self.constant("sizes", np.array(sizes, dtype=np.int64)))

    def transpose(self, tensor: str, *axes: int) -> str:
        """Add a Transpose."""
        return self.node("Transpose", tensor, perm=axes)

    def constant(self, what: str, value: NDArray[Any]) -> str:
        """Add a constant; returns its name."""
        import onnx

        name = unique(self._taken, f"{self._node.name}/{what}")
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def end(self, op_type: str, *inputs: str, **attributes: Any) -> None:
        """Add the last node, whose output is that of the node which is replaced."""
        import onnx

        self.nodes.append(
            onnx.helper.make_node(op_type, inputs, [self._node.output[0]], name=self._node.name, **attributes)
        )
