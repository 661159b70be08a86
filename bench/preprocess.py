"""From an image file to the network's input tensor, as its ``InputSpec`` says.

The crop and the mean decide the score: the same network on the same faces moves by several points between the two
ways in which the world feeds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.fields import InputSpec

Image = np.ndarray[Any, np.dtype[np.uint8]]
Tensor = np.ndarray[Any, np.dtype[np.float32]]
Box = tuple[int, int, int, int]
"""left, top, right, bottom of a face in its photograph, in pixels; right and bottom are the first beyond it."""


SIGNATURES = {
    b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF",
    b"II+\0": "TIFF", b"MM\0+": "TIFF",
}  # fmt: skip
SUFFIXES = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".gif": "GIF", ".bmp": "BMP", ".tif": "TIFF",
            ".tiff": "TIFF", ".webp": "WebP"}  # fmt: skip


class Unreadable(Exception):  # noqa: N818 - it says what it is
    """An image cannot be read. Says why, without the folder it lies in."""


class OtherType(Unreadable):
    """The bytes of an image are of another type than its name says."""


class NoFace(Unreadable):
    """A photograph was read, and a detector found no face in it."""

    def __init__(self, said: str = "no face found") -> None:
        """Say so."""
        super().__init__(said)


@dataclass(frozen=True)
class Left:
    """An image that is not scored, and why."""

    name: str
    why: Unreadable

    @property
    def undetected(self) -> bool:
        """Whether it was read, and shows no face that the detector finds."""
        return isinstance(self.why, NoFace)

    def __str__(self) -> str:
        """Return it as a line for a person."""
        return f"{self.name}: {self.why}"


def read_image(path: Path) -> Image:
    """Return the image as (H, W, 3), BGR, 8 bits. Raises Unreadable, with the reason."""
    return image_of(path, read_file(path))


def image_of(path: Path, data: bytes) -> Image:
    """Return what ``data``, the bytes of the file ``path``, show as (H, W, 3), BGR, 8 bits. Raises Unreadable."""
    image = decode_image(data)
    named = SUFFIXES.get(path.suffix.lower())
    if named is not None and type_of(data) is None:
        raise OtherType(f"is no {named} file, as its name says (it begins with {data[:8]!r})")
    return image


def read_file(path: Path) -> bytes:
    """Return the bytes of an image's file. Raises Unreadable, with the reason.

    A file whose name says another type than its first bytes is refused as OtherType: somebody's script renamed it, and
    what else that script did nobody knows.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    except ValueError as error:  # a name that no file can have
        raise Unreadable(str(error)) from error
    named, real = SUFFIXES.get(path.suffix.lower()), type_of(data)
    if named is not None and real is not None and named != real:
        raise OtherType(f"is a {real} file, its name says {named}")
    return data


