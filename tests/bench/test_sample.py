"""The built-in sample is what its notice says; with $BENCH_DATA set, its maker makes it again."""

import csv
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench import datasets
from bench.sample import make
from bench.types import Sample
from converters.errors import BadInput

FOLDER = Path(make.__file__).parent
GROUPS = ((0, 2), (4, 6), (8, 13), (15, 20), (25, 32), (38, 43), (48, 53), (60, 120))


def rows() -> list[dict[str, str]]:
    with (FOLDER / "labels.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_eight_portraits_per_group_and_sex() -> None:
    split = datasets.load("sample")
    cells = Counter(
        (low, sample.gender)
        for sample in split.samples
        for low, high in GROUPS
        if sample.age is not None and low <= sample.age <= high
    )
    assert cells == {(low, gender): 8 for low, _ in GROUPS for gender in ("male", "female")}
    assert len(split.samples) == 128
    assert split.dataset == "sample"


def test_every_portrait_is_labelled_and_small() -> None:
    images = sorted((FOLDER / "images").iterdir())
    assert images == sorted(FOLDER / row["path"] for row in rows())
    for image in images:
        assert cv2.imread(str(image)).shape == (200, 200, 3)
    assert sum(image.stat().st_size for image in images) < 1_500_000


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["path"])
def test_every_portrait_is_of_many_faces_of_one_age(row: dict[str, str]) -> None:
    assert int(row["sources"]) >= 16
    low, high = int(row["age_min"]), int(row["age_max"])
    assert low <= int(row["age"]) <= high
    assert high - low <= (5 if low > 70 else 2)
    assert any(first <= low and high <= last for first, last in GROUPS)
    assert row["gender"] in ("male", "female")


def test_the_notice_says_what_they_are() -> None:
    notice = (FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    for word in ("UTKFace", "research only", "shows nobody", "pipeline works", "bench.sample.make"):
        assert word in notice


def noise(number: int) -> np.ndarray:
    """Make a grey face of its own: no two are alike."""
    small = np.random.default_rng(number).integers(0, 256, (25, 25), dtype=np.uint8)
    return np.repeat(np.repeat(small, 8, axis=0), 8, axis=1)[..., None].repeat(3, axis=2)


def faces(folder: Path, count: int) -> list[Sample]:
    """Make boys aged one and two, as many as asked for, as lossless files."""
    made = []
    for number in range(count):
        file = folder / f"{1 + number % 2}_0_0_{number:03}.png"
        cv2.imwrite(str(file), noise(number))
        made.append(Sample(file.name, file, 1 + number % 2, "male"))
    return made


def test_a_portrait_is_the_rounded_mean_of_different_faces_and_no_face_is_in_two(tmp_path: Path) -> None:
    made = iter(make.portraits(faces(tmp_path, 40)))
    first, second = next(made), next(made)
    assert len({face.name for face in first.faces + second.faces}) == 32
    mean = sum(noise(int(face.name[6:9])).astype(np.float64) for face in first.faces) / 16
    np.testing.assert_allclose(first.image, mean, atol=0.5)
    assert first.row()["sources"] == 16
    with pytest.raises(BadInput, match=r"8 x 16 different readable male faces aged 0 to 2 .* portrait 3 found 8"):
        next(made)


def test_the_draw_does_not_hang_on_the_order_of_the_samples(tmp_path: Path) -> None:
    samples = faces(tmp_path, 20)
    assert next(make.portraits(samples)).faces == next(make.portraits(samples[::-1])).faces


def test_copies_and_broken_files_are_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = faces(tmp_path, 20)
    cv2.imwrite(str(samples[1].path), np.clip(noise(0) * 0.9 + 5, 0, 255).astype(np.uint8))  # the first one, paler
    samples[2].path.write_bytes(b"not an image")
    cv2.imwrite(str(samples[3].path), noise(3)[:7, :5])
    samples[4].path.write_bytes(b"")
    made = make.portraits(samples)
    drawn = {face.name for face in next(made).faces}
    with pytest.raises(BadInput, match="portrait 2 found 0"):
        next(made)
    one_of_the_copies = {samples[0].name, samples[1].name} & drawn
    assert len(one_of_the_copies) == 1
    assert drawn - one_of_the_copies == {sample.name for sample in samples[5:]}
    warnings = capsys.readouterr().err
    assert f"{samples[2].path}: not a readable image" in warnings
    assert f"{samples[3].path}: 5x7 pixels, must be 200x200" in warnings
    assert f"{samples[4].path}: not a readable image" in warnings


def test_the_maker_says_what_is_missing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.sample.make", "--data", f"utkface={tmp_path / 'absent'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=FOLDER.parents[1], check=False)
    assert done.returncode == 2
    assert "absent: no such folder" in done.stderr


@pytest.mark.slow
def test_the_maker_makes_the_committed_portraits_from_the_train_split(tmp_path: Path) -> None:
    folder = Path(os.environ.get("BENCH_DATA", "")) / "utkface"
    if "BENCH_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("needs UTKFace: set BENCH_DATA to the folder that holds utkface/")
    train = datasets.load("utkface", split="train").samples
    test = {sample.name for sample in datasets.load("utkface", split="test").samples}
    made = list(make.portraits(train))
    drawn = [face.name for portrait in made for face in portrait.faces]
    assert len(set(drawn)) == len(drawn) == 128 * 16
    assert not test & set(drawn)
    for portrait, row in zip(made, rows(), strict=True):
        assert {column: str(value) for column, value in portrait.row().items()} == row
        committed = cv2.imread(str(FOLDER / row["path"])).astype(np.float64)
        assert np.abs(committed - portrait.image).mean() < 3  # grey levels: what JPEG costs a smooth image
    assert make.write(made[:2], tmp_path) == 2
    assert (tmp_path / "labels.csv").read_text().splitlines() == (FOLDER / "labels.csv").read_text().splitlines()[:3]
