"""Predictions on disk: what comes back is what was written, and nothing else is taken for it."""

from dataclasses import replace

import numpy as np
import pytest
from bench_cases import latency_case

from bench import predictions
from bench.heads import Prediction
from bench.predictions import FOLDER, file_of, read, write
from bench.records import Fingerprint, Result
from bench.types import Sample, Split
from converters.errors import BadInput
from zoo.fields import AGE_GROUPS, Head

HEADS = (
    Head(task="gender", output="sex", decode="argmax", labels=("female", "male")),
    Head(task="age_group", output="groups", decode="argmax", labels=AGE_GROUPS, years=tuple(range(8))),
    Head(task="age", output="age", decode="scalar", labels=()),
)
SAID = (
    Prediction(gender=np.array(["male", "female", "male"]), decode={"gender": "argmax"}),
    Prediction(group=np.array([7, 0, 3]), years=np.array([6.5, 0.25, 3]), decode={"age_group": "argmax"}),
    Prediction(
        group=np.array([4, 4, 4]),
        years=np.array([30.0, 31, 32]),
        decode={"age": "scalar", "age_group": "borders"},
        regrouped={"twelve": np.array([6, 6, 6])},
    ),
)


@pytest.fixture
def faces(tmp_path):
    return (
        Sample("a b/ä,1.jpg", tmp_path / "1", 31.5, "female", subject="ann", ethnicity="x", fold="0"),
        Sample("\udcff.jpg", tmp_path / "2", None, None, age_range=(60.0, np.inf)),
        Sample("3.jpg", tmp_path / "3", 0.0, "male", subject="bob", fold="1"),
    )


def result(**changes):
    case = latency_case("onnxruntime", kind="accuracy", dataset="own", split="all", **changes)
    return Result(case=case, status="ok", fingerprint=Fingerprint(split_sha256="a" * 64, n=3, label_rule="by hand"))


@pytest.fixture
def written(tmp_path, faces):
    split = Split("own", "all", "by hand", faces, age_groups=("0-9", "10-"))
    return write(tmp_path, result(), split, faces, tuple(zip(HEADS, SAID, strict=True)))


def test_what_comes_back_is_what_was_written(tmp_path, written, faces):
    found = read(tmp_path, result())
    assert written.parent == tmp_path / FOLDER
    assert found.own_groups == ("0-9", "10-")
    assert [replace(s, path=faces[i].path) for i, s in enumerate(found.samples)] == list(faces)
    assert tuple(head for head, _ in found.heads) == HEADS
    for (_, said), given in zip(found.heads, SAID, strict=True):
        assert said.decode == given.decode
        for name in ("group", "years", "gender"):
            np.testing.assert_array_equal(getattr(said, name), getattr(given, name))
        assert set(said.regrouped) == set(given.regrouped)
    np.testing.assert_array_equal(found.heads[2][1].regrouped["twelve"], [6, 6, 6])


def test_no_image_and_no_path_of_this_machine_is_in_it(tmp_path, written):
    with np.load(written) as archive:
        text = " ".join(str(archive[name]) for name in archive.files)
    assert str(tmp_path) not in text


def test_cases_on_the_same_faces_share_them(tmp_path, written, faces):
    other = result(threads=2)
    write(tmp_path, other, Split("own", "all", "by hand", faces), faces, [(HEADS[0], SAID[0])])
    known = {}
    assert read(tmp_path, result(), known).samples is read(tmp_path, other, known).samples


def test_a_run_without_them_has_none(tmp_path):
    assert read(tmp_path, result()) is None


@pytest.mark.parametrize(
    ("changes", "other"),
    [({"network": "a/b"}, {"network": "a b"}), ({"threads": 1}, {"threads": 2}), ({"split": "x"}, {"split": "X"})],
)
def test_every_case_has_a_plain_file_of_its_own(tmp_path, changes, other):
    files = [file_of(tmp_path, result().case.model_copy(update=change)) for change in (changes, other)]
    assert files[0].name.lower() != files[1].name.lower()
    for file in files:
        assert file.parent == tmp_path / FOLDER
        assert len(file.name) < 150


def test_those_of_other_images_are_refused(tmp_path, written):
    other = result().model_copy(update={"fingerprint": Fingerprint(split_sha256="b" * 64, n=3, label_rule="by hand")})
    with pytest.raises(BadInput, match=r"of other images or labels: split fingerprint a{16}, the result's b{16}"):
        read(tmp_path, other)


def test_those_of_another_case_are_refused(tmp_path, written):
    other = result(network="another")
    written.rename(file_of(tmp_path, other.case))
    with pytest.raises(BadInput, match="is of another case, accuracy on own:all of tiny"):
        read(tmp_path, other)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04cut off"])
def test_a_broken_file_is_one_line(tmp_path, written, content):
    written.write_bytes(content)
    with pytest.raises(BadInput, match=r"holds no predictions: .*measure the case again") as raised:
        read(tmp_path, result())
    assert "\n" not in str(raised.value)


def change(path, **arrays):
    with np.load(path) as archive:
        every = {name: archive[name] for name in archive.files}
    np.savez(path, **{**every, **arrays})


def test_labels_that_were_changed_are_refused(tmp_path, written):
    change(written, **{"face:gender": np.array([0, 0, 0], dtype=np.int8)})
    with pytest.raises(BadInput, match="its names and labels are not those that were written"):
        read(tmp_path, result())


def test_answers_of_another_length_are_refused(tmp_path, written):
    change(written, **{"1:group": np.array([1, 2])})
    with pytest.raises(BadInput, match=r"group is \(2,\) for 3 faces"):
        read(tmp_path, result())


def test_objects_are_never_unpickled(tmp_path, written):
    change(written, **{"0:gender": np.array([{"a": 1}, None, 2], dtype=object)})
    with pytest.raises(BadInput, match="holds no predictions"):
        read(tmp_path, result())


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, written, faces, monkeypatch):
    before = written.read_bytes()

    def full(*_):
        raise BadInput("no space")

    monkeypatch.setattr(predictions, "write_atomically", full)
    with pytest.raises(BadInput, match="no space"):
        write(tmp_path, result(), Split("own", "all", "x", faces), faces, [(HEADS[0], SAID[0])])
    assert written.read_bytes() == before
