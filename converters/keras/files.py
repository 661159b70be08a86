"""What a Keras file holds: the architecture as JSON, and tensors by path. HDF5 (Keras 1 to 3), ``.keras``, ``.json``.

Files are only read, and no code in a file is ever run.
"""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from converters.errors import BadInput, Unsupported
from converters.keras.hdf5 import MOST_NUMBERS, layer_tensors, opened, tensors, text
from converters.keras.weights import Stored

Form = Literal["hdf5", "keras", "json"]
HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
LONGEST_CONFIG = 2**26
"""Bytes of an architecture: more than any network has."""
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    RuntimeError,
)
"""What a damaged zip raises, and metadata that are no JSON (nested too deeply: RuntimeError)."""


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
        return int(first) if first.isdecimal() and len(first) < 4 else 3 if "module" in self.config else 2


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
        return Source(path, "json", config, {}, text(config.get("keras_version", "")), sha256)
    raise BadInput(f"{path}: is no Keras model; there are HDF5 (.h5, .hdf5), .keras files and architectures (.json)")


def _parse(path: Path, data: bytes | str) -> dict[str, Any]:
    """Read a JSON object that is an architecture."""
    if len(data) > LONGEST_CONFIG:
        raise BadInput(f"{path}: the architecture has {len(data)} bytes; at most {LONGEST_CONFIG} are read")
    try:
        config = json.loads(data)
        json.dumps(config, ensure_ascii=False).encode()  # names that are no Unicode
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: the architecture is no whole JSON: {str(error)[:200]}") from error
    if not isinstance(config, dict) or "class_name" not in config or "config" not in config:
        raise BadInput(
            f"{path}: the JSON is no architecture of Keras; it needs class_name and config (model.to_json())"
        )
    return config


def _read_hdf5(path: Path, data: bytes, sha256: str) -> Source:
    """Read a whole model: the attribute ``model_config``, and a group of tensors for each layer."""
    with opened(path, data) as file:
        given = file.attrs.get("model_config")
        if given is None:
            whole = "a whole model is needed: save it with model.save(), not save_weights()"
            raise BadInput(f"{path}: has weights only, no model_config; {whole}")
        config = _parse(path, text(given))
        groups = layer_tensors(path, file)
        version = text(file.attrs.get("keras_version", config.get("keras_version", "")))
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
    except UNREADABLE as error:
        raise BadInput(f"{path}: the .keras file cannot be read, is it cut off? {str(error)[:200]}") from error
    with opened(path, weights) as file:
        stored = list(tensors(path, file, ""))
    version = text(metadata.get("keras_version", "")) if isinstance(metadata, dict) else ""
    return Source(path, "keras", config, {"": stored}, version, sha256)
