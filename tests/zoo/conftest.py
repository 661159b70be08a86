"""An empty store, a folder as pip's index, a mirror, and a server, all of them this test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import CAFFEMODEL, MEAN, PROTOTXT, Served, make_wheel, serve, tiny_card

import zoo.card
import zoo.store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty store, two cards in the zoo, with pip shut off from every index."""
    home = tmp_path / "store"
    home.mkdir()
    cards = {"tiny": tiny_card(), "twin": tiny_card("twin", CAFFEMODEL[::-1])}
    monkeypatch.setenv("ZOO_HOME", str(home))
    monkeypatch.delenv("ZOO_MIRROR", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    monkeypatch.setattr(zoo.card, "all_cards", lambda: cards)
    monkeypatch.setattr(zoo.store, "all_cards", lambda: cards)
    return home


@pytest.fixture
def index(store: Path, tmp_path: Path) -> Path:
    """Return a folder with the one wheel that holds the graphs of both cards."""
    members = {
        "tiny/tiny.prototxt": PROTOTXT,
        "tiny/tiny.bin": CAFFEMODEL,
        "tiny/twin.prototxt": PROTOTXT,
        "tiny/twin.bin": CAFFEMODEL[::-1],
    }
    make_wheel(tmp_path / "index", members)
    return tmp_path / "index"


@pytest.fixture
def filled_mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    for file, content in (("tiny.prototxt", PROTOTXT), ("tiny.caffemodel", CAFFEMODEL), ("mean.binaryproto", MEAN)):
        (folder / file).write_bytes(content)
    return folder


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as state:
        yield state
