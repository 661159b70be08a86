"""``bench predict``: from the words of the command line to predictions on disk, picture by picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import detection
from bench.accuracy import Network
from bench.detection import Face, Faces
from bench.host import git_commit, host, versions
from bench.predict.annotated import annotate
from bench.predict.asking import Asked, asked
from bench.predict.contact_sheet import ContactSheet
from bench.predict.kept import Kept
from bench.predict.request import Request, resolve
from bench.predict.said import SCHEMA, FaceLine, Skipped, fed_as
from bench.predict.sources import Shot
from bench.predict.summary import summary, terms
from bench.records import WHOLE
from bench.resume import make_folder
from bench.run import Missing, networks_of, seen_by
from bench.stopping import terminable, uninterrupted
from converters.errors import BAD_INPUT, CHECK_FAILED, DONE, INTERRUPTED, BadInput
from zoo import progress
from zoo.lock import alone


def command(arguments: argparse.Namespace, out: Path) -> int:
    """Predict what was asked for. Returns the exit code.

    0; 1 where a network failed; 2 where no picture could be read; 130 after Ctrl-C, unless it is a camera's end.
    Raises BadInput for a word that is wrong, NotUsable for a camera, device or backend that is not there.
    """
    request = resolve(arguments, out)
    make_folder(out)
    with alone(out / ".lock", "is predicting into this folder", wait=False):
        return _predict(request)


def _predict(request: Request) -> int:
    faces = detection.opened(request.faces, request.mirror)
    networks, left = _networks(request, faces)
    with asked(networks, request.place) as every:
        kept = Kept(request.out, _about(request, faces, every, left), resume=request.resume)
        terms(request.cards, every)
        sheet = ContactSheet(request.out, list(networks))
        code = _each(request, faces, every, kept, sheet)
    with uninterrupted():
        summary(request, every, left, kept)
    if not kept.images["with faces"] and not kept.images["no face"] and code == DONE:
        first = kept.skipped[0]["reason"] if kept.skipped else "there was none"
        print(f"error: nothing was predicted: no picture could be read; the first: {first}", file=sys.stderr)
        return BAD_INPUT
    return CHECK_FAILED if code == DONE and any(one.failed for one in every) else code


def _networks(request: Request, faces: Faces | None) -> tuple[dict[str, Network], dict[str, str]]:
    """Build the networks; return them, and why others are left out. Raises BadInput where none is left."""
    found, left = dict[str, Network](), dict(request.left)
    for name, built in networks_of(request.cards, request.mirror, ("fp32",)).items():
        seen = seen_by(faces, built)
        if isinstance(seen, Missing):
            left[name] = seen.reason
        else:
            found[name] = seen
    for name, why in request.left.items():
        print(f"{name} is left out: {why}", file=sys.stderr)
    if not found:
        raise BadInput(f"no network can be had: {'; '.join(f'{name}: {why}' for name, why in left.items())}")
    return found, left


def _each(request: Request, faces: Faces | None, every: Sequence[Asked], kept: Kept, sheet: ContactSheet) -> int:
    """Go through the pictures. Returns the exit code: DONE, or INTERRUPTED after Ctrl-C."""
    source, before = request.source, len(kept.done)
    try:
        with (
            terminable(),
            progress.task(source.name, source.total) as advance,
            closing(source.shots(frozenset(kept.done))) as shots,
        ):
            for number, shot in enumerate(shots, before + 1):
                _one(shot, faces, every, kept, sheet)
                advance(number)
    except KeyboardInterrupt:
        if source.kind == "camera":
            return DONE
        print("stopped: --resume goes on from here", file=sys.stderr)
        return INTERRUPTED
    finally:
        with uninterrupted():
            sheet.finish()
    return DONE


def _one(shot: Shot, faces: Faces | None, every: Sequence[Asked], kept: Kept, sheet: ContactSheet) -> None:
    """Find the faces of a picture, ask every network about each, and keep what it says."""
    if shot.image is None:
        kept.skip(Skipped(image=shot.name, kind="unreadable", reason=str(shot.why)))
        return
    image = shot.image
    if faces is None:
        found = [Face((0, 0, image.shape[1], image.shape[0]), 1.0)]
    else:
        found = sorted(faces.detector.find(image), key=lambda face: (-face.area, -face.confidence, face.box))
    if not found:
        kept.skip(Skipped(image=shot.name, kind="no face", reason="no face found"))
        return
    annotated = kept.place(shot.name)
    lines = [
        FaceLine(
            image=shot.name, face=number, faces=len(found), box=face.box,
            score=None if faces is None else face.confidence, found_by=WHOLE if faces is None else faces.name,
            annotated=annotated,
            networks={one.network.name: one.say(image, None if faces is None else face.box) for one in every},
        )
        for number, face in enumerate(found, 1)
    ]  # fmt: skip
    picture = annotate(image, lines)
    with uninterrupted():
        kept.add(shot.name, lines, picture)
        sheet.add(image, lines)


def _about(request: Request, faces: Faces | None, every: Sequence[Asked], left: Mapping[str, str]) -> dict[str, Any]:
    """Return what stands over all predictions: what was asked, by what, of which versions."""
    return {
        "schema": SCHEMA,
        "source": {"kind": request.source.kind, "name": request.source.name},
        "faces": WHOLE if faces is None else {"way": faces.name, "found_by": faces.about},
        "backend": request.place.backend,
        "device": request.place.device,
        "threads": request.place.threads,
        "networks": {
            one.network.name: {
                "model_sha256": one.sha256,
                "version": one.version,
                "terms": one.network.card.use,
                "preprocessing": fed_as(one.network.spec),
            }
            for one in every
        },
        "left_out": dict(left),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": host(),
        "versions": versions(),
        "git_commit": git_commit(),
    }
