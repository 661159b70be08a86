"""Labels on pictures: inside, beside their faces, on nobody else's, readable on any ground."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from bench import datasets
from bench.predict import annotated
from bench.predict.annotated import annotate
from bench.predict.contact_sheet import ContactSheet, thumbnail
from bench.predict.lettering import fitted, font, width
from bench.predict.said import FaceLine, Said
from bench.preprocess import read_image


def line(box, face=1, faces=1, networks=("dlib-age",), reason=None):
    where = {"model_sha256": "5" * 64, "backend": "stub", "device": "cpu", "version": "1", "preprocessing": {}}
    answer = {"head": "age", "decode": "scalar", "derived": False, "years": 31.4}
    gender = {"head": "g", "decode": "argmax", "derived": False, "label": "female", "probability": 0.93}
    told = (
        {"status": "ok", "age": answer, "gender": gender} if reason is None else {"status": "failed", "reason": reason}
    )
    one = Said.model_validate({**told, **where})
    return FaceLine(
        image="a/b.jpg", face=face, faces=faces, box=box, score=0.9, found_by="stub", annotated="x",
        networks=dict.fromkeys(networks, one),
    )  # fmt: skip


def random_lines(seed, size, count, networks):
    generator = np.random.default_rng(seed)
    width, height = size
    found = []
    for number in range(count):
        side = int(generator.integers(8, max(9, min(size) // 3)))
        left, top = int(generator.integers(0, width - side)), int(generator.integers(0, height - side))
        found.append(line((left, top, left + side, top + side), number + 1, count, networks))
    return found


@pytest.mark.parametrize("size", [(640, 480), (200, 900), (61, 47), (3000, 2000)])
@pytest.mark.parametrize(
    ("count", "networks"), [(1, ("dlib-age", "dlib-gender")), (5, ("one",)), (23, tuple("abcdefg"))]
)
def test_labels_stay_inside_and_off_other_faces(size, count, networks):
    lines = random_lines(count, size, count, networks)
    labels, letters = annotated._placed(lines, 20, size)
    assert len(labels) == count
    last = [annotated._last_resort(one, letters, size) for one in lines]
    for number, label in enumerate(labels):
        left, top, right, bottom = label.box
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        if label == last[number]:
            continue
        others = [one.box for one in lines if one is not lines[number]]
        others += [one.box for one, other in zip(labels[:number], last, strict=False) if one != other]
        assert not any(annotated._overlap(label.box, box) for box in others)
        assert max(width(text, letters) for text in label.lines) < right - left


def test_the_longest_label_that_fits_is_taken():
    lines = [line((300, 200, 400, 320), networks=("dlib-age", "dlib-gender"))]
    (label,), _ = annotated._placed(lines, 14, (800, 600))
    assert label.lines == ("dlib-age: 31 years, female 93 %", "dlib-gender: 31 years, female 93 %")
    (label,), _ = annotated._placed(lines, 14, (400, 320))
    assert label.lines[0].startswith("dlib-age: ")
    (label,), _ = annotated._placed([line((10, 10, 110, 110), 3, 4)], 14, (120, 160))
    assert label.lines == ("3  31 years", "female 93 %")
    (label,), _ = annotated._placed([line((0, 0, 12, 12), 3, 4)], 14, (12, 12))
    assert label.lines == ("3",)


@pytest.mark.parametrize("ground", [0, 128, 255])
def test_the_text_is_white_on_black_whatever_the_ground(ground):
    image = np.full((300, 400, 3), ground, np.uint8)
    lines = [line((150, 120, 250, 240))]
    shown = annotate(image, lines)
    (label,), _ = annotated._placed(lines, 11, (400, 300))
    left, top, right, bottom = label.box
    inside = shown[top:bottom, left + 3 : right]
    assert inside.min() == 0
    assert inside.max() == 255
    assert (inside.max(axis=2) < 60).mean() > 0.4
    frame = shown[120:240, 148:156].astype(int)
    assert np.ptp(frame, axis=1).max() > 100  # colour, white and black beside each other


def test_a_picture_keeps_its_size_and_what_is_no_label():
    image = np.random.default_rng(3).integers(0, 256, (301, 457, 3), dtype=np.uint8)
    before = image.copy()
    shown = annotate(image, [line((200, 120, 260, 190))])
    assert_array_equal(image, before)
    assert shown.shape == image.shape
    assert_array_equal(shown[250:], image[250:])
    assert_array_equal(shown[:, :60], image[:, :60])
    assert (shown != image).any()


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (13, 5)])
def test_pictures_of_a_few_pixels(size):
    image = np.full((*size, 3), 77, np.uint8)
    assert annotate(image, [line((0, 0, size[1], size[0]))]).shape == image.shape
    assert thumbnail(image, (0, 0, size[1], size[0])).size[0] >= 1


@pytest.mark.parametrize(
    "text", ["", "short", "a-name-that-is-far-too-long-for-its-column.jpg", "a\nb\x1b[31m", "\udcff"]
)
def test_text_is_one_line_that_fits(text):
    shown = fitted(text, font(13), 120)
    assert width(shown, font(13)) <= 120
    assert shown.isprintable()


def test_a_contact_sheet_shows_the_faces_themselves(tmp_path):
    """A face is found again on the sheet, by its looks, in the row that it is in."""
    faces = [read_image(sample.path) for sample in datasets.load("sample").samples[:60:20]]
    sheet = ContactSheet(tmp_path, ["dlib-age", "failing"])
    for number, face in enumerate(faces):
        one = line((0, 0, 200, 200), networks=("dlib-age",))
        failing = line((0, 0, 200, 200), networks=("failing",), reason=f"reason {number}")
        sheet.add(face, [one.model_copy(update={"networks": {**one.networks, **failing.networks}})])
    assert not list(tmp_path.iterdir())
    sheet.finish()
    (path,) = tmp_path.iterdir()
    shown = cv2.imread(str(path))
    tops = []
    for face in faces:
        small = cv2.resize(face, (112, 112), interpolation=cv2.INTER_AREA)
        match = cv2.matchTemplate(shown, small, cv2.TM_CCOEFF_NORMED)
        _, best, _, (left, top) = cv2.minMaxLoc(match)
        assert best > 0.95
        assert left < 20
        tops.append(top)
    assert tops == sorted(tops)
    assert len({round(b - a) for a, b in pairwise(tops)}) == 1
