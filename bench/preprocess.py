"""From an image file to the network's input tensor, as its ``InputSpec`` says.

The crop and the mean decide the score: the same network on the same faces moves by several points between the two
ways in which the world feeds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from zoo.fields import InputSpec

Image = np.ndarray[Any, np.dtype[np.uint8]]
Tensor = np.ndarray[Any, np.dtype[np.float32]]


class Unreadable(Exception):  # noqa: N818 - it says what it is
    """An image cannot be read. Says why, without the folder it lies in."""


def read_image(path: Path) -> Image:
    """Return the image as (H, W, 3), BGR, 8 bits. Raises Unreadable, with the reason."""
    import cv2

    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from error
    except ValueError as error:  # a name that no file can have
        raise Unreadable(str(error)) from error
    if not data.size:
        raise Unreadable("the file is empty")
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise Unreadable(f"OpenCV cannot decode it: {' '.join(str(error).split())[:120]}") from error
    if image is None:
        raise Unreadable(f"not an image that OpenCV can decode (it begins with {data[:8].tobytes()!r})")
    return image.astype(np.uint8, copy=False)


def prepare(image: Image, spec: InputSpec, mean_image: Tensor | None = None) -> dict[str, Tensor]:
    """Turn ``image`` (H, W, 3), BGR, 8 bits, into the input tensors of ``spec``: name -> (channels, height, width).

    ``mean_image`` is (channels, height, width) of ``spec.resize``, in the spec's channel order, when it names one.
    """
    return {crop.name: _tensor(_middle(image, crop.share), spec, mean_image) for crop in spec.tensors}


def _middle(image: Image, share: float) -> Image:
    """Return the middle ``share`` of both sides; of more than all, the border pixels are repeated."""
    import cv2

    height, width = image.shape[:2]
    down, right = (round(side * (share - 1) / 2) for side in (height, width))
    if share > 1:
        return cv2.copyMakeBorder(image, down, down, right, right, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
    return image[-down : height + down, -right : width + right]


def _tensor(image: Image, spec: InputSpec, mean_image: Tensor | None) -> Tensor:
    import cv2

    resized = cv2.resize(image, spec.resize, interpolation=cv2.INTER_LINEAR)
    if spec.channels == "GRAY":
        resized = cv2.cvtColor(resized, cv2.COLOR_BGR2GRAY)[:, :, None]
    elif spec.channels == "RGB":
        resized = resized[:, :, ::-1]
    tensor = resized.astype(np.float32).transpose(2, 0, 1)
    if spec.mean is not None:
        tensor = tensor - np.asarray(spec.mean, dtype=np.float32).reshape(-1, 1, 1)
    if spec.mean_image is not None:
        if mean_image is None or mean_image.shape != tensor.shape:
            got = None if mean_image is None else mean_image.shape
            raise ValueError(f"the spec names the mean image {spec.mean_image}, of shape {tensor.shape}; got {got}")
        tensor = tensor - mean_image
    width, height = spec.size
    top, left = (spec.resize[1] - height) // 2, (spec.resize[0] - width) // 2
    tensor = tensor[:, top : top + height, left : left + width]
    if spec.scale != 1:
        tensor = tensor * np.float32(spec.scale)
    return np.ascontiguousarray(tensor, dtype=np.float32)
