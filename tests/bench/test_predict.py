"""Predictions of one's own pictures: what is said, kept and skipped, and that nothing is lost or mixed up."""

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from history_cases import CASE, folder, record, timed
from numpy.testing import assert_allclose, assert_array_equal

from bench import detection
from bench.cli import main
from bench.detection import Detector, Face, Faces
from bench.predict import by_run, choosing, command, request, sources
from bench.predict.asking import Place
from bench.predict.choosing import Timed
from bench.predict.said import Said, answers, own, words
from bench.preprocess import read_image
from bench.records import Fingerprint, Result, Score
from converters.errors import BadInput
from zoo.card import all_cards, find_card
from zoo.fields import AGE_GROUPS, Head

# What is said


def said(**fields):
    where = {"model_sha256": "5" * 64, "backend": "stub", "device": "cpu", "version": "1", "preprocessing": {}}
    return Said.model_validate({"status": "ok", **where, **fields})


def test_a_distribution_over_ages_says_years_and_derives_the_group():
    head = Head(task="age", output="age", decode="expectation", labels=tuple(map(str, range(101))))
    shares = np.zeros((1, 101))
    shares[0, [20, 24, 30, 70]] = 0.2, 0.3, 0.25, 0.25
    found = answers([head], {"age": shares})
    assert_allclose(found["age"].years, 20 * 0.2 + 24 * 0.3 + 30 * 0.25 + 70 * 0.25)
    assert not found["age"].derived
    assert (found["age_group"].label, found["age_group"].derived) == ("25-32", True)
    want = dict.fromkeys(AGE_GROUPS, 0.0) | {"15-20": 0.2, "25-32": 0.55, "60-": 0.25}
    assert_allclose(list(found["age_group"].probabilities.values()), list(want.values()), atol=1e-12)
    assert list(found["age_group"].probabilities) == list(AGE_GROUPS)
    assert "gender" not in found


def test_age_groups_say_a_group_and_derive_the_years():
    labels, years = ("0-9", "10-19", "20-"), (4.0, 15.0, 50.0)
    head = Head(task="age_group", output="prob", decode="argmax", labels=labels, years=years)
    found = answers([head], {"prob": np.asarray([[0.1, 0.7, 0.2]])})
    assert (found["age_group"].label, found["age_group"].derived) == ("10-19", False)
    assert_allclose(found["age_group"].probability, 0.7)
    assert found["age"].derived
    assert_allclose(found["age"].years, 0.4 + 10.5 + 10)
    assert words(said(**found)) == ["21 years*", "10-19 70 %"]
    assert own(said(**found)) == ["10-19 70 %"]


def test_one_number_has_no_probabilities():
    found = answers([Head(task="age", output="age", decode="scalar", labels=())], {"age": np.asarray([[35.6]])})
    assert (found["age_group"].label, found["age_group"].probability) == ("38-43", None)
    assert not found["age_group"].probabilities


@pytest.mark.parametrize(("labels", "label"), [(("male", "female"), "female"), (("female", "male"), "male")])
def test_a_gender_goes_by_the_order_of_the_card(labels, label):
    one = Head(task="gender", output="sigmoid", decode="scalar", labels=labels)
    two = Head(task="gender", output="softmax", decode="argmax", labels=labels)
    for head, output in ((one, [[0.8]]), (two, [[0.2, 0.8]])):
        answer = answers([head], {head.output: np.asarray(output)})["gender"]
        assert answer.label == label
        assert_allclose([answer.probability, answer.probabilities[labels[0]]], [0.8, 0.2])


def test_of_several_heads_of_a_kind_its_own_answer_comes_first():
    ages = Head(task="age", output="age", decode="expectation", labels=tuple(map(str, range(101))))
    groups = Head(task="age_group", output="groups", decode="argmax", labels=AGE_GROUPS)
    outputs = {"age": np.eye(101)[[30]], "groups": np.eye(8)[[6]]}
    found = answers([ages, groups], outputs)
    assert (found["age_group"].head, found["age_group"].label) == ("groups", "48-53")
    (other,) = found["other_heads"]
    assert (other.task, other.head, other.label, other.derived) == ("age_group", "age", "25-32", True)


