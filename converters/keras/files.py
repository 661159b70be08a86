"""What a Keras file holds: the architecture as JSON, and tensors by path. HDF5 (Keras 1 to 3), ``.keras``, ``.json``.

Files are only read: HDF5 links to other files are refused, and no code in a file is ever run.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from converters.errors import BadInput, Unsupported
from converters.keras.weights import Stored

if TYPE_CHECKING:
    import h5py

Form = Literal["hdf5", "keras", "json"]
HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
LONGEST_CONFIG, MOST_NUMBERS = 2**26, 2**30
"""Bytes of an architecture, numbers of all weights together: more than any network has."""


@dataclass(frozen=True, eq=False)
class Source:
    """A model file as read. ``config`` is ``{"class_name", "config"}``; ``groups`` are the tensors.

    For HDF5 they are by layer (top level of the network), for ``.keras`` under ``""``, for JSON there are none.
    """

    path: Path
    form: Form
    config: Mapping[str, Any]
    groups: Mapping[str, list[Stored]]
    keras_version: str
    sha256: str

    @property
    def keras(self) -> int:
        """The major version of Keras; a file that does not say is of Keras 3 if it names modules, else of Keras 2."""
        first = self.keras_version.partition(".")[0]
        return int(first) if first.isdecimal() else 3 if "module" in self.config else 2


def read_source(path: Path) -> Source:
    """Read a model file. Raises BadInput for one that is no whole model, Unsupported for a SavedModel folder."""
    if path.is_dir():
        known = "convert it with --via tf2onnx, or save the model as .keras"
        raise Unsupported(f"{path}: is a folder, as a SavedModel is; {known}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path}: cannot be read: {error.strerror}; give a Keras model (.h5, .keras or .json)"
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if data.startswith(HDF5):
        return _read_hdf5(path, data, sha256)
    if data.startswith(ZIP):
        return _read_zip(path, data, sha256)
    if data.lstrip()[:1] == b"{":
        config = _parse(path, data)
        return Source(path, "json", config, {}, _text(config.get("keras_version", "")), sha256)
    raise BadInput(f"{path}: is no Keras model; there are HDF5 (.h5, .hdf5), .keras files and architectures (.json)")


def _parse(path: Path, data: bytes | str) -> dict[str, Any]:
    """Read a JSON object that is an architecture."""
    if len(data) > LONGEST_CONFIG:
        raise BadInput(f"{path}: the architecture has {len(data)} bytes; at most {LONGEST_CONFIG} are read")
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: the architecture is no JSON: {str(error)[:200]}") from error
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise BadInput(
            f"{path}: the JSON is no architecture of Keras; it needs class_name and config (model.to_json())"
        )
    return config


def _text(value: Any) -> str:
    """Return a text of an HDF5 file, which h5py gives as bytes or as str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _open(path: Path, data: bytes) -> h5py.File:
    import h5py

    try:
        return h5py.File(io.BytesIO(data), "r")
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path}: the HDF5 data cannot be read, is it cut off? {str(error)[:200]}") from error


def _read_hdf5(path: Path, data: bytes, sha256: str) -> Source:
    """Read a whole model: the attribute ``model_config``, and a group of tensors for each layer."""
    with _open(path, data) as file:
        given = file.attrs.get("model_config")
        if given is None:
            whole = "a whole model is needed: save it with model.save(), not save_weights()"
            raise BadInput(f"{path}: has weights only, no model_config; {whole}")
        config = _parse(path, _text(given))
        if "model_weights" not in file:
            raise BadInput(f"{path}: has no group model_weights; a whole model is needed: save it with model.save()")
        weights, groups, count = file["model_weights"], {}, 0
        for name, group in _members(path, weights, "model_weights"):
            found = {one.path: one for one in _tensors(path, group, f"model_weights/{name}")}
            count += sum(one.numbers.size for one in found.values())
            if count > MOST_NUMBERS:
                raise BadInput(f"{path}: the weights have more than {MOST_NUMBERS} numbers; check the file")
            names = [f"model_weights/{name}/{_text(n)}" for n in group.attrs.get("weight_names", ())]
            missing, extra = [n for n in names if n not in found], [n for n in found if n not in names]
            if missing or extra or len(set(names)) != len(names):
                which = (missing or extra or names)[0]
                raise BadInput(f"{path}: tensor {which!r}: weight_names and the tensors of the group differ")
            groups[name] = [found[n] for n in names]
        version = _text(file.attrs.get("keras_version", config.get("keras_version", "")))
    return Source(path, "hdf5", config, groups, version, sha256)


def _read_zip(path: Path, data: bytes, sha256: str) -> Source:
    """Read a ``.keras`` file: ``config.json``, ``metadata.json``, ``model.weights.h5``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            sizes = {info.filename: info.file_size for info in file.infolist()}
            for name in ("config.json", "model.weights.h5"):
                if name not in sizes:
                    raise BadInput(f"{path}: has no {name}; a .keras file as model.save() writes it has one")
                if sizes[name] > (LONGEST_CONFIG if name == "config.json" else 4 * MOST_NUMBERS):
                    raise BadInput(f"{path}: {name} is {sizes[name]} bytes long; that is no network")
            config, weights = _parse(path, file.read("config.json")), file.read("model.weights.h5")
            metadata = (
                json.loads(file.read("metadata.json")) if 0 < sizes.get("metadata.json", 0) < LONGEST_CONFIG else {}
            )
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"{path}: the .keras file cannot be read, is it cut off? {str(error)[:200]}") from error
    with _open(path, weights) as file:
        tensors = list(_tensors(path, file, ""))
    version = _text(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""
    return Source(path, "keras", config, {"": tensors}, version, sha256)


def _members(path: Path, group: h5py.Group, where: str) -> Iterator[tuple[str, Any]]:
    """Yield what lies in a group. Raises BadInput for a link that leads elsewhere."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise BadInput(f"{path}: {where}/{name} is a link to elsewhere; weights lie in the file itself")
        yield name, group[name]


def _tensors(path: Path, group: h5py.Group, where: str) -> Iterator[Stored]:
    """Yield all tensors under a group, by path; numbers before words in their own order, as ``vars/10`` after ``2``."""
    import h5py

    waiting = [(where, group)]
    seen = set()
    count = 0
    while waiting:
        place, item = waiting.pop()
        if isinstance(item, h5py.Dataset):
            count += item.size or 0
            written = item.id.get_storage_size() > 0 or not item.size
            if count > MOST_NUMBERS or not written or item.external or item.is_virtual:
                raise BadInput(f"{path}: tensor {place!r} of shape {item.shape} is not in the file, or far too large")
            if item.dtype.kind not in "fiub":
                raise BadInput(f"{path}: tensor {place!r} has the type {item.dtype}; weights are numbers")
            try:
                yield Stored(place, item[()])
            except (OSError, TypeError, ValueError) as error:
                raise BadInput(f"{path}: tensor {place!r} cannot be read: {str(error)[:200]}") from error
            continue
        if not isinstance(item, h5py.Group) or item.id in seen:
            raise BadInput(f"{path}: {place!r} is neither a group nor a tensor of its own")
        seen.add(item.id)
        inside = sorted(_members(path, item, place), key=lambda m: (not m[0].isdigit(), m[0].zfill(9), m[0]))
        waiting += [(f"{place}/{name}" if place else name, member) for name, member in reversed(inside)]
