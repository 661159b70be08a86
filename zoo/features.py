"""Features of a backbone that nobody trains further: computed once for all faces of a split, kept on disk.

A view is a pass over the faces: the first shows them as they are, each further one moves them at random. What is stored
in half precision is what the lean networks are trained on; measured with faces, they get the same in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import BadInput
from zoo import faces, progress
from zoo.augmentation import moved
from zoo.faces import Faces
from zoo.fields import InputSpec
from zoo.recipes import Augmentation

if TYPE_CHECKING:
    import onnxruntime

Array = np.ndarray[Any, Any]

BATCH = 16
SEED = 11
"""Of the views; the number of the view and that of the batch's first face are the rest of it."""

FIELDS = 2
"""A side of the fields that each map is averaged over."""


def views(backbone: Path, tap: str, spec: InputSpec, found: Faces, count: int, folder: Path) -> Sequence[Array]:
    """Return the features (N, F) of all faces of ``found``, in float16, once for each view.

    ``folder`` is where they are kept; what is there is not computed again. Raises BadInput without ONNX Runtime, or
    when the backbone has no layer ``tap``.
    """
    made = []
    session = None
    for view in range(count):
        path = folder / f"features-{found.fingerprint[:16]}-{tap}-{view}.npy"
        if not path.is_file():
            session = session or _session(backbone, tap)
            _write(path, _view(session, tap, spec, found, view))
        made.append(np.load(path))
    return made


def pooled(maps: Array) -> Array:
    """Average maps (N, C, side, side) over two by two fields and lay them out as (N, C * 4).

    The fields overlap by a row and a column where the side is odd.
    """
    side = maps.shape[-1]
    window, step = -(-side // FIELDS), side // FIELDS
    starts = [i * step for i in range(FIELDS)]
    fields = [[maps[:, :, r : r + window, c : c + window].mean((2, 3)) for c in starts] for r in starts]
    return np.stack([np.stack(row, -1) for row in fields], -2).reshape(len(maps), -1)


def _view(session: onnxruntime.InferenceSession, tap: str, spec: InputSpec, found: Faces, view: int) -> Array:
    parts = []
    with progress.task(f"features at {tap}, view {view}", len(found.images)) as advance:
        for first in range(0, len(found.images), BATCH):
            images = found.images[first : first + BATCH]
            if view:
                generator = np.random.default_rng((SEED, view, first))
                images = np.stack([moved(image, Augmentation(), generator) for image in images])
            (maps,) = session.run([tap], faces.tensors(images, spec))
            parts.append(pooled(maps).astype(np.float16))
            advance(first + len(images))
    return np.concatenate(parts)


def _session(backbone: Path, tap: str) -> onnxruntime.InferenceSession:
    """Open the backbone up to its layer ``tap``."""
    from zoo import clean, graph
    from zoo.tap import tap as tapped

    model = tapped(clean.clean(graph.read(backbone)), [tap])
    del model.graph.output[:-1]
    graph.prune(model)
    try:
        import onnxruntime as ort
    except ImportError as error:
        raise BadInput(f"features need ONNX Runtime ({error}); install the extra cpu or cuda") from error
    options = ort.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _write(path: Path, features: Array) -> None:
    part = path.with_name(f"part-{path.name}")
    np.save(part, features)
    part.replace(path)
