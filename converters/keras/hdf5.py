"""The tensors of an HDF5 file, by path. Links to elsewhere are refused, and so is what damaged data leads to.

A layer's name may hold slashes, as ``conv1/conv`` of tf.keras 2: its group then lies in groups. So ``layer_names`` and
``weight_names`` say which tensor is whose, and none may be left over.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.errors import BadInput
from converters.keras.weights import Stored

if TYPE_CHECKING:
    import h5py

MOST_NUMBERS = 2**30
"""Numbers of all weights together: more than any network has."""
MODEL_WEIGHTS = "model_weights"


@contextmanager
def opened(path: Path, data: bytes) -> Iterator[h5py.File]:
    """Open HDF5 data. Whatever h5py raises while they are read is BadInput: the data are what is wrong."""
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        said = " ".join(str(error).split())[:200]
        raise BadInput(f"{path}: the HDF5 data cannot be read, is the file damaged or cut off? {said}") from error


def text(value: Any) -> str:
    """Return a text of an HDF5 file, which h5py gives as bytes or as str; what is no Unicode becomes ``?``."""
    return (
        value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value).encode("utf-8", "replace").decode()
    )


def layer_tensors(path: Path, file: h5py.File) -> dict[str, list[Stored]]:
    """Return the tensors of a whole model by layer, in the order of ``weight_names``."""
    if MODEL_WEIGHTS not in file.keys():  # noqa: SIM118 - `in file` follows links
        raise BadInput(f"{path}: has no group {MODEL_WEIGHTS}; a whole model is needed: save it with model.save()")
    weights = _group(path, file, MODEL_WEIGHTS, "")
    left = {one.path: one for one in tensors(path, weights, MODEL_WEIGHTS)}
    groups: dict[str, list[Stored]] = {}
    for layer in _names(path, weights, "layer_names", MODEL_WEIGHTS):
        place = f"{MODEL_WEIGHTS}/{layer}"
        if layer in groups:
            raise BadInput(f"{path}: layer_names has {layer!r} twice")
        listed = [
            f"{place}/{name}" for name in _names(path, _group(path, weights, layer, place), "weight_names", place)
        ]
        gone = [name for name in listed if name not in left]
        if gone or len(set(listed)) != len(listed):
            raise BadInput(f"{path}: tensor {(gone or listed)[0]!r} of weight_names is not there, or named twice")
        groups[layer] = [left.pop(name) for name in listed]
    if left:
        raise BadInput(f"{path}: tensor {next(iter(left))!r} belongs to no layer: layer_names and weight_names lack it")
    return groups


def _names(path: Path, group: h5py.Group, key: str, where: str) -> list[str]:
    """Return a list of names. Keras splits one above 64 KB into ``weight_names0``, ``weight_names1`` and so on."""
    import numpy as np

    split = takewhile(group.attrs.__contains__, (f"{key}{number}" for number in count()))
    found: list[str] = []
    for one in [key] if key in group.attrs else split:
        given = group.attrs[one]
        if not isinstance(given, np.ndarray) or given.ndim != 1 or (given.size and given.dtype.kind not in "SO"):
            raise BadInput(f"{path}: {one} of {where} is {given!r:.60}; it has to be a list of names")
        found += [text(name) for name in given]
    return found


def _group(path: Path, group: h5py.Group, name: str, where: str) -> h5py.Group:
    """Return a group by its path in another one. Raises BadInput where there is none, or a link leads elsewhere."""
    import h5py

    for word in name.split("/"):
        inside = _inside(path, group, word, where) if word in group.keys() else None  # noqa: SIM118
        if not isinstance(inside, h5py.Group):
            raise BadInput(f"{path}: {where or name} is no group of tensors; the file is not whole")
        group = inside
    return group


def _inside(path: Path, group: h5py.Group, name: str, where: str) -> Any:
    """Return what lies in a group. Raises BadInput for a link that leads elsewhere."""
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise BadInput(f"{path}: {f'{where}/{name}'.strip('/')} is a link to elsewhere; weights lie in the file itself")
    return group[name]


def tensors(path: Path, group: h5py.Group, where: str) -> Iterator[Stored]:
    """Yield all tensors under a group, by path; numbers before words in their own order, as ``vars/10`` after ``2``."""
    import h5py

    waiting: list[tuple[str, Any]] = [(where, group)]
    seen = set()
    numbers = 0
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, h5py.Dataset):
            numbers += item.size or 0
            yield Stored(place, _numbers(path, item, place, whole=numbers <= MOST_NUMBERS))
            continue
        if not isinstance(item, h5py.Group) or item.id in seen:
            raise BadInput(f"{path}: {place!r} is neither a group nor a tensor of its own")
        seen.add(item.id)
        names = sorted(item, key=lambda name: (not name.isdigit(), name.zfill(9), name))
        waiting += [(f"{place}/{name}".strip("/"), _inside(path, item, name, place)) for name in reversed(names)]


def _numbers(path: Path, item: h5py.Dataset, place: str, *, whole: bool) -> Any:
    """Return the numbers of a tensor. Raises BadInput for one that is not written, far too large, or no numbers."""
    written = item.shape is not None and (item.id.get_storage_size() > 0 or not item.size)
    if not whole or not written or item.external or item.is_virtual:
        raise BadInput(f"{path}: tensor {place!r} of shape {item.shape} is not in the file, or far too large")
    if item.dtype.kind not in "fiub":
        raise BadInput(f"{path}: tensor {place!r} has the type {item.dtype}; weights are numbers")
    try:
        return item[()]
    except (OSError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: tensor {place!r} cannot be read: {' '.join(str(error).split())[:200]}") from error
