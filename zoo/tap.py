"""``python -m zoo tap``: the tensors inside a network, as outputs of its graph.

A tap keeps its name also when it is pooled: the tensor of before the pooling is then called ``NAME@map``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters.errors import DONE, BadInput, Parser, Unsupported, one_line
from zoo import graph

if TYPE_CHECKING:
    import onnx

Pool = Literal["average", "none"]
ABOUT = "Add tensors inside a network to its outputs; without --outputs list those there are."


def tap(model: onnx.ModelProto, names: Sequence[str], pool: Pool = "none") -> onnx.ModelProto:
    """Return the network with the named tensors as outputs behind its own, each under the name that was given.

    A name is a tensor's or that of a node, which stands for the one tensor it makes. With ``pool="average"`` a tensor
    (N, C, H, W) becomes (N, C): the mean over its places. Raises BadInput for a name that is not there.
    """
    import onnx

    made = onnx.ModelProto()
    made.CopyFrom(model)
    types = graph.typed(made)
    for name, tensor in {name: find(made, name) for name in names}.items():
        if tensor not in types or not types[tensor].type.tensor_type.HasField("shape"):
            raise Unsupported(f"{name!r}: its size cannot be told from the graph; tap a tensor whose size is listed")
        output = onnx.ValueInfoProto(name=name)
        output.type.CopyFrom(types[tensor].type)
        _add(made, tensor, output, pool)
    return made


def find(model: onnx.ModelProto, name: str) -> str:
    """Return the tensor of that name, or what the node of that name makes. Raises BadInput, with the nearest names."""
    tensors = graph.makers(model)
    if name in tensors:
        return name
    nodes = {node.name: [output for output in node.output if output] for node in model.graph.node if node.name}
    if name not in nodes:
        raise BadInput(f"no tensor or node {name!r}; {graph.nearest(name, [*tensors, *nodes])}")
    if len(nodes[name]) != 1:
        raise BadInput(f"node {name!r} makes {', '.join(nodes[name])}; name one of these")
    return nodes[name][0]


def _add(model: onnx.ModelProto, tensor: str, output: onnx.ValueInfoProto, pool: Pool) -> None:
    """Make ``output`` of a tensor, pooled where it is a map, and list it."""
    import onnx

    name, axes = output.name, output.type.tensor_type.shape.dim
    inputs, constants = model.graph.input, model.graph.initializer
    if name in {*(value.name for value in inputs), *(tensor.name for tensor in constants)}:
        raise BadInput(f"{name!r} is an input or a constant, too; name the tensor {tensor!r} that the node makes")
    pooled = pool == "average" and len(axes) == 4
    if name in {known.name for known in model.graph.output}:
        if pooled or name != tensor:
            raise BadInput(f"{name!r} is an output already, and another tensor than this tap; tap what it is made of")
        return
    if pooled:
        del axes[2:]
        inner = f"{name}@map" if name == tensor else tensor
        graph.rename(model, {tensor: inner})
        model.graph.node.extend(
            [
                onnx.helper.make_node("GlobalAveragePool", [inner], [f"{name}@mean"], name=f"{name}@mean"),
                onnx.helper.make_node("Flatten", [f"{name}@mean"], [name], name=f"{name}@pool", axis=1),
            ]
        )
    elif name != tensor:
        model.graph.node.append(onnx.helper.make_node("Identity", [tensor], [name], name=f"{name}@tap"))
    model.graph.output.append(output)


def listing(model: onnx.ModelProto) -> list[dict[str, str]]:
    """Return a row a tensor that can be tapped: its name, its node's where that is another, the operator, the size."""
    sizes = graph.sizes(model)
    return [
        {
            "tensor": output,
            "node": node.name if node.name != output else "",
            "operator": node.op_type,
            "size": graph.shown(sizes.get(output)),
        }
        for node in model.graph.node
        for output in node.output
        if output in sizes and node.op_type != "Constant"
    ]


def add_command(commands: Any) -> None:
    """Add the command to a parser."""
    parser: Parser = commands.add_parser("tap", help="tensors inside a network as outputs", description=ABOUT)
    parser.set_defaults(run=tap_network)
    parser.add_argument("backbone", metavar="NAME|FILE.onnx", help="a network of the zoo, built first, or a file")
    parser.add_argument("--outputs", metavar="NAME[,NAME..]", help="the tensors or nodes to tap")
    pool = "mean over the places of each map, or as it is (default: none)"
    parser.add_argument("--pool", choices=("average", "none"), default="none", help=pool)
    parser.add_argument("-o", dest="out", type=Path, metavar="OUT.onnx", help="where to write")
    parser.add_argument("--mirror", type=Path, metavar="DIR", help="look here first for the network's files")


def tap_network(arguments: argparse.Namespace) -> int:
    """List what can be tapped, or write the tapped network, which is cleaned first: its batch is free."""
    from tabulate import tabulate

    from converters.onnx_file import to_bytes, write_whole
    from zoo.clean import clean

    if (arguments.outputs is None) != (arguments.out is None):
        raise BadInput("--outputs and -o go together; give both, or neither for a list of what can be tapped")
    names = [name.strip() for name in (arguments.outputs or "").split(",") if name.strip()]
    if arguments.outputs is not None and not names:
        raise BadInput(f"--outputs {arguments.outputs!r} names nothing; leave it and -o away for what can be tapped")
    path = graph.named(arguments.backbone, arguments.mirror)
    model = clean(graph.read(path))
    if not names:
        print(tabulate(listing(model), headers="keys"))
        return DONE
    if arguments.out.exists() and arguments.out.samefile(path):
        raise BadInput(f"{arguments.out}: is the network itself; give -o another name")
    made = tap(model, names, arguments.pool)
    size = write_whole(arguments.out, [to_bytes(made)])
    outputs = ", ".join(output.name for output in made.graph.output)
    print(one_line(f"{arguments.out}: {size} bytes, outputs {outputs}"))
    return DONE
