"""The judge: the weights of a file run by Keras itself, as a ``tf.function`` in float32 on the CPU.

It takes and gives arrays as the ONNX file does, so only the numbers can differ. Where an output is a softmax or the
like, what goes into it is given too: those forget the numbers where one is much the largest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from converters.errors import BadInput, Unsupported
from converters.keras.load import Loaded, Port, tensorflow
from converters.verify import Array, Run

SQUASHING = {"Softmax": "Softmax", "Sigmoid": "Sigmoid", "Tanh": "Tanh"}
"""Operations of TensorFlow, and the ONNX operator of each."""
BEFORE = " before "
"""Between the name of an output and the operator that it comes from."""


def judge(loaded: Loaded, orders: Mapping[str, tuple[int, ...]]) -> Run:
    """Return the function that runs a model: inputs by name in, outputs by name out.

    ``orders`` are the layouts of the ONNX file, by input and output (`Port.order`); those that are not in it are as
    `load` has them. An output of a softmax, sigmoid or tanh gives ``NAME before Softmax`` as well.
    """
    tf = tensorflow()
    function, names = traced(loaded, orders, squashed=True)
    inputs = [one.name for one in loaded.inputs]

    def run(feeds: Mapping[str, Array]) -> dict[str, Array]:
        if feeds.keys() != set(inputs):
            raise BadInput(f"the model has the inputs {', '.join(inputs)}, not {', '.join(feeds)}")
        try:
            with tf.device("/CPU:0"):
                made = function(*(tf.constant(feeds[name], tf.float32) for name in inputs))
        except tf.errors.OpError as error:  # such as an index that a table does not have
            said = error.message.partition("[[{{node")[0].strip().splitlines()[-1]  # a traceback lies before it
            raise Unsupported(f"Keras itself cannot run {loaded.name} on made-up inputs: {said}") from error
        return {name: np.asarray(value) for name, value in zip(names, made, strict=True)}

    return run


def traced(loaded: Loaded, orders: Mapping[str, tuple[int, ...]], *, squashed: bool) -> tuple[Any, list[str]]:
    """Return a ``tf.function`` and the names of what it gives, in order.

    It takes the inputs in order, float32 in ONNX's layout; ``squashed``: it gives what goes into a softmax too.
    """
    tf = tensorflow()
    names: list[str] = []
    signature = [tf.TensorSpec(sizes(one, orders), tf.float32, name=f"in_{i}") for i, one in enumerate(loaded.inputs)]

    def run(*tensors: Any) -> list[Any]:
        given = [_to_keras(tf, one, tensor, orders) for one, tensor in zip(loaded.inputs, tensors, strict=True)]
        made = list(zip(loaded.outputs, loaded.call(*given), strict=True))
        before = [(one, _source(tensor)) for one, tensor in made if squashed and _source(tensor).type in SQUASHING]
        names[:] = [one.name for one in loaded.outputs]
        names.extend(f"{one.name}{BEFORE}{SQUASHING[operation.type]}" for one, operation in before)
        made += [(one, operation.inputs[0]) for one, operation in before]
        return [_to_onnx(tf, one, tensor, orders) for one, tensor in made]

    function = tf.function(run, input_signature=signature, autograph=False)
    with tf.device("/CPU:0"):
        function.get_concrete_function()
    return function, names


def sizes(one: Port, orders: Mapping[str, tuple[int, ...]]) -> tuple[int | None, ...]:
    """Return the shape of an input or output in ONNX's layout, its batch None."""
    order = orders.get(one.name, one.order)
    return (None, *(one.shape[axis] for axis in order[1:]))


def _to_keras(tf: Any, one: Port, tensor: Any, orders: Mapping[str, tuple[int, ...]]) -> Any:
    order = orders.get(one.name, one.order)
    moved = tensor if list(order) == sorted(order) else tf.transpose(tensor, np.argsort(order))
    return moved if one.dtype == "float32" else tf.cast(moved, one.dtype)


def _to_onnx(tf: Any, one: Port, tensor: Any, orders: Mapping[str, tuple[int, ...]]) -> Any:
    order = orders.get(one.name, one.order)
    moved = tensor if list(order) == sorted(order) else tf.transpose(tensor, order)
    return moved if moved.dtype == tf.float32 else tf.cast(moved, tf.float32)


def _source(tensor: Any) -> Any:
    """Return the operation that makes a tensor, past those that only pass it on."""
    operation = tensor.op
    while operation.type in ("Identity", "StopGradient"):
        operation = operation.inputs[0].op
    return operation