# A run with networks that answer by themselves: what they say is the mean colour of the face


class Stub:
    """Says the mean of blue as the age of a face, and fails or stops where it is told to."""

    def __init__(self, name="stub", at=None, error=None):
        card = SimpleNamespace(licence="a test's", use="tests", heads=())
        self.network = SimpleNamespace(name=name, card=card, spec=find_card("dlib-age").input[0])
        self.sha256, self.version, self.failed = "5" * 64, "1", None
        self.at, self.error, self.asked = at, error, 0

    def say(self, image, box):
        self.asked += 1
        if self.asked == self.at:
            if isinstance(self.error, BaseException):
                raise self.error
            self.failed = self.error
        if self.failed is not None:
            return said(status="failed", reason=self.failed)
        left, top, right, bottom = box or (0, 0, image.shape[1], image.shape[0])
        years = float(image[top:bottom, left:right, 0].mean())
        return said(age={"head": "age", "decode": "scalar", "derived": False, "years": years})


@dataclass
class Stubbed:
    """What the commands of a test use instead of workers and a detector."""

    networks: list = field(default_factory=lambda: [Stub("one"), Stub("two")])
    boxes: object = None

    def find(self, image):
        height, width = image.shape[:2]
        if self.boxes is None:
            return [Face((0, 0, width, height), 0.9)] if image.mean() > 9 else []
        return self.boxes


@pytest.fixture
def stubbed(monkeypatch):
    """Return the stubs behind ``bench predict``; pictures that are nearly black show no face."""
    stubs = Stubbed()

    @contextmanager
    def asked(networks, place):
        yield stubs.networks

    faces = Faces(Detector("yunet-face", "5" * 64, 0.6, lambda image: stubs.find(image)))
    monkeypatch.setattr(detection, "opened", lambda way, mirror: None if way == "whole" else faces)
    monkeypatch.setattr(request, "_place", lambda backend, device: Place("stub", "stub", "cpu", None, 1))
    built = SimpleNamespace()
    monkeypatch.setattr(command, "networks_of", lambda *_: {one.network.name: built for one in stubs.networks})
    monkeypatch.setattr(command, "seen_by", lambda faces, network: network)
    monkeypatch.setattr(command, "asked", asked)
    cards = {name: SimpleNamespace(licence="a test's") for name in ("one", "two")}
    monkeypatch.setattr(choosing, "named", lambda text: (cards, {}))
    return stubs


def picture(path, colour=(40, 120, 200), size=(60, 80)):
    image = np.full((*size, 3), colour, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)
    return path


def predict(source, out, *more, code=0):
    assert main(["predict", str(source), "--out", str(out), *map(str, more)]) == code
    return [json.loads(line) for line in (out / "faces.jsonl").read_text().splitlines()]


def skipped(out):
    lines = [json.loads(line) for line in (out / "skipped.jsonl").read_text().splitlines()]
    return {line["image"]: line["reason"] for line in lines}


def test_every_face_of_a_picture_is_told_the_largest_first(stubbed, tmp_path):
    image = picture(tmp_path / "group.png", size=(200, 300))
    stubbed.boxes = [Face((0, 0, 30, 40), 0.7), Face((100, 50, 200, 190), 0.8), Face((240, 10, 300, 70), 0.9)]
    lines = predict(image, tmp_path / "out")
    assert [line["box"] for line in lines] == [[100, 50, 200, 190], [240, 10, 300, 70], [0, 0, 30, 40]]
    assert [(line["face"], line["faces"], line["score"]) for line in lines] == [(1, 3, 0.8), (2, 3, 0.9), (3, 3, 0.7)]
    assert all(list(line["networks"]) == ["one", "two"] for line in lines)
    assert cv2.imread(str(tmp_path / "out" / lines[0]["annotated"])).shape == (200, 300, 3)
    assert lines[0]["networks"]["one"]["model_sha256"] == "5" * 64


