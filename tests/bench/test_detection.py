"""Faces found in photographs: where they are, how they are fed, and that a photo without one is counted."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from bench_cases import FAULTY, latency_case
from numpy.testing import assert_allclose, assert_array_equal
from scenario_cases import STEPWISE, given

from bench import accuracy, datasets, detection, stages
from bench import run as running
from bench.cli import main
from bench.comparison import refuse_another_split
from bench.detection import Detector, Face, Faces, clipped
from bench.inference import Feeder
from bench.predictions import Predictions
from bench.preprocess import NoFace, read_image
from bench.process import open_worker
from bench.records import Case, Fingerprint, Result
from bench.results import read_results, read_run
from bench.scenarios import offline
from bench.team import Team
from bench.types import Sample, Split
from converters.errors import BadInput
from zoo.fields import InputSpec

GREY = 120


def stub(find):
    """Return faces that are found by ``find``, and a list that fills with the images it was asked about."""
    asked = []

    def spy(image):
        asked.append(image)
        return find(image)

    return Faces(Detector("stub", "5" * 64, 0.5, spy)), asked


def overlap(box, other):
    """Return the intersection of two boxes over their union."""
    width = min(box[2], other[2]) - max(box[0], other[0])
    height = min(box[3], other[3]) - max(box[1], other[1])
    both = max(0, width) * max(0, height)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (box, other)]
    return both / (sum(areas) - both)


# The real detectors


@pytest.fixture(scope="module", params=list(detection.DETECTORS))
def detector(request):
    try:
        faces = detection.opened(f"detect:{request.param}", None)
    except BadInput as error:
        pytest.skip(f"{request.param} cannot be had here: {error}")
    return faces.detector


@pytest.fixture(scope="module")
def portraits():
    """Return four bundled faces, cropped to 200x200 so that each fills its picture."""
    women = [s for s in datasets.load("sample").samples if s.age is not None and s.age > 20]
    return [read_image(sample.path) for sample in women[:4]]


def photo(height, width, *pasted):
    """Return a grey photo with pictures pasted in, each (picture, left, top)."""
    found = np.full((height, width, 3), GREY, np.uint8)
    for picture, left, top in pasted:
        found[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return found


@pytest.mark.parametrize(("left", "top"), [(60, 40), (300, 130)])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_pasted_face_is_found_where_it_is(detector, portraits, number, left, top):
    found = detector.find(photo(400, 620, (portraits[number], left, top)))
    best = max(found, key=lambda face: face.area)
    assert overlap(best.box, (left, top, left + 200, top + 200)) > 0.5
    assert detector.confidence <= best.confidence <= 1


def test_a_photo_larger_than_the_detector_looks_at_gives_boxes_in_its_own_pixels(detector, portraits):
    large = cv2.resize(photo(400, 620, (portraits[1], 300, 130)), (1860, 1200), interpolation=cv2.INTER_CUBIC)
    best = max(detector.find(large), key=lambda face: face.area)
    assert overlap(best.box, (900, 390, 1500, 990)) > 0.5


def test_of_two_faces_both_are_found_and_the_larger_counts(detector, portraits):
    small = cv2.resize(portraits[1], (120, 120), interpolation=cv2.INTER_AREA)
    seen = photo(400, 620, (small, 40, 50), (portraits[0], 330, 120))
    places = [(40, 50, 160, 170), (330, 120, 530, 320)]
    found = detector.find(seen)
    assert all(max(overlap(face.box, place) for face in found) > 0.5 for place in places)
    faces = Faces(detector)
    assert overlap(faces.box(Path("two.png"), seen), places[1]) > 0.5
    assert faces.several([Sample("two", Path("two.png"), None, None)]) == ["two"]


@pytest.mark.parametrize(
    "picture",
    [
        photo(300, 410),
        np.random.default_rng(5).integers(0, 256, (240, 330, 3), dtype=np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.full((2, 900, 3), 255, np.uint8),
        np.full((3000, 3, 3), 255, np.uint8),
    ],
    ids=["grey", "noise", "one pixel", "a line", "a tower"],
)
def test_what_shows_no_face_has_none(detector, picture):
    assert detector.find(picture) == []
    with pytest.raises(NoFace, match="no face found"):
        Faces(detector).box(Path("none.png"), picture)


def test_boxes_lie_in_the_photo(detector, portraits):
    for left, top in ((0, 0), (420, 200)):
        seen = photo(400, 620, (portraits[2], left, top))
        for face in detector.find(seen[top // 4 :, left // 4 :]):
            assert 0 <= face.box[0] < face.box[2] <= 620 - left // 4
            assert 0 <= face.box[1] < face.box[3] <= 400 - top // 4


def test_a_used_detector_says_what_a_fresh_one_says(detector, portraits):
    """OpenCV 5's classic engine gives wrong numbers when a used net gets a larger input."""
    sizes = [(300, 260), (400, 620), (230, 240), (640, 500)]
    seen = [photo(h, w, (p, 12, 17)) for (h, w), p in zip(sizes, portraits, strict=True)]
    used = [detector.find(image) for image in seen]
    fresh = [detection.opened(f"detect:{detector.network}", None).detector.find(image) for image in seen]
    assert used == fresh
    assert all(used)


