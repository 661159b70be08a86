"""A Keras layer as one call of it, a tensor with its layout, and ``@layer``, which registers a converter.

Every tensor of the ONNX graph has its channels as axis 1, whatever Keras has: ``Tensor.order`` says which Keras axis
each ONNX axis holds. Families are found by listing ``converters/keras/layers``: adding a layer is adding a file there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from converters.errors import BadInput, Unsupported

if TYPE_CHECKING:
    from converters.keras.emit import Emit
    from converters.keras.weights import Weights

Array = NDArray[Any]
Shape = tuple["int | None", ...]
"""The sizes as Keras has them, batch first; None: any size."""
LARGEST_FLOAT = 3.4028234663852886e38
"""The largest number of float32."""
Cases = tuple[tuple[str, dict[str, Any], Any], ...]
"""The tiny cases of a layer family: class, settings, and the shape of the input or a list of shapes."""
# fmt: off
IGNORED = frozenset((
    "name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_dtype", "input_shape", "input_dim",
    "input_length", "seed", "momentum", "synchronized", "renorm", "renorm_clipping", "renorm_momentum",
    "implementation", "init", "activity_regularizer", "quantization_config", "lora_rank", "lora_alpha", "autocast",
    "input_spec", "fused", "virtual_batch_size", "adjustment", "unroll", "W_learning_rate_multiplier",
    "b_learning_rate_multiplier", "sparse", "ragged", "optional",
))
# fmt: on
"""Settings of any layer that say nothing of what it computes once its weights are given."""
IGNORED_ENDS = ("_initializer", "_regularizer", "_constraint")


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of the graph. ``shape`` is Keras's; axis ``i`` of the ONNX tensor is axis ``order[i]`` of Keras's.

    ``places``, for a flattened tensor (N, F) or (N, 1, 1, F): ONNX has at ``j`` of the last Keras axis what Keras has
    at ``places[j]``. Layers with weights take them in that order, so nothing need be moved at run time.
    """

    name: str
    shape: Shape
    order: tuple[int, ...]
    places: Array | None = None

    @property
    def rank(self) -> int:
        """The number of axes, with the batch."""
        return len(self.shape)

    @property
    def sizes(self) -> Shape:
        """The sizes as ONNX has them."""
        return tuple(self.shape[axis] for axis in self.order)

    def axis(self, axis: int) -> int:
        """Return the ONNX axis of a Keras axis (negative ones count from the end)."""
        return self.order.index(axis % self.rank)

    def named(self, name: str) -> Tensor:
        """Return the tensor of another name that is laid out the same."""
        return replace(self, name=name)


def channels_first(rank: int) -> tuple[int, ...]:
    """Return the order of a Keras tensor whose last axis are the channels: they become axis 1."""
    return (0, rank - 1, *range(1, rank - 1)) if rank > 2 else tuple(range(rank))