def test_a_folder_is_gone_through_in_the_order_of_names_and_nothing_disappears(stubbed, tmp_path, capsys):
    for name in ("b/x.png", "a/x.png", "x.jpg", "b/y.bmp"):
        picture(tmp_path / "in" / name)
    picture(tmp_path / "in" / "dark.png", colour=(0, 0, 0))
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    lines = predict(tmp_path / "in", tmp_path / "out")
    assert [line["image"] for line in lines] == ["x.jpg", "a/x.png", "b/x.png", "b/y.bmp"]
    assert skipped(tmp_path / "out").keys() == {"dark.png", "notes.txt"}
    assert skipped(tmp_path / "out")["dark.png"] == "no face found"
    told = capsys.readouterr()
    assert "6 pictures: 4 faces in 4; 1 without a face, 1 skipped" in told.out
    assert told.err.count("terms: one, two: a test's") == 1
    places = {line["annotated"] for line in lines}
    assert len(places) == 4
    assert all((tmp_path / "out" / place).is_file() for place in places)


def test_two_pictures_never_share_an_annotated_one(stubbed, tmp_path):
    for name, colour in (("a.bmp", 50), ("a.bmp.png", 90), ("b/a.bmp", 130), ("_a.bmp.png", 170)):
        picture(tmp_path / "in" / name, colour=(colour, colour, colour))
    (tmp_path / "in" / "c.bmp").write_bytes((tmp_path / "in" / "a.bmp").read_bytes())
    picture(tmp_path / "in" / "c.bmp.png" / "inside.png")
    lines = predict(tmp_path / "in", tmp_path / "out")
    assert len({line["annotated"] for line in lines}) == len(lines) == 6
    for line in lines:
        shown = cv2.imread(str(tmp_path / "out" / line["annotated"]))
        assert abs(float(np.median(shown)) - line["networks"]["one"]["age"]["years"]) < 90


def test_whole_pictures_have_no_detector(stubbed, tmp_path):
    (line,) = predict(picture(tmp_path / "a.png"), tmp_path / "out", "--faces", "whole")
    assert (line["box"], line["score"], line["found_by"]) == ([0, 0, 80, 60], None, "whole")


def test_the_summary_as_json(stubbed, tmp_path, capsys):
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "dark.png", colour=(0, 0, 0))
    (tmp_path / "in" / "z").write_bytes(b"")
    predict(tmp_path / "in", tmp_path / "out", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["images"], told["faces"], told["no_face"]) == (3, 1, ["dark.png"])
    assert told["unreadable"] == [{"image": "z", "reason": "the file is empty"}]
    assert told["networks"] == {"one": "ok", "two": "ok"}
    assert all((tmp_path / "out" / name).is_file() for name in told["files"])


def test_a_network_that_fails_is_told_by_every_face_after_and_the_others_go_on(stubbed, tmp_path, capsys):
    stubbed.networks[1] = Stub("two", at=2, error="the worker crashed")
    for name in "abc":
        picture(tmp_path / "in" / f"{name}.png")
    lines = predict(tmp_path / "in", tmp_path / "out", code=1)
    assert [line["networks"]["two"]["status"] for line in lines] == ["ok", "failed", "failed"]
    assert lines[2]["networks"]["two"]["reason"] == "the worker crashed"
    assert all(line["networks"]["one"]["status"] == "ok" for line in lines)
    assert "error: two: the worker crashed" in capsys.readouterr().err