def test_the_detector_is_told_with_its_file(detector):
    said = Faces(detector).about
    assert said.startswith(f"{detector.network} {detector.sha256[:16]}, confidence {detector.confidence:g}, OpenCV ")


# What is made of the faces that are found


@pytest.mark.parametrize(
    ("text", "faces"),
    [
        ("whole", "whole"),
        ("detect", "detect:yunet-face"),
        ("detect:yunet-face", "detect:yunet-face"),
        ("detect:res10-ssd-face", "detect:res10-ssd-face"),
    ],
)
def test_the_words_of_faces(text, faces):
    assert detection.parse(text) == faces


@pytest.mark.parametrize("text", ["", "detect:", "detect:mtcnn", "whole:yunet-face", "yunet-face", "Detect"])
def test_other_words_are_refused(text):
    with pytest.raises(BadInput, match="give whole, detect or one of detect:yunet-face, detect:res10-ssd-face"):
        detection.parse(text)


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((2.4, 3.6, 9.5, 8.2), (2, 4, 10, 8)),
        ((-7.0, -3.0, 40.0, 30.0), (0, 0, 17, 13)),
        ((17.0, 2.0, 25.0, 9.0), None),
        ((-9.0, 2.0, 0.4, 9.0), None),
        ((5.0, 5.0, 5.3, 9.0), None),
        ((9.0, 2.0, 4.0, 9.0), None),
        ((np.nan, 2.0, 4.0, 9.0), None),
        ((1.0, 2.0, np.inf, 9.0), None),
    ],
)
def test_boxes_are_clipped_to_the_photo(box, inside):
    assert clipped(box, np.zeros((13, 17, 3), np.uint8)) == inside


def test_of_faces_of_one_size_the_surer_one_counts():
    faces, _ = stub(lambda image: [Face((0, 0, 4, 3), 0.6), Face((5, 5, 8, 9), 0.9), Face((1, 1, 3, 3), 0.99)])
    assert faces.box(Path("a"), np.zeros((13, 17, 3), np.uint8)) == (5, 5, 8, 9)


def test_each_photo_is_looked_at_once():
    faces, asked = stub(lambda image: [Face((0, 0, 4, 3), 0.6)] if image[0, 0, 0] else [])
    for _ in range(3):
        assert faces.box(Path("a"), np.ones((5, 7, 3), np.uint8)) == (0, 0, 4, 3)
        with pytest.raises(NoFace):
            faces.box(Path("b"), np.zeros((5, 7, 3), np.uint8))
    assert len(asked) == 2


@pytest.mark.parametrize("share", [1.4, 0.6])
def test_a_margin_is_taken_from_the_photo(share):
    seen = np.random.default_rng(2).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    left, top, right, bottom = 30, 20, 60, 40
    across, down = round(30 * (share - 1) / 2), round(20 * (share - 1) / 2)
    cut = seen[top - down : bottom + down, left - across : right + across]
    spec = InputSpec(name="data", size=(11, 7), resize=(11, 7), channels="BGR", share=share)
    (tensor,) = Feeder(spec, ("prob",)).tensors(seen, (left, top, right, bottom)).values()
    assert_allclose(tensor[0], cv2.resize(cut, (11, 7)).astype(np.float32).transpose(2, 0, 1))


LEFT_HALF = (0, 0, 8, 9)


@pytest.fixture
def photos(tmp_path):
    """Return 13 photos whose faces are 8 wide: blue ones are men, green ones women; beside them is the other colour.

    The first pixel says how many faces are to be found: 0, 1, or 2.
    """
    samples = []
    for number in range(13):
        gender = "male" if number % 3 == 0 else "female"
        image = np.zeros((9, 30, 3), np.uint8)
        image[:, :8, 0 if gender == "male" else 1] = 100
        image[:, 8:, 1 if gender == "male" else 0] = 200
        image[0, 0] = [0, 0, {2: 0, 5: 0, 7: 2}.get(number, 1)]
        path = tmp_path / f"{number:02}.png"
        cv2.imwrite(str(path), image)
        samples.append(Sample(path.name, path, None, gender))
    return Split("own", "all", "colour", tuple(samples))


