"""FG-NET: 1,002 photos of 82 people as they grow older, scanned from albums; age and person in the file name.

Citation: Lanitis, Taylor and Cootes, "Toward Automatic Simulation of Aging Effects on Face Images", IEEE TPAMI 2002.
Official layout: ``images/001A02.JPG``: person 1 at the age of 2; a letter tells photos of one age apart (``001A43a``).
There is no gender. A sample's name is the official one, ``.JPG``, however the suffix is written in the folder.

The published protocol leaves one person out: the fold of a face is its person, so there are 82.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.datasets._face import Face, samples
from bench.datasets._folder import Folder, listing
from bench.datasets._leavings import OLDEST, Leavings
from bench.types import Split
from converters.errors import BadInput

TERMS = "research only; the photos stay those of the people in them"
CITATION = "Lanitis, Taylor and Cootes, Toward Automatic Simulation of Aging Effects on Face Images, IEEE TPAMI 2002"
SIZE = "1,002 photos of 82 people"
GET = "the FG-NET project is over; Yanwei Fu's page passes the archive FGNET.zip on; give the folder that holds images/"
SPLITS = ("all",)
DEFAULT_SPLIT = "all"
PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "all": ("33310867718cf524351d68af3084bf6b058d1e98929bb1de398166a8b141988f",),
}
"""Of the whole folder."""

NAME = re.compile(r"(?P<person>[0-9]{3})A(?P<age>[0-9]{2})(?P<letter>[a-z]?)\.(jpg|jpeg|png|bmp)", re.IGNORECASE)
NOT_A_NAME = "images dropped: the name is not <person>A<age>, such as 001A02.JPG"


def load(path: Path, split: str) -> Split:
    """Read the folder ``path``, or ``images`` in it. Raises BadInput where there is no image."""
    leavings = Leavings()
    folder = listing(path / "images" if (path / "images").is_dir() else path)
    found = samples(_faces(folder, leavings), folder, leavings)
    if not found:
        raise BadInput(f"{folder.root}: holds no photo of FG-NET; looked for names such as 001A02.JPG")
    rule = "age and person from the file name; each person a fold"
    return Split("fgnet", split, rule, found, leavings.notes())


def _faces(folder: Folder, leavings: Leavings) -> Iterator[Face]:
    for file in sorted(folder.files or ()):
        if "/" in file or not file.lower().endswith((".jpg", ".jpeg", ".png", ".bmp")):
            continue
        match = NAME.fullmatch(file)
        if match is None or int(match["age"]) > OLDEST:
            leavings.drop(NOT_A_NAME, file)
            continue
        name = f"{match['person']}A{match['age']}{match['letter'].lower()}.JPG"
        yield Face(file, name, (file,), age=int(match["age"]), subject=match["person"], fold=match["person"])
    for link in sorted(folder.leaving):
        leavings.drop("images dropped: a link that leads out of the data folder", link)
