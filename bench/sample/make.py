"""Makes the built-in sample from the UTKFace train split: ``python -m bench.sample.make --data utkface=PATH``.

Every portrait is the plain pixel average of 16 faces of one sex and nearly one age, so it is nobody's face; no face
goes into two portraits. Nothing is aligned here, UTKFace already is. The draw is by a hash of the faces' names: the
same folder gives the same portraits, and the same bytes with the same OpenCV (its JPEG decoder and encoder) and NumPy.

UTKFace holds one photograph re-encoded under several names; a face too like one that is already taken is passed over.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bench.datasets import utkface
from bench.types import Sample
from converters.errors import BadInput, run_command

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

HERE = Path(__file__).parent
SEED = "agebench sample 1"
SOURCES = 16
SIZE = 200
JPEG_QUALITY = 90
ALIKE = 0.9
"""The correlation of two 24x24 grey thumbnails from which on they count as one photograph."""

WINDOWS = {
    "0-2": ((0, 2, 8),),
    "4-6": ((4, 6, 8),),
    "8-13": ((8, 10, 4), (11, 13, 4)),
    "15-20": ((15, 17, 4), (18, 20, 4)),
    "25-32": ((25, 27, 3), (28, 30, 3), (31, 32, 2)),
    "38-43": ((38, 40, 4), (41, 43, 4)),
    "48-53": ((48, 50, 4), (51, 53, 4)),
    "60-": tuple((low, high, 1) for low, high in ((60, 62), (63, 65), (66, 68), (69, 70)))
    + tuple((low, high, 1) for low, high in ((71, 75), (76, 80), (81, 85), (86, 90))),
}
"""Age group: (youngest, oldest, portraits) windows inside it; at most two years wide, five above seventy."""


@dataclass(frozen=True)
class Portrait:
    """One composite: ``image`` is (200, 200, 3) BGR bytes, ``faces`` are what it is the average of."""

    file: str
    gender: str
    faces: tuple[Sample, ...]
    image: Image

    def row(self) -> dict[str, object]:
        """Its line of ``labels.csv``; the age is the faces' mean, rounded."""
        ages = [face.age for face in self.faces if face.age is not None]
        return {
            "path": f"images/{self.file}",
            "age": round(sum(ages) / len(ages)),
            "gender": self.gender,
            "sources": len(self.faces),
            "age_min": int(min(ages)),
            "age_max": int(max(ages)),
        }


def portraits(samples: Sequence[Sample]) -> Iterator[Portrait]:
    """Average ``samples`` into 8 portraits per age group and sex. ``BadInput`` where a window has too few faces."""
    import numpy as np

    taken: list[NDArray[np.float64]] = []
    for windows in WINDOWS.values():
        for gender in ("male", "female"):
            for low, high, count in windows:
                fitting = (s for s in samples if s.gender == gender and s.age is not None and low <= s.age <= high)
                faces = _new(_readable(sorted(fitting, key=_draw)), taken)
                for number in range(1, count + 1):
                    drawn = list(islice(faces, SOURCES))
                    if len(drawn) < SOURCES:
                        need = f"{count} x {SOURCES} different readable {gender} faces aged {low} to {high}"
                        raise BadInput(f"utkface train split: {need} are needed, portrait {number} found {len(drawn)}")
                    mean = np.mean([image for _, image in drawn], axis=0, dtype=np.float64)
                    image = np.rint(mean).astype(np.uint8)
                    yield Portrait(f"{gender}_{low}-{high}_{number}.jpg", gender, tuple(f for f, _ in drawn), image)


def _draw(sample: Sample) -> str:
    return hashlib.sha256(f"{SEED} {sample.name}".encode("utf-8", "surrogateescape")).hexdigest()


def _readable(faces: Iterable[Sample]) -> Iterator[tuple[Sample, Image]]:
    import cv2
    import numpy as np

    for face in faces:
        data = np.frombuffer(face.path.read_bytes(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None  # OpenCV raises on no bytes
        if image is None or image.shape != (SIZE, SIZE, 3):
            found = "not a readable image" if image is None else f"{image.shape[1]}x{image.shape[0]} pixels"
            print(
                f"warning: {face.path}: {found}, must be {SIZE}x{SIZE}; the next face takes its place", file=sys.stderr
            )
        else:
            yield face, image.astype(np.uint8, copy=False)


def _new(faces: Iterable[tuple[Sample, Image]], taken: list[NDArray[np.float64]]) -> Iterator[tuple[Sample, Image]]:
    """Pass on the faces that are not another copy of one in ``taken``, which grows by each that is handed out."""
    import cv2
    import numpy as np

    for face, image in faces:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        thumbnail = cv2.resize(grey, (24, 24), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
        thumbnail -= thumbnail.mean()
        thumbnail /= np.linalg.norm(thumbnail) or 1.0
        if not taken or (np.stack(taken) @ thumbnail).max() < ALIKE:
            taken.append(thumbnail)
            yield face, image


def write(made: Iterable[Portrait], folder: Path) -> int:
    """Write ``images/*.jpg`` and ``labels.csv`` under ``folder``; returns how many portraits there are."""
    import cv2

    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for portrait in made:
        _, encoded = cv2.imencode(".jpg", portrait.image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        (folder / "images" / portrait.file).write_bytes(encoded.tobytes())
        rows.append(portrait.row())
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return len(rows)


def main(argv: Sequence[str]) -> int:
    """Run the command line; returns its exit code."""
    from rich.console import Console
    from rich.progress import track

    parser = argparse.ArgumentParser(prog="python -m bench.sample.make", description="Make the built-in sample.")
    parser.add_argument("--data", required=True, metavar="[utkface=]PATH", help="the UTKFace folder")
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR", help="default: where the sample lies")
    options = parser.parse_args(argv)

    split = utkface.load(Path(options.data.removeprefix("utkface=")), "train")
    total = 2 * sum(count for windows in WINDOWS.values() for _, _, count in windows)
    progress = track(portraits(split.samples), "portraits", total=total, console=Console(stderr=True), transient=True)
    print(f"{write(progress, options.out)} portraits in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
