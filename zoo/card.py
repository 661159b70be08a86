"""What a network is: one TOML file a network in ``zoo/cards``, read by these records; an unknown key is an error.

A card may hold several ``input`` specs: the same graph fed in the different ways the world feeds it. The first is the
network's own (``levi-hassner-age``), each other one is a network of its own name (``levi-hassner-age@mean-image``).
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from converters.errors import BadInput
from zoo import formats
from zoo.fields import Claim, Head, InputSpec, Measured, Record, Weights

CARDS = Path(__file__).parent / "cards"


SEEDED = "seeded"


class Card(Record):
    """One network. ``name`` is the card's file name; ``convert`` holds the converter's options.

    ``weights`` lists files, or says ``seeded``: nobody has published any and none were trained here, so the bundled
    ``architecture`` gets random ones by a fixed seed, which is enough to time it.
    """

    name: str = Field(pattern="^[a-z0-9][a-z0-9._-]*$")
    title: str
    source: str
    paper: str
    licence: str
    use: str = Field(description="what the licence and the training data allow, for a person")
    limits: str = Field(default="", description="what the network is bad at, or was never shown, for a person")
    trained_on: str = ""
    training_sets: tuple[str, ...] = Field(
        default=(), description="the data sets in trained_on that the bench knows: name, or name:split where it is said"
    )
    purpose: Literal["age and gender", "face detection"] = "age and gender"
    format: str
    weights: tuple[Weights, ...] | Literal["seeded"]
    architecture: Weights | None = None
    parameters: int | None = Field(default=None, description="of the source, the running statistics among them")
    convert: dict[str, str] = Field(default={})
    input: tuple[InputSpec, ...] = Field(min_length=1)
    heads: tuple[Head, ...] = ()
    published: tuple[Claim, ...] = ()
    measured: tuple[Measured, ...] = ()

    @model_validator(mode="after")
    def _references(self) -> Self:
        if (self.weights == SEEDED) != (self.architecture is not None):
            raise ValueError("architecture goes with weights = 'seeded'")
        if (self.purpose == "face detection") != (not self.heads):
            raise ValueError("a network for age and gender has heads, a face detector has none")
        files = {w.file for w in self.files}
        if len(files) != len(self.files):
            raise ValueError("two weights have the same file name")
        formats.check(self.format, [w.role for w in self.graph()], self.convert)
        if any(w.needed_by for w in self.graph()):
            raise ValueError("the files of the graph are needed by every input")
        variants = [spec.variant for spec in self.input]
        if variants[0] is not None or None in variants[1:] or len(set(variants)) != len(variants):
            raise ValueError("the first input has no variant name, each other one has its own")
        for weights in self.files:
            for variant in weights.needed_by:
                if variant not in variants:
                    raise ValueError(f"needed_by {variant!r} is no variant of this card")
        for spec in self.input:
            if spec.mean_image is not None and spec.mean_image not in files:
                raise ValueError(f"mean_image {spec.mean_image!r} is not among the weights {sorted(files)}")
            if any(w.file == spec.mean_image and not w.needed_for(spec.variant) for w in self.files):
                raise ValueError(f"mean_image {spec.mean_image!r} is needed by {spec.variant or 'the first input'} too")
        return self

    @property
    def seeded(self) -> bool:
        """Whether the weights are random, so that no accuracy can be measured."""
        return self.weights == SEEDED

    @property
    def files(self) -> tuple[Weights, ...]:
        """Every file of the card."""
        if isinstance(self.weights, str):
            return () if self.architecture is None else (self.architecture,)
        return self.weights

    def graph(self) -> tuple[Weights, ...]:
        """Return the files that the graph is made of; a mean image only feeds it."""
        return tuple(weights for weights in self.files if weights.role != "mean")

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
        key = ".".join(part for part in map(str, first["loc"]) if not part.startswith("tuple[")) or "card"
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

    One of ten views is ten times the work: only a glob with an ``@`` selects it. Raises BadInput when one matches none.
    """
    networks = {name: card for card in all_cards().values() for name in card.networks()}
    chosen: set[str] = set()
    for glob in pattern.split(","):
        found = {n for n in networks if glob.strip() == "all" or fnmatchcase(n, glob.strip())}
        if "@" not in glob:
            found = {n for n in found if networks[n].networks()[n].views == "centre"}
        if not found:
            raise BadInput(f"no network matches {glob.strip()!r}; there are: {', '.join(networks)}")
        chosen |= found
    return {name: card for name, card in networks.items() if name in chosen}