def type_of(data: bytes) -> str | None:
    """Return the type of an image file by its first bytes, None for one that is not known."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    return next((kind for start, kind in SIGNATURES.items() if data.startswith(start)), None)


def decode_image(data: bytes) -> Image:
    """Return what the bytes of a file show as (H, W, 3), BGR, 8 bits. Raises Unreadable, with the reason."""
    import cv2

    if not data:
        raise Unreadable("the file is empty")
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise Unreadable(f"OpenCV cannot decode it: {' '.join(str(error).split())[:120]}") from error
    if image is None:
        raise Unreadable(f"not an image that OpenCV can decode (it begins with {data[:8]!r})")
    return image.astype(np.uint8, copy=False)


def views(spec: InputSpec) -> int:
    """Return how many tensors a spec makes of one face."""
    return 10 if spec.views == "ten" else 1


def prepare(
    image: Image, spec: InputSpec, mean_image: Tensor | None = None, box: Box | None = None
) -> dict[str, Tensor]:
    """Do what `prepare_views` does for a spec of one view: name -> (channels, height, width)."""
    if spec.views != "centre":
        raise ValueError(f"{spec.name}: has {spec.views} views, not one")
    return {name: views[0] for name, views in prepare_views(image, spec, mean_image, box).items()}


def prepare_views(
    image: Image, spec: InputSpec, mean_image: Tensor | None = None, box: Box | None = None
) -> dict[str, Tensor]:
    """Turn ``image`` (H, W, 3), BGR, 8 bits, into the input tensors of ``spec``: name -> (views, channels, H, W).

    ``mean_image`` is (channels, height, width) of ``spec.resize``, in the spec's channel order, when it names one;
    ``box`` is where the face is, by default the whole image. There is one view, or ten.
    """
    return {crop.name: _tensor(_middle(image, box, crop.share, spec.border), spec, mean_image) for crop in spec.tensors}


def _middle(image: Image, box: Box | None, share: float, border: str) -> Image:
    """Return the middle ``share`` of both sides of ``box``; beyond the border its pixels are repeated."""
    import cv2

    left, top, right, bottom = box or (0, 0, image.shape[1], image.shape[0])
    if border == "repeat":
        image = image[max(0, top) : bottom, max(0, left) : right]
        left, right, top, bottom = 0, image.shape[1], 0, image.shape[0]
    across, down = (round(side * (share - 1) / 2) for side in (right - left, bottom - top))
    left, top, right, bottom = left - across, top - down, right + across, bottom + down
    height, width = image.shape[:2]
    beyond = [max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)]
    inside = image[max(0, top) : bottom, max(0, left) : right]
    if not inside.size:
        raise Unreadable(f"of a face this small the middle {share:g} of its sides is no pixel")
    if not any(beyond):
        return inside
    above, below, before, behind = beyond
    made: Any = cv2.copyMakeBorder(inside, above, below, before, behind, cv2.BORDER_REPLICATE)
    return np.asarray(made, dtype=np.uint8)


def resized(image: Image, spec: InputSpec) -> Image:
    """Stretch an image to ``spec.resize`` by its kernel. Pillow's kernels widen when they shrink, OpenCV's do not."""
    if spec.resizer == "pillow":
        import PIL.Image

        kernels = {"linear": "BILINEAR", "cubic": "BICUBIC", "nearest": "NEAREST", "lanczos": "LANCZOS"}
        kernel = getattr(PIL.Image.Resampling, kernels[spec.kernel])
        return np.asarray(PIL.Image.fromarray(image).resize(spec.resize, kernel))
    import cv2

    flags = {"linear": "LINEAR", "area": "AREA", "cubic": "CUBIC", "nearest": "NEAREST", "lanczos": "LANCZOS4"}
    flag: int = getattr(cv2, f"INTER_{flags[spec.kernel]}")
    return cv2.resize(image, spec.resize, interpolation=flag).astype(np.uint8, copy=False)


def _tensor(image: Image, spec: InputSpec, mean_image: Tensor | None) -> Tensor:
    import cv2

    made: Any = resized(image, spec)
    if spec.channels == "GRAY":
        made = cv2.cvtColor(made, cv2.COLOR_BGR2GRAY)[:, :, None]
    elif spec.channels == "RGB":
        made = made[:, :, ::-1]
    tensor = made.astype(np.float32).transpose(2, 0, 1)
    if spec.mean is not None:
        tensor = tensor - np.asarray(spec.mean, dtype=np.float32).reshape(-1, 1, 1)
    if spec.mean_image is not None:
        if mean_image is None or mean_image.shape != tensor.shape:
            got = None if mean_image is None else mean_image.shape
            raise ValueError(f"the spec names the mean image {spec.mean_image}, of shape {tensor.shape}; got {got}")
        tensor = tensor - mean_image
    views = _views(tensor, spec)
    if spec.scale != 1:
        views = views * np.float32(spec.scale)
    return np.ascontiguousarray(views, dtype=np.float32)


def _views(tensor: Tensor, spec: InputSpec) -> Tensor:
    """Cut (C, H, W) to (views, C, height, width): the centre, or four corners and the centre, and each mirrored."""
    (width, height), (wide, high) = spec.size, spec.resize
    right, bottom = wide - width, high - height
    places = [(bottom // 2, right // 2)]
    if spec.views == "ten":
        places = [(0, 0), (0, right), (bottom, 0), (bottom, right), *places]
    cuts = [tensor[:, top : top + height, left : left + width] for top, left in places]
    if spec.views == "ten":
        cuts += [cut[:, :, ::-1] for cut in cuts]
    return np.stack(cuts)
