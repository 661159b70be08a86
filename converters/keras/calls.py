"""What a layer is called with, in the notation of each Keras.

Keras 1 and 2 list inputs as ``[layer, call, output, named]``, Keras 3 has ``args`` and ``kwargs`` with whole tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from converters.errors import BadInput


@dataclass(frozen=True)
class Ref:
    """What one call of a layer made: its output number ``output``; ``dtype``, in Keras 3: the type of its numbers."""

    layer: str
    call: int
    output: int
    dtype: str = field(default="", compare=False)


@dataclass(frozen=True, eq=False)
class Call:
    """What a layer is called with: by position, and by name; a tensor is a `Ref`."""

    args: tuple[Any, ...]
    named: Mapping[str, Any] = field(default_factory=dict)


def _is_ref(value: Any) -> bool:
    """Whether a value is ``[layer, call, output]``."""
    short = isinstance(value, list) and len(value) == 3 and isinstance(value[0], str)
    return short and all(isinstance(n, int) and not isinstance(n, bool) for n in value[1:])


def flat(value: Any, where: str) -> list[Ref]:
    """Return the tensors of a structure of lists and dictionaries, in Keras's order: a dictionary's by sorted key."""
    if _is_ref(value):
        return [Ref(*value)]
    if isinstance(value, list):
        return [ref for one in value for ref in flat(one, where)]
    if isinstance(value, dict):
        return [ref for key in sorted(value) for ref in flat(value[key], where)]
    raise BadInput(f"{where}: {value!r:.100} is no [layer, call, output]")


def read_call(node: Any, where: str) -> Call:
    """Read what a layer is called with once. Keras 3 has args and kwargs, Keras 1 and 2 lists of inputs."""
    if isinstance(node, dict) and isinstance(node.get("args"), list) and isinstance(node.get("kwargs"), dict):
        named = {key: _argument(value, where) for key, value in node["kwargs"].items()}
        return Call(tuple(_argument(one, where) for one in node["args"]), named)
    node = [node] if isinstance(node, list) and node and isinstance(node[0], str) else node
    if not isinstance(node, list):
        raise BadInput(f"{where}: {node!r:.100} is not what a layer is called with")
    args: list[Any] = []
    named = {}
    for one in node:
        if isinstance(one, list) and len(one) in (3, 4) and one[0] == "_CONSTANT_VALUE":
            args.append(one[2])
        elif isinstance(one, list) and len(one) in (3, 4) and _is_ref(one[:3]):
            args.append(Ref(*one[:3]))
        else:
            raise BadInput(f"{where}: is called with {one!r:.100}, which is no [layer, call, output]")
        if len(one) == 4 and isinstance(one[3], dict):
            named |= {key: _old_argument(value) for key, value in one[3].items()}
    return Call(tuple(args), named)


def _argument(value: Any, where: str) -> Any:
    """Turn an argument of Keras 3 into Python, its tensors into `Ref`."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        inner = value.get("config")
        history = inner.get("keras_history") if isinstance(inner, dict) else None
        if not isinstance(history, list) or not _is_ref(history):
            raise BadInput(f"{where}: is called with {value!r:.100}, whose keras_history is no [layer, call, output]")
        return Ref(history[0], history[1], history[2], str(value["config"].get("dtype") or ""))
    if isinstance(value, list):
        return [_argument(one, where) for one in value]
    return {key: _argument(one, where) for key, one in value.items()} if isinstance(value, dict) else value


def _old_argument(value: Any) -> Any:
    """Turn an argument of Keras 2 that is passed by name into Python, its tensors into `Ref`."""
    if _is_ref(value):
        return Ref(*value)
    return [_old_argument(one) for one in value] if isinstance(value, list) else value


def refs_in(value: Any) -> Iterator[Ref]:
    """Yield the tensors in an argument, in order."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from refs_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from refs_in(one)


def replaced(value: Any, change: Callable[[Ref], Any]) -> Any:
    """Return an argument with something else for each tensor in it."""
    if isinstance(value, Ref):
        return change(value)
    if isinstance(value, dict):
        return {key: replaced(one, change) for key, one in value.items()}
    return [replaced(one, change) for one in value] if isinstance(value, list | tuple) else value