def by_first_pixel(image):
    """Find as many faces as the first pixel says: the left half, and a small one beside it."""
    return [Face(LEFT_HALF, 0.7), Face((20, 2, 25, 6), 0.99)][: image[0, 0, 2]]


def scored(network, split, batch=3):
    case = latency_case(kind="accuracy", dataset="own", split="all", batch=batch)
    start = partial(open_worker, case.backend, case.device, case.threads, 30)
    with Team(lambda _: start(), lambda case: network.given(case, source=False)) as team:
        return accuracy.measure(case, network, split, team, lambda _: None)


def test_photos_without_a_face_are_counted_and_listed_and_not_scored(network, photos, tmp_path):
    faces, asked = stub(by_first_pixel)
    split = replace(photos, samples=(*photos.samples, Sample("gone.png", tmp_path / "gone.png", None, "male")))
    result = scored(replace(network, faces=faces), split)
    (score,) = result.scores
    assert (score.n, score.value) == (11, 1.0)
    assert score.left_out == {"unreadable": 1, "no face found": 2}
    assert result.warnings == (
        "skipped 1 of 14 images: gone.png: No such file or directory",
        "skipped 2 of 14 images, no face found: 02.png; 05.png",
        "several faces in 1 of 14 images, the largest counts: 07.png",
    )
    assert result.runtime["faces"] == faces.about
    assert len(asked) == 13
    whole = scored(network, split)
    assert (whole.scores[0].n, whole.scores[0].value) == (13, 0.0)
    assert whole.fingerprint.faces == "whole"
    assert result.fingerprint == whole.fingerprint.model_copy(update={"faces": "detect:stub"})


def test_no_face_at_all_is_a_failed_row(network, photos):
    faces, _ = stub(lambda image: [])
    result = scored(replace(network, faces=faces), photos)
    assert (result.status, result.scores) == ("failed", ())
    assert result.reason == "no face was found; the first: 00.png: no face found"


def test_many_undetected_photos_are_all_counted_and_the_first_listed(network, photos):
    faces, _ = stub(lambda image: by_first_pixel(image))
    more = tuple(replace(photos.samples[2], name=f"more-{number}.png") for number in range(25))
    warning = scored(replace(network, faces=faces), replace(photos, samples=photos.samples + more)).warnings[0]
    assert warning.startswith("skipped 27 of 38 images, no face found: 02.png; 05.png; more-0.png; ")
    assert warning.endswith("more-17.png; and 7 more")


def test_a_pass_over_photos_finds_their_faces_before_the_time_is_taken(network, photos):
    faces, asked = stub(by_first_pixel)
    seen = replace(network, faces=faces)
    one = latency_case(STEPWISE, scenario="offline", batch=5, dataset="own", split="all")
    asked_before_passes = []

    def tell(words):
        if "alone" in words or "pass" in words:
            asked_before_passes.append(len(asked))

    with given([one], seen, [photos]) as what:
        (result,) = offline.measure(replace(what, tell=tell))
    assert result.status == "ok", result.reason
    assert next(point for point in result.points if point.part == "overlapped").images == 11
    assert result.warnings[-2:] == (
        "skipped 2 of 13 images, no face found: 02.png; 05.png",
        "several faces in 1 of 13 images, the largest counts: 07.png",
    )
    assert asked_before_passes[0] == len(asked) == 13
    assert (result.fingerprint.faces, result.runtime["faces"]) == ("detect:stub", faces.about)
    (prepared,) = offline._prepared(seen, photos.samples[0]).tensors.values()
    assert prepared[1].max() == 0  # the green beside a blue face is not in it


def test_stages_prepare_the_face_and_pass_over_photos_without_one(network, photos):
    faces, _ = stub(by_first_pixel)
    paths = [sample.path for sample in photos.samples]
    times, tensors = stages.before_inference(replace(network, faces=faces), paths)
    assert len(tensors) == len(times["prepare"]) == len(times["decode"]) <= 11
    for (tensor,), sample in zip((t.values() for t in tensors[:2]), photos.samples, strict=False):
        assert tensor[1 if sample.gender == "male" else 0].max() == 0


def test_cases_whose_faces_were_found_otherwise_are_no_pair(photos):
    case = Case.model_validate({**latency_case(FAULTY).model_dump(), "kind": "accuracy", "dataset": "own"})
    prints = [
        Fingerprint(split_sha256="0" * 64, n=13, label_rule="colour", faces=faces) for faces in ("whole", "detect:a")
    ]
    results = [Result(case=case, status="failed", reason="none", fingerprint=one) for one in prints]
    first, second = (Predictions(result, photos.samples, (), ()) for result in results)
    with pytest.raises(BadInput, match="one was measured with --faces whole, the other with detect:a"):
        refuse_another_split(first, second)


