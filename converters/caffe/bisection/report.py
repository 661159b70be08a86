"""What a comparison of an ONNX file with its Caffe network has found."""

from __future__ import annotations

from dataclasses import dataclass, field

from converters.verify import Difference


@dataclass(frozen=True)
class Finding:
    """A part of the network that differs.

    ``layer`` is the one to look at (empty where it can be any of ``layers``), ``found`` how far each runtime is from
    the reference or why it does not run the part, ``blame`` ``converter``, ``undecided`` or runtimes with versions.
    """

    title: str
    layer: str
    layers: tuple[str, ...]
    blob: str
    where: str
    found: dict[str, Difference | str]
    blame: tuple[str, ...]
    why: str
    hint: str


@dataclass
class Report:
    """What was found. ``compared`` are the blobs that were; ``notes`` stand in the order in which they came up.

    ``named`` is false where blobs were matched by shape and order.
    """

    runtimes: dict[str, str]
    findings: list[Finding] = field(default_factory=list)
    compared: set[str] = field(default_factory=set)
    notes: dict[str, None] = field(default_factory=dict)
    named: bool = True

    def note(self, what: str) -> None:
        """Add a note, once."""
        self.notes[what] = None
