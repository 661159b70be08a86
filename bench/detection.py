"""Where the face is in a photograph: a detector of the zoo looks at each photo once in a run, for all networks alike.

Of several faces the largest counts. Neither detector finds every face: YuNet is made for faces of 10 to 300 pixels, and
the SSD, which looks at 300x300 whatever the photo, also reports faces beside one that fills the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from bench.backends import opencv
from bench.preprocess import Box, Image, NoFace, Unreadable, prepare, read_image
from bench.records import WHOLE
from bench.types import Sample, Unavailable
from converters.errors import BadInput
from zoo.card import find_card
from zoo.download import sha256_of
from zoo.store import build

DETECT = "detect"
LONGEST = 640
"""Pixels of a photo's longer side, beyond which it is shrunk for YuNet: the size that its graph was exported with."""
YUNET_CONFIDENCE, YUNET_OVERLAP, YUNET_KEPT = 0.6, 0.3, 5000
"""Least confidence, largest overlap of two faces, candidates before that: as in the demo of OpenCV's model zoo."""
SSD_CONFIDENCE = 0.5
FACE_CLASS = 1


@dataclass(frozen=True)
class Face:
    """A face in a photo, its box within the photo, and how sure the detector is of it (0 to 1)."""

    box: Box
    confidence: float

    @property
    def area(self) -> int:
        """Pixels of the box."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


Find = Callable[[Image], list[Face]]


@dataclass(frozen=True)
class Detector:
    """A detector that is loaded: ``find`` returns the faces of an image (H, W, 3), BGR; one thread at a time."""

    network: str
    sha256: str
    """of its ONNX file"""
    confidence: float
    find: Find


def parse(text: str) -> str:
    """Return what ``--faces`` says with the detector's name in it. Raises BadInput for anything else."""
    way, colon, name = text.partition(":")
    name = name if colon else next(iter(DETECTORS))
    if text == WHOLE:
        return WHOLE
    if way != DETECT or name not in DETECTORS:
        known = ", ".join(f"{DETECT}:{one}" for one in DETECTORS)
        raise BadInput(f"--faces {text}: give {WHOLE}, {DETECT} or one of {known}")
    return f"{DETECT}:{name}"


def opened(faces: str, mirror: Path | None) -> Faces | None:
    """Build and load the detector that ``faces`` names; None where the images are faces already.

    Raises BadInput where its weights are out of reach, or this OpenCV cannot read it.
    """
    if faces == WHOLE:
        return None
    network = faces.partition(":")[2]
    confidence, load = DETECTORS[network]
    model = build(find_card(network), mirror)
    try:
        return Faces(Detector(network, sha256_of(model), confidence, load(model)))
    except Unavailable as error:
        others = " or ".join(f"{DETECT}:{name}" for name in DETECTORS if name != network)
        raise BadInput(f"--faces {faces}: {error}; give {others}, or install OpenCV 5") from error


@dataclass(frozen=True)
class Faces:
    """The faces that a detector finds in the photos of a run. What was found of a photo is kept, by its path."""

    detector: Detector
    _found: dict[Path, tuple[Face, ...]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def name(self) -> str:
        """The way in which faces are found, as ``--faces`` says it."""
        return f"{DETECT}:{self.detector.network}"

    @property
    def about(self) -> str:
        """What found them: the model, its sha256, the least confidence, and what ran it."""
        one = self.detector
        return f"{one.network} {one.sha256[:16]}, confidence {one.confidence:g}, OpenCV {opencv.version()}"

    def box(self, path: Path, image: Image) -> Box:
        """Return where the largest face is in the image of ``path``. Raises NoFace where there is none."""
        with self._lock:
            if path not in self._found:
                self._found[path] = tuple(self.detector.find(image))
            found = self._found[path]
        if not found:
            raise NoFace
        return max(found, key=lambda face: (face.area, face.confidence)).box

    def look(self, samples: Sequence[Sample]) -> None:
        """Find the faces of all samples now, so that nobody who takes the time later waits for it."""
        for sample in samples:
            if sample.path not in self._found:
                try:
                    self.box(sample.path, read_image(sample.path))
                except Unreadable:
                    continue

    def several(self, samples: Sequence[Sample]) -> list[str]:
        """Return the names of the samples in whose photos more than one face was found."""
        return [sample.name for sample in samples if len(self._found.get(sample.path, ())) > 1]


def box_of(faces: Faces | None, path: Path, image: Image) -> Box | None:
    """Return where the face is in the image of ``path``, None where the whole image is one. Raises NoFace."""
    return None if faces is None else faces.box(path, image)


def clipped(box: Sequence[float], image: Image) -> Box | None:
    """Return ``box`` (left, top, right, bottom) in whole pixels of the image, None where nothing of it is inside."""
    if not np.isfinite(box).all():
        return None
    height, width = image.shape[:2]
    left, right = (int(np.clip(round(x), 0, width)) for x in (box[0], box[2]))
    top, bottom = (int(np.clip(round(y), 0, height)) for y in (box[1], box[3]))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _faces(boxes: Sequence[tuple[Sequence[float], float]], image: Image) -> list[Face]:
    inside = [(clipped(box, image), confidence) for box, confidence in boxes]
    return [Face(box, confidence) for box, confidence in inside if box is not None]


def _yunet(model: Path) -> Find:
    """Load YuNet into OpenCV's own decoder of its outputs, which takes photos of any size."""
    import cv2

    with quiet():
        detector: Any = cv2.FaceDetectorYN.create(
            str(model), "", (LONGEST, LONGEST), YUNET_CONFIDENCE, YUNET_OVERLAP, YUNET_KEPT
        )

    def find(image: Image) -> list[Face]:
        height, width = image.shape[:2]
        scale = min(1.0, LONGEST / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        seen = image if scale == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        detector.setInputSize(size)
        _, rows = detector.detect(seen)
        stretch = np.asarray([width / size[0], height / size[1]] * 2)
        found = [] if rows is None else rows  # left, top, width, height, ten of five landmarks, confidence
        with np.errstate(invalid="ignore", over="ignore"):  # OpenCV 4 says infinity of a photo of a few pixels
            corners = [np.concatenate([row[:2], row[:2] + row[2:4]]) * stretch for row in found]
        return _faces([(box, float(row[14])) for box, row in zip(corners, found, strict=True)], image)

    return find


def _ssd(model: Path) -> Find:
    """Load the SSD, fed as its card says; its rows are image, class, confidence and corners as shares of the photo."""
    import cv2

    spec = find_card("res10-ssd-face").input[0]
    with quiet():
        session = opencv.load(model, "cpu", cv2.getNumThreads())

    def find(image: Image) -> list[Face]:
        feeds = {name: tensor[None] for name, tensor in prepare(image, spec).items()}
        (output,) = session.run(feeds).values()
        height, width = image.shape[:2]
        rows = [row for row in output.reshape(-1, 7) if row[1] == FACE_CLASS and row[2] >= SSD_CONFIDENCE]
        return _faces([(row[3:7] * [width, height, width, height], float(row[2])) for row in rows], image)

    return find


@contextmanager
def quiet() -> Iterator[None]:
    """Keep OpenCV 5 from saying that its new engine has no targets to choose from."""
    import cv2

    logging: Any = cv2.utils.logging
    before = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    try:
        yield
    finally:
        logging.setLogLevel(before)


DETECTORS: Mapping[str, tuple[float, Callable[[Path], Find]]] = {
    "yunet-face": (YUNET_CONFIDENCE, _yunet),
    "res10-ssd-face": (SSD_CONFIDENCE, _ssd),
}
"""By network of the zoo, the default first: the least confidence, and what loads it."""