# A run


def run(tiny_zoo, out, *more):
    words = ["run", "--zoo", "*", "--backend", "onnxruntime", "--threads", "1", "--only", "accuracy"]
    return main([*words, "--data", f"csv={tiny_zoo.faces}", "--out", str(out), *more])


@pytest.fixture
def stub_detector(monkeypatch):
    """Let ``--faces detect`` load the file of the network ``tiny``, and find a face by an image's first pixel."""
    pytest.importorskip("onnxruntime")
    asked = []

    def load(model):
        assert model.name == "tiny.onnx"

        def find(image):
            asked.append(image)
            return [Face((3, 1, 12, 8), 0.8)] if image[0, 0, 0] % 3 else []

        return find

    monkeypatch.setattr(detection, "DETECTORS", {"tiny": (0.5, load)})
    return asked


def test_a_run_finds_each_face_once_for_all_networks_and_says_so(tiny_zoo, stub_detector, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(tiny_zoo, out, "--faces", "detect") == 0
    images = {p.name: read_image(p) for p in tiny_zoo.faces.parent.glob("*.png")}
    without = sorted(name for name, image in images.items() if image[0, 0, 0] % 3 == 0)
    assert 0 < len(without) < 11
    assert len(stub_detector) == 11
    record, results = read_run(out), read_results(out)
    assert len(results) == 4
    assert record.config.faces == "detect:tiny"
    sha = record.models["tiny"]["onnx"][:16]
    assert f"faces are found by tiny {sha}, confidence 0.5, OpenCV {cv2.__version__}" in record.notes
    for result in results:
        (score,) = result.scores
        assert score.n == 11 - len(without)
        assert score.left_out == {"no face found": len(without)}
        (warning,) = result.warnings
        said = warning.partition("no face found: ")[2].split("; ")
        assert sorted(said) == without
        assert warning.startswith(f"skipped {len(without)} of 11 images, no face found: ")
    report = (out / "report.md").read_text()
    assert "### Gender, csv:all, faces detect:tiny" in report
    assert "| detect:tiny" in report
    capsys.readouterr()
    assert run(tiny_zoo, out, "--faces", "whole", "--resume") == 2
    assert "config.faces = detect:tiny, this one whole" in capsys.readouterr().err
    before = (out / "results.jsonl").read_bytes()
    assert run(tiny_zoo, out, "--faces", "detect:tiny", "--resume") == 0
    assert (out / "results.jsonl").read_bytes() == before


def test_a_run_of_whole_images_says_nothing_of_faces(tiny_zoo, stub_detector, tmp_path):
    out = tmp_path / "out"
    assert run(tiny_zoo, out) == 0
    assert stub_detector == []
    assert read_run(out).config.faces == "whole"
    assert '"faces"' not in (out / "results.jsonl").read_text()
    assert "faces" not in json.loads((out / "results.jsonl").read_text().splitlines()[0])["fingerprint"]
    assert "--faces" not in (out / "report.md").read_text()


def test_a_detector_that_is_out_of_reach_ends_the_run_in_one_line(tiny_zoo, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(detection, "DETECTORS", {"tiny": (0.5, lambda model: None)})
    (tiny_zoo.mirror / "tiny.caffemodel").unlink()
    assert run(tiny_zoo, tmp_path / "out", "--faces", "detect") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "tiny.caffemodel" in line


def test_prepared_tensors_are_those_of_the_box_alone(network):
    seen = np.random.default_rng(7).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    (whole,) = Feeder(network.spec, ()).tensors(seen).values()
    (boxed,) = Feeder(network.spec, ()).tensors(seen, (10, 5, 43, 26)).values()
    assert_array_equal(boxed, next(iter(Feeder(network.spec, ()).tensors(seen[5:26, 10:43]).values())))
    assert np.abs(whole - boxed).max() > 1


def test_a_network_whose_faces_are_found_takes_its_margin_from_the_photo(network):
    faces, _ = stub(by_first_pixel)
    repeated = replace(network, spec=network.spec.model_copy(update={"border": "repeat"}))
    seen = running.seen_by(faces, repeated)
    assert (seen.spec.face, seen.spec.border, seen.faces) == ("box", "photo", faces)
    assert running.seen_by(None, repeated) == repeated
    missing = running.Missing("skipped", "out of reach")
    assert running.seen_by(faces, missing) == missing