@dataclass(eq=False)
class Layer:
    """One call of a layer.

    ``type`` is its class in Keras, ``name`` its path, as ``outer/inner``; ``inputs`` are the tensors it is called with,
    in order, ``args`` and ``call`` the same with whatever else is passed, by position and by name. ``consumers`` are
    the classes of the layers that read what it makes; ``keras`` is the major version of Keras.

    ``weights`` are the tensors of the layer, the same ones for each call. The settings are read by ``integer``,
    ``choice`` and so on, each of which takes several names (older Keras has others); one that nobody reads is an error.
    """

    name: str
    type: str
    config: Mapping[str, Any]
    inputs: tuple[Tensor, ...]
    where: str
    weights: Weights
    args: tuple[Any, ...] = ()
    call: Mapping[str, Any] = field(default_factory=dict)
    consumers: tuple[str, ...] = ()
    keras: int = 3
    _read: set[str] = field(default_factory=set)

    @property
    def input(self) -> Tensor:
        """The only input. Raises BadInput when there are several."""
        if len(self.inputs) != 1:
            raise self.bad(f"has {len(self.inputs)} inputs; a layer of this class has 1")
        return self.inputs[0]

    def bad(self, what: str) -> BadInput:
        """Return the error for a layer that Keras itself would refuse."""
        return BadInput(f"{self.where}: {what}")

    def unsupported(self, feature: str, known: str) -> Unsupported:
        """Return the error for what Keras has and the converter has not; ``known`` is what it has."""
        only_here = self.where.endswith(("(TFOpLambda)", "(SlicingOpLambda)"))  # Keras 3 cannot load these
        other = "" if only_here else ", or convert it with --via tf2onnx"
        return Unsupported(f"{self.where}: {feature} is not supported; {known}{other}")

    def weight(
        self, name: str, shape: Sequence[int], *, within: Sequence[str] = (), fan: int | None = None, scale: float = 1.0
    ) -> Array:
        """Return the tensor of this name and shape, float32: by its name where the file has names, else the next one.

        ``within``: only tensors with one of these words in their path, for layers inside a layer. For weights that are
        made up, ``fan`` is how many numbers meet in one and ``scale`` multiplies them.
        """
        return self.weights.take(self, name, tuple(shape), within, fan, scale)

    def setting(self, *names: str, default: Any = None) -> Any:
        """Return a setting as the file has it, under the first of these names that it has."""
        self._read.update(names)
        return next((self.config[name] for name in names if name in self.config), default)

    def integer(self, *names: str, default: int | None = None, least: int = 1) -> int:
        """Return a setting that is a whole number, ``least`` or more."""
        return self._whole(names[0], self.setting(*names, default=default), least)

    def integers(self, *names: str, count: int, default: Any = None, least: int = 1) -> tuple[int, ...]:
        """Return a setting of ``count`` whole numbers; one number stands for all of them."""
        given = self.setting(*names, default=default)
        many = list(given) if isinstance(given, list | tuple) else [given] * count
        if len(many) != count:
            raise self.bad(f"{names[0]} is {given!r:.100}; it has to be {count} whole numbers")
        return tuple(self._whole(names[0], one, least) for one in many)

    def _whole(self, name: str, given: Any, least: int) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given < 2**31:
            raise self.bad(f"{name} is {given!r:.100}; it has to be a whole number, {least} or more")
        return given

    def number(self, *names: str, default: float | None = None) -> float:
        """Return a setting that is a finite number; Keras 3 may write one as a tensor."""
        given = self.setting(*names, default=default)
        if isinstance(given, dict) and isinstance(given.get("config"), dict):  # {"class_name": "__numpy__", ..}
            given = given["config"].get("value")
        if isinstance(given, bool) or not isinstance(given, int | float) or not abs(given) <= LARGEST_FLOAT:
            raise self.bad(f"{names[0]} is {given!r:.100}; it has to be a number")
        return float(given)

    def flag(self, *names: str, default: bool) -> bool:
        """Return a setting that is true or false."""
        given = self.setting(*names, default=default)
        if not isinstance(given, bool):
            raise self.bad(f"{names[0]} is {given!r:.100}; it has to be true or false")
        return given

    def choice(self, *names: str, known: Mapping[str, Any] | Sequence[str], default: str | None = None) -> Any:
        """Return a setting that is one of a few words, or what a mapping has for it."""
        given = self.setting(*names, default=default)
        if not isinstance(given, str) or given not in known:
            raise self.unsupported(f"{names[0]} {given!r:.100}", f"there are: {', '.join(known)}")
        return known[given] if isinstance(known, Mapping) else given

    def axes(self, *names: str, rank: int, default: Any = None) -> tuple[int, ...]:
        """Return a setting of one or several axes, from 0 on (Keras counts negative ones from the end)."""
        given = self.setting(*names, default=default)
        many = given if isinstance(given, list | tuple) else [given]
        for one in many:
            if isinstance(one, bool) or not isinstance(one, int) or not -rank <= one < rank:
                raise self.bad(f"{names[0]} is {given!r:.100}; a tensor here has {rank} axes")
        return tuple(one % rank for one in many)

    def channels_last(self) -> bool:
        """Whether the layer has its channels behind the other axes; Keras 1 says ``tf`` and ``th``."""
        words = {"channels_last": True, "channels_first": False, "tf": True, "th": False, "default": True}
        given = self.setting("data_format", "dim_ordering", default=None)
        return True if given is None else bool(self.choice("data_format", "dim_ordering", known=words))

    def check_all_read(self) -> None:
        """Raise Unsupported for a setting that is neither read nor known to say nothing at inference."""
        for name, value in self.config.items():
            quiet = name in self._read or name in IGNORED or name.endswith(IGNORED_ENDS)
            if not quiet and value is not None and value is not False:
                raise self.unsupported(f"the setting {name} = {value!r:.100}", "only its other settings are known")


Made = Tensor | Sequence[Tensor]
Convert = Callable[[Layer, "Emit"], Made]
Converter = TypeVar("Converter", bound=Convert)


@dataclass(frozen=True)
class Kind:
    """A class of layers and its converter. ``call`` lists what may be passed to it by name, beside ``training``."""

    convert: Convert
    call: tuple[str, ...] = ()


_KINDS: dict[str, Kind] = {}


def layer(*class_names: str, call: Sequence[str] = ()) -> Callable[[Converter], Converter]:
    """Register a converter for layers of these classes (older Keras has other names). A duplicate raises ValueError.

    Operations of ``keras.ops`` are named ``ops.Add``.
    """

    def register(convert: Converter) -> Converter:
        for name in class_names:
            if name in _KINDS:
                raise ValueError(f"two converters for layer class {name!r}: {_KINDS[name].convert} and {convert}")
            _KINDS[name] = Kind(convert, tuple(call))
        return convert

    return register


@cache
def kinds() -> Mapping[str, Kind]:
    """Every known layer class. The listing of ``layers/`` is the registry."""
    for path in sorted((Path(__file__).parent / "layers").glob("[!_]*.py")):
        importlib.import_module(f"converters.keras.layers.{path.stem}")
    return dict(sorted(_KINDS.items()))