def test_what_was_stopped_goes_on_and_ends_like_what_was_not(stubbed, tmp_path, capsys):
    for number in range(7):
        picture(tmp_path / "in" / f"{number}.png", colour=(20 * number, 100, 100) if number != 3 else (0, 0, 0))
    whole = predict(tmp_path / "in", tmp_path / "whole")
    stubbed.networks = [Stub("one", at=5, error=KeyboardInterrupt()), Stub("two")]
    before = predict(tmp_path / "in", tmp_path / "out", code=130)
    assert before == whole[:4]
    assert (tmp_path / "out" / "contact-sheet.png").is_file()
    with (tmp_path / "out" / "faces.jsonl").open("a") as file:
        file.write('{"image": "4.p')  # as a killed process leaves it
    stubbed.networks = [Stub("one"), Stub("two")]
    assert predict(tmp_path / "in", tmp_path / "out", "--resume") == whole
    assert stubbed.networks[0].asked == 2
    assert skipped(tmp_path / "out") == skipped(tmp_path / "whole") == {"3.png": "no face found"}
    assert (tmp_path / "out" / "contact-sheet-2.png").is_file()


def test_predictions_are_never_mixed_with_others(stubbed, tmp_path, capsys):
    picture(tmp_path / "in" / "a.png")
    predict(tmp_path / "in", tmp_path / "out")
    lines = (tmp_path / "out" / "faces.jsonl").read_bytes()
    assert main(["predict", str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 2
    assert "holds predictions already" in capsys.readouterr().err
    other = ["--resume", "--faces", "whole"]
    assert main(["predict", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *other]) == 2
    assert "with another faces" in capsys.readouterr().err
    assert (tmp_path / "out" / "faces.jsonl").read_bytes() == lines


def test_pages_of_the_contact_sheet(stubbed, tmp_path):
    picture(tmp_path / "a.png", size=(90, 100))
    stubbed.boxes = [Face((0, 0, 20 + n, 30), 0.8) for n in range(45)]
    predict(tmp_path / "a.png", tmp_path / "out")
    sizes = [cv2.imread(str(tmp_path / "out" / f"contact-sheet{end}.png")).shape[0] for end in ("", "-2", "-3")]
    assert sizes[0] == sizes[1] > sizes[2]
    assert not (tmp_path / "out" / "contact-sheet-4.png").exists()


def test_nothing_readable_is_bad_input(stubbed, tmp_path, capsys):
    (tmp_path / "a.txt").write_text("no picture")
    predict(tmp_path / "a.txt", tmp_path / "out", code=2)
    assert "no picture could be read; the first: not an image" in capsys.readouterr().err


# Hostile folders


@pytest.fixture
def hostile(tmp_path):
    """Return a folder with what should not be in one, and what is a picture all the same."""
    root = tmp_path / "in"
    jpeg = picture(root / "good.jpg").read_bytes()
    png = picture(root / "good.png").read_bytes()
    (root / "empty.jpg").write_bytes(b"")
    (root / "half.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (root / "half.png").write_bytes(png[: len(png) // 2])
    (root / "lies.jpg").write_bytes(png)
    (root / "text.png").write_text("no picture")
    (root / "huge.png").write_bytes(png[:16] + b"\x7f\xff\xff\xff" * 2 + png[24:])
    (root / "film.mp4").write_bytes(b"\0" * 99)
    (root / "c\nd\x1b[31m").write_text("no picture")
    os.mkfifo(root / "pipe.jpg")
    (root / "loop").symlink_to(root)
    (root / "gone.png").symlink_to(tmp_path / "nowhere")
    names = ["a\nb.png", "x" * 250 + ".png", "中文.png", "-rf.png", os.fsdecode(b"\xff\xfe.png")]
    for name in names:
        (root / name).write_bytes(png)
    picture(root / "tiny.png", size=(1, 1))
    cv2.imwrite(str(root / "grey.png"), np.full((30, 20), 99, np.uint8))
    cv2.imwrite(str(root / "deep.png"), np.full((30, 20, 4), 30000, np.uint16))
    return root


PICTURES = {
    "good.jpg", "good.png", "tiny.png", "grey.png", "deep.png", "中文.png", "-rf.png", "a\nb.png", "\\xff\\xfe.png",
    "x" * 250 + ".png",
}  # fmt: skip


def test_whatever_lies_in_a_folder_is_a_face_or_a_listed_skip(stubbed, hostile, tmp_path, capfd):
    out = hostile / "predictions"
    lines = predict(hostile, out)
    assert {line["image"] for line in lines} == PICTURES
    left = skipped(out)
    assert left.keys() == {
        "empty.jpg", "half.jpg", "half.png", "lies.jpg", "text.png", "huge.png", "film.mp4", "pipe.jpg", "loop",
        "gone.png", "c\nd\x1b[31m",
    }  # fmt: skip
    assert left["lies.jpg"] == "is a PNG file, its name says JPEG"
    assert (left["loop"], left["pipe.jpg"]) == ("a link to a folder, which is not followed", "no regular file")
    assert all((out / line["annotated"]).is_file() for line in lines)
    assert "  c\\nd\\x1b[31m: not an image" in capfd.readouterr().out


def test_the_folder_of_the_predictions_is_no_part_of_the_pictures(stubbed, tmp_path):
    picture(tmp_path / "a.png")
    predict(tmp_path, tmp_path / "out")
    assert [line["image"] for line in predict(tmp_path, tmp_path / "out", "--resume")] == ["a.png"]


def test_a_photo_is_turned_as_it_says(stubbed, tmp_path):
    """Of a picture that is stored lying down: what is above is told, and drawn, above."""
    from PIL import Image

    upright = np.zeros((80, 60, 3), np.uint8)
    upright[:20] = (20, 60, 220)
    turned = Image.fromarray(np.rot90(upright)[:, :, ::-1].copy())
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter clockwise to see it upright
    turned.save(tmp_path / "a.jpg", quality=100, exif=exif)
    stubbed.boxes = [Face((5, 2, 55, 18), 0.9)]
    (line,) = predict(tmp_path / "a.jpg", tmp_path / "out")
    assert abs(line["networks"]["one"]["age"]["years"] - 20) < 3
    assert cv2.imread(str(tmp_path / "out" / line["annotated"])).shape == (80, 60, 3)


# Videos and cameras


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 5, (64, 48))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for number in range(7):
        writer.write(np.full((48, 64, 3), (30 * number, 128, 128), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(("more", "count"), [([], 7), (["--frames", "3"], 3)])
def test_a_video_has_frames(stubbed, film, tmp_path, more, count):
    lines = predict(film, tmp_path / "out", *more)
    assert [line["image"] for line in lines] == [f"frame-{number:06}" for number in range(1, count + 1)]
    years = [line["networks"]["one"]["age"]["years"] for line in lines]
    assert_allclose(years, 30 * np.arange(count), atol=6)
    assert (tmp_path / "out" / "annotated" / "frame-000001.png").is_file()


class Camera:
    """Shows the same picture for as long as anybody looks, or is stopped after some frames."""

    def __init__(self, given):
        self.there, self.count = given == 1, 0

    def isOpened(self):
        return self.there

    def read(self):
        self.count += 1
        if self.count == 4:
            raise KeyboardInterrupt
        return True, np.full((48, 64, 3), 99, np.uint8)

    def get(self, _):
        return -1

    def release(self):
        self.there = False


@pytest.mark.parametrize(("words", "count"), [(["camera:1"], 3), (["1", "--frames", "2"], 2)])
def test_a_camera_shows_frames_until_it_is_stopped(stubbed, tmp_path, monkeypatch, words, count):
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    assert len(predict(words[0], tmp_path / "out", *words[1:])) == count


@pytest.mark.parametrize("name", ["camera:0", "7"])
def test_no_camera_is_one_line_and_not_usable(stubbed, tmp_path, capfd, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    if name == "7":
        monkeypatch.setattr(cv2, "VideoCapture", Camera)
    elif cv2.VideoCapture(0).isOpened():
        pytest.skip("there is a camera")
    capfd.readouterr()
    assert main(["predict", name, "--out", "out"]) == 3
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: camera:")
    assert "no such camera" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.jpg"], "no such file or folder"),
        (["x" * 300], "no such file or folder"),
        (["."], "holds no files"),
        (["film.mp4"], "no video that OpenCV can read"),
        (["a.png", "--frames", "3"], "only a video and a camera have frames"),
        (["a.png", "--frames", "0"], "whole number from 1"),
        (["a.png", "--faces", "all"], "give whole, detect"),
        (["a.png", "--limit-ms", "-1"], "above 0"),
        (["a.png", "--run", "."], "is for --limit-ms"),
    ],
)
def test_wrong_words_are_one_line(stubbed, tmp_path, monkeypatch, capfd, words, said):
    if words != ["."]:
        picture(tmp_path / "a.png")
        (tmp_path / "film.mp4").write_bytes(b"\0" * 99)
    monkeypatch.chdir(tmp_path)
    assert main(["predict", *words, "--out", str(tmp_path / "out")]) == 2
    assert said in capfd.readouterr().err.splitlines()[-1]


# Which networks


def test_the_default_networks_are_free_for_any_use():
    chosen, left = choosing.named(None)
    assert tuple(chosen) == choosing.DEFAULT
    assert not left
    assert all(card.licence == "CC0 1.0" for card in chosen.values())


def test_what_tells_nothing_of_a_face_is_left_out_with_why():
    chosen, left = choosing.named("all")
    assert left["yunet-face"] == "it is for face detection"
    assert left["age-resnet50"] == "its weights are random (seeded)"
    assert set(chosen) & set(left) == set()
    with pytest.raises(BadInput, match="none of them tells age or gender"):
        choosing.named("yunet-face")


def pick(limit, times, names="lean-conv13,lean-conv10,dlib-*,c3ae-plain"):
    asked = []

    def time(name):
        asked.append(name)
        ms = times.get(name)
        return Timed(ms, None if ms is None else ms * 1.2, f"p50 {ms} ms")

    return tuple(choosing.by_cards(choosing.named(names)[0], limit, time)), asked


def test_the_most_accurate_within_the_limit_is_taken_and_no_more_timed_than_it_needs(capsys):
    """The order of accuracy is that of the cards: lean-conv13, lean-conv10, c3ae-plain, dlib-age."""
    times = {"lean-conv13": 9.0, "lean-conv10": 5.0, "c3ae-plain": 0.2, "dlib-age": 0.1, "dlib-gender": 3.0}
    assert pick(11, times) == (("lean-conv13", "dlib-gender"), ["lean-conv13", "dlib-gender"])
    assert pick(6, times)[0] == ("lean-conv10", "dlib-gender")
    assert pick(5.9, times)[0] == ("c3ae-plain", "dlib-gender")  # its median is within that, its interval is not
    capsys.readouterr()
    chosen, asked = pick(1, times)
    assert chosen == ("c3ae-plain",)
    assert "dlib-age" not in asked
    told = capsys.readouterr().err
    assert "--limit-ms, age: c3ae-plain, p50 0.2 ms; mae 5.602 on UTKFace:test, n 4475; trained on UTKFace" in told
    assert "--limit-ms, gender: no network meets 1 ms" in told


def test_no_network_within_the_limit_names_the_fastest():
    times = {"lean-conv13": 9.0, "lean-conv10": 5.0, "c3ae-plain": 0.2, "dlib-age": 0.1, "dlib-gender": 3.0}
    with pytest.raises(BadInput, match=r"no network meets it on this machine; the fastest is dlib-age: p50 0\.1 ms"):
        pick(0.05, times)


def test_a_network_that_cannot_be_had_is_passed_over(capsys):
    assert pick(10, {"lean-conv10": 5.0, "dlib-gender": 1.0})[0] == ("lean-conv10", "dlib-gender")


def test_age_groups_are_asked_for_where_no_card_has_ages():
    assert pick(20, {"levi-hassner-age": 9.0}, "levi-hassner-age,ror-age")[0] == ("levi-hassner-age",)


def test_every_measured_number_that_networks_are_ranked_by_is_of_the_same_images():
    for task in choosing.METRICS:
        assert len({one.split_sha256 for _, one in choosing._ranked(all_cards(), task)}) == 1


# The sources


def test_a_folder_is_read_picture_by_picture(tmp_path, monkeypatch):
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    read = []
    monkeypatch.setattr(sources, "read_image", lambda path: read.append(path.name) or read_image(path))
    shots = sources.opened(str(tmp_path), None, tmp_path / "out").shots({"a.png"})
    assert read == []
    assert_array_equal(next(shots).image, read_image(tmp_path / "b.png"))
    assert read == ["b.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_of_any_bytes_come_back_when_a_run_goes_on(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.txt")).write_text("no picture")
    (shot,) = sources.opened(str(tmp_path), None, tmp_path / "out").shots(set())
    assert shot.name == "\\xff.txt"
    assert not list(sources.opened(str(tmp_path), None, tmp_path / "out").shots({shot.name}))


# By a run


def run_of(tmp_path, **latencies):
    """Make a run of two networks for age, one for gender, on 30 faces each; ``latencies`` in ms by network."""
    errors = {
        "lean_conv13": ("age", "mae", 4.5),
        "c3ae_plain": ("age", "mae", 5.6),
        "dlib_gender": ("gender", "accuracy", 0.9),
    }
    results = []
    for number, (name, ms) in enumerate(latencies.items()):
        task, metric, value = errors[name]
        case = CASE.model_copy(update={"network": name.replace("_", "-"), "threads": 1})
        head = find_card(case.network).heads[0].output
        score = {"task": task, "metric": metric, "value": value, "ci95": (value * 0.99, value * 1.01), "n": 30}
        where = {"kind": "accuracy", "batch": 8, "dataset": "utkface", "split": "test"}
        results += [
            timed(ms, number, case),
            Result(
                case=case.model_copy(update=where), status="ok",
                scores=(Score.model_validate({**score, "head": head, "derived": False}),),
                fingerprint=Fingerprint(split_sha256="7" * 64, n=30, label_rule="as they are"),
            ),
        ]  # fmt: skip
    return folder(tmp_path / "run", record(), results)


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(by_run, "host", lambda: {"fingerprint": "a" * 16})
    return Place("onnxruntime", "onnxruntime", "cpu", None, 1)


@pytest.mark.parametrize(("limit", "chosen"), [(9, ("lean-conv13", "dlib-gender")), (1, ("c3ae-plain",))])
def test_a_run_says_which_networks_meet_the_limit(here, tmp_path, capsys, limit, chosen):
    run = run_of(tmp_path, lean_conv13=5.0, c3ae_plain=0.2, dlib_gender=3.0)
    assert tuple(by_run.by_run(choosing.named("all")[0], limit, here, run)) == chosen
    told = capsys.readouterr().err
    assert f"--limit-ms, age: {chosen[0]}, p50 " in told
    assert "of 45 runs in" in told
    assert "on utkface:test, n 30" in told


def test_a_run_in_which_none_meets_the_limit_names_the_fastest(here, tmp_path):
    run = run_of(tmp_path, lean_conv13=5.0, c3ae_plain=0.2, dlib_gender=3.0)
    with pytest.raises(BadInput, match=r"the fastest there is c3ae-plain: p50 0\.20 ms of 45 runs"):
        by_run.by_run(choosing.named("all")[0], 0.1, here, run)
    with pytest.raises(BadInput, match="none was timed there with one face a run on this backend"):
        by_run.by_run(choosing.named("all")[0], 9, Place("opencv", "opencv", "cpu", None, 1), run)


def test_a_run_of_another_machine_is_refused(here, tmp_path, monkeypatch):
    monkeypatch.setattr(by_run, "host", lambda: {"fingerprint": "b" * 16})
    with pytest.raises(BadInput, match="was made on another machine"):
        by_run.by_run(choosing.named("all")[0], 9, here, run_of(tmp_path, c3ae_plain=0.2))
