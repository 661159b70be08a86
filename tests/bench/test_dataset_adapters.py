"""Small copies of each official layout, hostile lists, and the official lists themselves where $BENCH_DATA has them."""

import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from bench import data, datasets
from bench.datasets import _folder, imdb_wiki, utkface
from bench.datasets._face import below, is_inside
from bench.types import Sample, Split
from converters.errors import BadInput

ADIENCE = "user_id\toriginal_image\tface_id\tage\tgender\tx\ty\tdx\tdy\ttilt_ang\tfiducial_yaw_angle\tfiducial_score\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def image(file: Path, number: int = 0, kind: str = ".jpg") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    ok, encoded = cv2.imencode(kind, np.full((5, 7, 3), number, np.uint8))
    assert ok
    file.write_bytes(encoded.tobytes())
    return file


def images(root: Path, names: Iterable[str]) -> None:
    for number, name in enumerate(names):
        image(root / name, number)


def real(*parts: str) -> Path:
    home = os.environ.get("BENCH_DATA")
    if not home or not Path(home, *parts).exists():
        pytest.skip(f"needs {'/'.join(parts)}: set BENCH_DATA to the folder that holds it")
    return Path(home, *parts)


def row(user: str, photo: str, face: int, age: str, gender: str) -> str:
    return "\t".join([user, photo, str(face), age, gender, *"1234567"]) + "\n"


def adience(root: Path, prefix: str = "landmark_aligned_face", layout: str = "aligned") -> Path:
    """Seven images in folds 0 and 1, of eight rows: one repeated, one with an age beside the eight, one with a slip."""
    first = [
        row("7@N", "p.jpg", 1, "(25, 32)", "m"),
        row("7@N", "p.jpg", 2, "(25, 23)", "f"),
        row("7@N", "p.jpg", 1, "(25, 32)", "m"),
        row("8@N", "q.jpg", 3, "35", "u"),
        row("8@N", "r.jpg", 3, "None", ""),
    ]
    second = [row("9@N", "s.jpg", 4, "(8, 12)", ""), row("9@N", "t.jpg", 4, "(38, 48)", "f")]
    second.append(row("9@N", "u.jpg", 5, "(60, 100)", "f"))
    for number, rows in enumerate([first, second, [], [], []]):
        root.mkdir(exist_ok=True)
        (root / f"fold_{number}_data.txt").write_text(ADIENCE + "".join(rows))
    faces = [("7@N", 1, "p"), ("7@N", 2, "p"), ("8@N", 3, "q"), ("8@N", 3, "r"), ("9@N", 4, "s"), ("9@N", 4, "t")]
    images(root / layout, [f"{user}/{prefix}.{face}.{photo}.jpg" for user, face, photo in [*faces, ("9@N", 5, "u")]])
    return root


def labels_of(split: Split) -> dict[str, tuple[object, object]]:
    return {s.name.rpartition(".jpg")[0][-3:]: (s.age_range, s.gender) for s in split.samples}


# --- Adience


def test_adience_official_eight_counts_repeats_once_and_other_ages_as_unknown(tmp_path: Path) -> None:
    split = datasets.load("adience", adience(tmp_path / "a"))
    assert labels_of(split) == {
        "1.p": ((25, 32), "male"),
        "2.p": (None, "female"),
        "4.s": ((8, 12), None),
        "4.t": (None, "female"),
        "5.u": ((60, 100), "female"),
    }
    assert split.folds == ("0", "1")
    assert [s.fold for s in split.samples] == ["0", "0", "1", "1", "1"]
    assert {s.subject for s in split.samples} == {"7@N/1", "7@N/2", "9@N/4", "9@N/5"}
    assert all(s.age is None for s in split.samples)
    counts = [int(note.split()[0]) for note in split.notes[:-1]]
    assert counts == [3, 1, 2]  # (25, 23), 35, (38, 48); the repeated row; 35 with u, and None with nothing
    assert split.samples[0].path == tmp_path / "a" / "aligned" / "7@N" / "landmark_aligned_face.1.p.jpg"
    assert "official-eight" in split.label_rule


def test_adience_every_label_reads_the_slip_as_the_range_that_begins_with_25(tmp_path: Path) -> None:
    split = datasets.load("adience", adience(tmp_path / "a"), "every-label")
    assert labels_of(split) == {
        "1.p": ((25, 32), "male"),
        "2.p": ((25, 32), "female"),
        "3.q": ((35, 35), None),
        "4.s": ((8, 12), None),
        "4.t": ((38, 48), "female"),
        "5.u": ((60, 100), "female"),
    }
    assert [s.name[-5] for s in datasets.load("adience", tmp_path / "a", "every-label-fold-1").samples] == list("stu")


def test_adience_takes_aligned_before_faces_and_a_named_folder_before_both(tmp_path: Path) -> None:
    adience(tmp_path / "a")
    adience(tmp_path / "a", "coarse_tilt_aligned_face", "faces")
    both = datasets.load("adience", tmp_path / "a")
    named = datasets.load("adience", tmp_path / "a" / "faces")
    assert {s.path.parents[1].name for s in both.samples} == {"aligned"}
    assert {s.path.parents[1].name for s in named.samples} == {"faces"}
    assert datasets.fingerprint(both) != datasets.fingerprint(named)
    shutil.rmtree(tmp_path / "a" / "aligned")
    assert datasets.load("adience", tmp_path / "a").samples == named.samples
    shutil.rmtree(tmp_path / "a" / "faces")
    with pytest.raises(BadInput, match="neither aligned/ nor faces/"):
        datasets.load("adience", tmp_path / "a")


def test_adience_official_folds() -> None:
    folder = real("adience")
    rows = [
        tuple(line.split("\t")[:5])
        for number in range(5)
        for line in (folder / f"fold_{number}_data.txt").read_text().splitlines()[1:]
    ]
    assert len(rows) == 19_487
    assert len({(user, photo, face) for user, photo, face, *_ in rows}) == 19_370
    split = datasets.listed("adience", folder)
    assert split is not None
    assert (len(split.samples), sum(s.age_range is not None for s in split.samples)) == (18_657, 17_321)
    assert sum(s.gender is not None for s in split.samples) == 17_492
    assert [int(note.split()[0]) for note in split.notes[:-1]] == [1_301, 117, 713]
    assert len(split.samples) + 117 + 713 == len(rows)
    every = datasets.listed("adience", folder, "every-label")
    assert every is not None
    assert sum(s.age_range is not None for s in every.samples) == 18_622
    tests = [datasets.listed("adience", folder, f"fold-{number}") for number in range(5)]
    assert [sum(s.age_range is not None for s in one.samples) for one in tests if one] == [4305, 3092, 3285, 2963, 3676]
    assert sum(s.age_range is not None for one in tests if one for s in one.samples) == 17_321


# --- the others, on made-up copies


def test_utkface_in_the_wild_puts_a_photo_where_its_crop_is(tmp_path: Path) -> None:
    wild, cropped = tmp_path / "wild", tmp_path / "cropped"
    names = [f"{age}_1_2_2017010917120{age:04}" for age in range(20)]
    images(wild, [f"part{1 + number % 3}/{name}.jpg" for number, name in enumerate(names)])
    images(cropped, [f"{name}.jpg.chip.jpg" for name in names])
    for split in utkface.PARTS:
        photos, crops = (datasets.load("utkface", folder, split) for folder in (wild, cropped))
        assert [s.path.name for s in photos.samples] == [s.name.removesuffix(".chip.jpg") for s in crops.samples]
        assert all(s.ethnicity == "Asian" for s in (*photos.samples, *crops.samples))
    assert {s.name.split("/")[0] for s in photos.samples} <= {"part1", "part2", "part3"}
    assert "in the wild" in photos.label_rule


def test_utkface_ror_leaves_those_of_sixty_out(tmp_path: Path) -> None:
    images(tmp_path / "u", [f"{age}_0_0_x{number}.jpg" for age in (59, 60, 61) for number in range(25)])
    ages = {s.age for part in utkface.PARTS for s in datasets.load("utkface", tmp_path / "u", f"{part}-ror").samples}
    assert ages == {59}
    assert datasets.load("utkface", tmp_path / "u", "test-ror").age_groups[-1] == "55-59"


def test_fgnet_reads_person_and_age_and_leaves_other_files(tmp_path: Path) -> None:
    images(tmp_path / "f" / "images", ["001A02.JPG", "001A43a.jpg", "082A00.JPG", "001A02.old.JPG", "x.txt.jpg"])
    (tmp_path / "f" / "images" / "001A02.pts").touch()
    split = datasets.load("fgnet", tmp_path / "f")
    assert [(s.name, s.age, s.subject, s.fold, s.gender) for s in split.samples] == [
        ("001A02.JPG", 2, "001", "001", None),
        ("001A43a.JPG", 43, "001", "001", None),
        ("082A00.JPG", 0, "082", "082", None),
    ]
    assert split.folds == ("001", "082")
    assert split.notes[0].startswith("2 images dropped: the name")


@pytest.mark.parametrize("folder", ["aglined faces", "aligned faces"])
def test_aaf_reads_0_as_female(tmp_path: Path, folder: str) -> None:
    sets = tmp_path / "a" / "image sets"
    sets.mkdir(parents=True)
    (sets / "val.txt").write_text("00001A02.jpg 0\n07381A80.jpg 1\nbroken\n00003A02.jpg 2\n")
    images(tmp_path / "a" / folder, ["00001A02.jpg", "07381A80.jpg"])
    split = datasets.load("aaf", tmp_path / "a")
    assert [(s.name, s.age, s.gender) for s in split.samples] == [
        ("00001A02.jpg", 2, "female"),
        ("07381A80.jpg", 80, "male"),
    ]
    assert split.notes == ("2 rows dropped: broken (val.txt line 3, val.txt line 4)",)


def test_fairface_never_interpolates(tmp_path: Path) -> None:
    root = tmp_path / "f"
    images(root, [f"val/{n}.jpg" for n in range(1, 5)])
    (root / "fairface_label_val.csv").write_text(
        "file,age,gender,race,service_test\n"
        "fairface/val/1.jpg,10-19,Male,East Asian,False\n"
        "val/2.jpg,more than 70,Female,White,True\n"
        "val/3.jpg,0-2,Female,,True\n"
        "val/4.jpg,12,Female,White,True\n"
    )
    split = datasets.load("fairface", root)
    assert [(s.name, s.age, s.age_range, s.gender, s.ethnicity) for s in split.samples] == [
        ("val/1.jpg", None, (10, 19), "male", "East Asian"),
        ("val/2.jpg", None, (70, np.inf), "female", "White"),
        ("val/3.jpg", None, (0, 2), "female", None),
    ]
    assert (split.age_groups[0], split.age_groups[-1]) == ("0-2", "70-")
    assert split.notes[0].startswith("1 rows dropped: broken (fairface_label_val.csv line 5")


def test_appa_real_scores_the_crop_by_either_age(tmp_path: Path) -> None:
    root = tmp_path / "appa"
    images(root / "test", ["005613.jpg_face.jpg", "005613.jpg", "005614.jpg_face.jpg", "005616.jpg"])
    head = "file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age\n"
    rows = ["005613.jpg,38,24.5,3.1,27", "005614.jpg,38,61.0,3.1,59", "005615.jpg,38,nan,3,5", "005616.jpg,38,7,3,8"]
    (root / "gt_avg_test.csv").write_text(head + "\n".join(rows))
    apparent, actual = (datasets.load("appa-real", root, f"test-{kind}") for kind in ("apparent", "real"))
    assert [(s.name, s.age) for s in apparent.samples] == [("test/005613.jpg", 24.5), ("test/005614.jpg", 61)]
    assert [s.age for s in actual.samples] == [27, 59]
    assert apparent.samples[0].path.name == "005613.jpg_face.jpg"
    assert [note.split()[0] for note in apparent.notes] == ["1", "1"]  # no age; no crop of 005616.jpg
    assert "no ignore list" in apparent.label_rule
    (root / "ignore_list.csv").write_text("img_name\n005614.jpg\n")
    ignoring = datasets.load("appa_real", root, "test-real")
    assert [s.name for s in ignoring.samples] == ["test/005613.jpg"]
    assert "without the images of ignore_list.csv" in ignoring.label_rule


def wiki(root: Path, **changes: object) -> Path:
    """Six faces: whole; no face found; a second face; 101 years old; no gender; born on a 30 June."""
    from scipy.io import savemat

    columns: dict[str, object] = {
        "dob": np.array([723_671, 723_671, 723_671, 693_962, 723_671, 719_344], np.int32),
        "photo_taken": np.array([2009, 2009, 2009, 2001, 2009, 2006], np.uint16),
        "full_path": np.array([f"0{n}/{n}.jpg" for n in range(6)], object),
        "gender": np.array([1, 1, 1, 1, np.nan, 0.0]),
        "name": np.array(["Ä", "B", "C", "D", "E", "F"], object),
        "face_score": np.array([4.3, -np.inf, 2, 2, 2, 1.0]),
        "second_face_score": np.array([np.nan, np.nan, 1.5, np.nan, np.nan, np.nan]),
    }
    (root / "wiki_crop").mkdir(parents=True)
    savemat(root / "wiki_crop" / "wiki.mat", {"wiki": columns | changes})
    images(root / "wiki_crop", [f"0{n}/{n}.jpg" for n in range(6)])
    return root


def test_imdb_wiki_rules_are_counted_one_by_one(tmp_path: Path) -> None:
    split = datasets.load("imdb-wiki", wiki(tmp_path / "w"))
    assert split.dataset == "imdb_wiki"
    # 723671 is 1981-05-05; 719344 is 1969-06-30, whom the formula gives a year less than the calendar on 2006-07-01
    assert [(s.name, s.age, s.gender, s.subject) for s in split.samples] == [
        ("00/0.jpg", 28, "male", "Ä"),
        ("05/5.jpg", 36, "female", "F"),
    ]
    assert sorted(note.split(" (")[0] for note in split.notes) == [
        "1 faces dropped: rule age-0-100",
        "1 faces dropped: rule face-score-1",
        "1 faces dropped: rule gender-known",
        "1 faces dropped: rule one-face",
    ]
    assert len(datasets.load("imdb_wiki", tmp_path / "w", "test-unfiltered").samples) == 6


def test_imdb_wiki_ages_are_those_of_matlab() -> None:
    # datevec(datenum(2009,7,1) - dob) in MATLAB: by hand, 723671 + 28 years of 365.25 days = 733898 < 733955
    assert_array_equal(imdb_wiki.ages(np.array([723_671, 733_955]), np.array([2009, 2009])), [28, -1])


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0", b"\0" * 300, b"MATLAB 7.3 MAT-file" + b"\0" * 500])
def test_imdb_wiki_refuses_what_is_no_mat_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "wiki.mat").write_bytes(content)
    with pytest.raises(BadInput, match=r"wiki\.mat: "):
        datasets.load("imdb_wiki", tmp_path)


def test_imdb_wiki_refuses_fields_of_different_lengths(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="fields of one length"):
        datasets.load("imdb_wiki", wiki(tmp_path / "w", gender=np.array([1.0, 0.0])))


def test_coral_lists_count_ages_from_the_youngest(tmp_path: Path) -> None:
    (tmp_path / "afad_test.csv").write_text(
        "file,path,age,gender\n1-0.jpg,39/112/1-0.jpg,24,female\n2-0.jpg,15/111/2-0.jpg,0,male\n"
        "3-0.jpg,15/111/3-0.jpg,1,male\n4-0.jpg,15/112/4-0.jpg,0,male\n"
    )
    (tmp_path / "cacd_test.csv").write_text(",file,age\n7,54_Renée_Z_0006.jpg,40\n", encoding="utf-8")
    (tmp_path / "morph2_test.csv").write_text(
        ",id_num,picture_num,race,Male,facial_hair,age,glasses,quality\n"
        "012_01M22.jpg,12,1,B,1,,6,,GOOD\n013_00F32.jpg,13,0,W,-1,,16,,GOOD\n014_00F32.jpg,14,0,W,1,,16,,GOOD\n"
    )
    images(tmp_path, ["AFAD-Full/39/112/1-0.jpg", "15/111/2-0.jpg", "15/111/3-0.jpg", "CACD2000/54_Renée_Z_0006.jpg"])
    images(tmp_path / "Album2", ["012_01M22.JPG", "013_00F32.JPG", "014_00F32.JPG"])
    afad, cacd, morph2 = (datasets.load(name, tmp_path) for name in ("afad", "cacd", "morph2"))
    assert [(s.name, s.age, s.gender) for s in afad.samples] == [
        ("39/112/1-0.jpg", 39, "female"),
        ("15/111/2-0.jpg", 15, "male"),
    ]
    assert [note.split(" (")[0] for note in afad.notes] == [
        "1 rows dropped: the list's age is not the one in the file's name",
        "1 rows dropped: broken",
    ]
    assert [(s.age, s.subject) for s in cacd.samples] == [(54, "Renée Z")]
    assert [(s.age, s.gender, s.subject, s.ethnicity) for s in morph2.samples] == [
        (22, "male", "12", "B"),
        (32, "female", "13", "W"),
    ]


def test_the_unified_lists_make_splits_of_folders(tmp_path: Path) -> None:
    def entry(name: str, folder: object, age: object = 30, gender: object = "F") -> dict[str, object]:
        return {"img_path": f"AgeDB/AgeDB/{name}.jpg", "age": age, "folder": folder, "gender": gender, "name": name}

    faces = [entry(f"f{folder}", folder) for folder in range(10)]
    broken = [entry("x", "8"), entry("y", 8, -1), entry("z", 9, gender=["F"]), {"age": 3}, 7, entry("u", 9, gender="U")]
    (tmp_path / "AgeDB.json").write_text(json.dumps([*faces, *broken]))
    images(tmp_path / "AgeDB", [f"{name}.jpg" for name in [*(f"f{n}" for n in range(10)), *"xyzu"]])

    def folds(split: str) -> str:
        return "".join(datasets.load("agedb", tmp_path, split).folds)

    table = {"0": ("012345", "67", "89"), "1": ("234567", "89", "01"), "2": ("456789", "01", "23"),
             "3": ("056789", "12", "34"), "4": ("016789", "23", "45")}  # fmt: skip
    for number, (train, validation, test) in table.items():
        assert (folds(f"train-{number}"), folds(f"validation-{number}"), folds(f"test-{number}")) == (
            train,
            validation,
            test,
        )
    split = datasets.load("agedb", tmp_path, "test-0")
    assert [(s.name, s.gender) for s in split.samples] == [("f8.jpg", "female"), ("f9.jpg", "female"), ("u.jpg", None)]
    assert [note.split(" (")[0] for note in split.notes] == [
        "4 rows dropped: broken",
        "1 rows dropped: no age from 0 to 120",
    ]

    clap = [{"img_path": f"ChaLearn2016/{part}/1.jpg", "age": 5 + n, "folder": n, "std_age": 1.5}
            for n, part in enumerate(["train", "valid", "test"])]  # fmt: skip
    (tmp_path / "CLAP2016.json").write_text(json.dumps(clap))
    images(tmp_path, ["train/1.jpg", "valid/1.jpg", "test/1.jpg"])
    for n, (split_name, part) in enumerate([("train", "train"), ("validation", "valid"), ("test", "test")]):
        (only,) = datasets.load("clap2016", tmp_path, split_name).samples
        assert (only.name, only.age, only.path) == (f"{part}/1.jpg", 5 + n, tmp_path / part / "1.jpg")


# --- hostile lists, folders and images


HOSTILE = [
    ("val/../../secret.jpg,3-9,Male,White,x", "leads out"),
    ("/etc/passwd,3-9,Male,White,x", "leads out"),
    ("val\\..\\1.jpg,3-9,Male,White,x", "leads out"),
    ("val/\x01.jpg,3-9,Male,White,x", "leads out"),
    ("val/1.jpg,3-9,Male", "broken"),
    ('"val/1.jpg,3-9,Male,White,x', "broken"),
    ("val/1.jpg,3-9,Male,Wh\0ite,x", "broken"),
    ("v" * 70_000 + ",3-9,Male,White,x", "broken"),
    ("val/ClÃ©mence.jpg,3-9,Male,White,x", "missing"),
    ("val/Cl\udce9mence.jpg,3-9,Male,White,x", "not UTF-8"),
    ("val/link.jpg,3-9,Male,White,x", "leads out"),
    ("val/folder/secret.jpg,3-9,Male,White,x", "leads out"),
    ("val/2.jpg,10-19,Male,White,x", "another label"),
]


@pytest.mark.parametrize(("line", "reason"), HOSTILE)
def test_a_hostile_row_is_counted_and_the_rest_is_read(tmp_path: Path, line: str, reason: str) -> None:
    import re

    root = tmp_path / "f"
    images(root / "val", ["1.jpg", "2.jpg", "3.jpg"])
    image(tmp_path / "outside" / "secret.jpg")
    (root / "val" / "link.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    (root / "val" / "folder").symlink_to(tmp_path / "outside")
    text = f"file,age,gender,race,service_test\nval/2.jpg,3-9,Male,White,x\n{line}\nval/3.jpg,3-9,Male,White,x\n"
    (root / "fairface_label_val.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    split = datasets.load("fairface", root)
    disputed = reason == "another label"
    assert [s.name for s in split.samples] == (["val/3.jpg"] if disputed else ["val/2.jpg", "val/3.jpg"])
    assert re.match(rf"{2 if disputed else 1} .*({reason})", split.notes[0])
    assert all(len(note) < 400 and note.isprintable() for note in split.notes)


def test_a_link_to_a_file_inside_is_followed(tmp_path: Path) -> None:
    images(tmp_path / "f" / "images", ["001A02.JPG"])
    (tmp_path / "f" / "images" / "002A03.JPG").symlink_to("001A02.JPG")
    (tmp_path / "f" / "images" / "003A03.JPG").symlink_to(tmp_path / "nowhere.JPG")
    (tmp_path / "f" / "images" / "004A03.JPG").symlink_to("004A03.JPG")
    split = datasets.load("fgnet", tmp_path / "f")
    assert [s.name for s in split.samples] == ["001A02.JPG", "002A03.JPG"]
    assert split.notes[0].startswith("2 images dropped: a link")


def test_utkface_leaves_links_that_lead_out(tmp_path: Path) -> None:
    image(tmp_path / "26_0_1_o.jpg")
    images(tmp_path / "u", ["26_1_2_b.jpg"])
    (tmp_path / "u" / "26_1_2_c.jpg").symlink_to(tmp_path / "26_0_1_o.jpg")
    names = {s.name for part in utkface.PARTS for s in datasets.load("utkface", tmp_path / "u", part).samples}
    assert names == {"26_1_2_b.jpg"}
    assert "1 files dropped: a link" in datasets.load("utkface", tmp_path / "u").notes[0]


@pytest.mark.parametrize(
    ("name", "inside"),
    [("a/b.jpg", True), ("a..b.jpg", True), ("7@N/x.1.jpg", True), ("a/../b", False), ("..", False), ("", False),
     ("/a", False), ("C:/a", False), ("http://a", False), ("a\\b", False), ("a\nb", False), ("a\udce9", False)],
)  # fmt: skip
def test_what_a_list_may_name(name: str, inside: bool) -> None:
    assert is_inside(name) is inside
    assert all(is_inside(one) for one in below(name)) is inside


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', "[" * 100_000, "\udcff"])
def test_a_list_that_is_no_json_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "AgeDB.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=r"AgeDB\.json: (is not JSON|holds no list)") as error:
        datasets.load("agedb", tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["adience", "aaf", "fairface", "appa_real", "imdb_wiki", "afad", "agedb", "fgnet"])
def test_a_folder_without_the_lists_names_what_it_should_hold(tmp_path: Path, name: str) -> None:
    (tmp_path / "aligned").mkdir()
    with pytest.raises(BadInput) as error:
        datasets.load(name, tmp_path)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


# --- the kept listing


def test_the_listing_is_kept_and_a_changed_folder_is_listed_anew(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_folder, "KEPT_FROM", 1)
    images(tmp_path / "d", ["a/1.jpg", "b/2.jpg"])
    long_ago = time.time() - 60
    for folder in (tmp_path / "d" / "a", tmp_path / "d" / "b", tmp_path / "d"):
        os.utime(folder, (long_ago, long_ago))
    assert _folder.listing(tmp_path / "d").files == {"a/1.jpg", "b/2.jpg"}
    (kept,) = (home / "index").iterdir()
    listed: list[Path] = []
    once = _folder._list
    monkeypatch.setattr(_folder, "_list", lambda folder, changed: listed.append(folder) or once(folder, changed))
    assert _folder.listing(tmp_path / "d").files == {"a/1.jpg", "b/2.jpg"}
    assert listed == []
    image(tmp_path / "d" / "b" / "3.jpg")
    assert _folder.listing(tmp_path / "d").files == {"a/1.jpg", "b/2.jpg", "b/3.jpg"}
    assert [folder.name for folder in listed] == ["b"]
    kept.write_text("[1, 2")
    assert _folder.listing(tmp_path / "d").files == {"a/1.jpg", "b/2.jpg", "b/3.jpg"}


# --- fingerprints, and what verify says


def test_the_fingerprint_of_ranges() -> None:
    import hashlib

    def face(name: str, **labels: object) -> Sample:
        return Sample(name, Path(name), None, None, **labels)  # type: ignore[arg-type]

    split = Split("x", "all", "r", (face("b", age_range=(25, 32)), face("a", age_range=(70, np.inf), subject="s")))
    assert datasets.fingerprint(split) == hashlib.sha256(b"a 70- -\nb 25-32 -").hexdigest()


@pytest.mark.parametrize(
    ("name", "split", "folder", "count", "start"),
    [
        ("adience", "all", ("adience",), 18_657, "fafedba7c909"),
        ("adience", "every-label", ("adience",), 18_662, "5fa90416e347"),
        ("aaf", "train", ("aaf_sample",), 6_637, "624a041cfc49"),
        ("aaf", "val", ("aaf_sample",), 6_685, "bc2fc3c8ec22"),
        ("fairface", "val", ("fairface_sample",), 10_954, "e9f4c2932230"),
        ("afad", "test", ("labels", "coral"), 32_762, "dc8bc605c1f5"),
        ("cacd", "test", ("labels", "coral"), 31_890, "2d0bad9b694a"),
        ("morph2", "test", ("labels", "coral"), 11_044, "4acc212168b7"),
        ("agedb", "all", ("labels", "unified_benchmark"), 16_488, "aa76f4f0d92a"),
        ("agedb", "test-0", ("labels", "unified_benchmark"), 3_333, "83e67db2299a"),
        ("imdb_wiki", "test", ("labels", "imdb_wiki"), 38_138, "8c6c1ed66fe9"),
        ("imdb_wiki", "test-unfiltered", ("labels", "imdb_wiki"), 62_176, "08b16f2129b5"),
    ],
)
def test_official_lists(name: str, split: str, folder: tuple[str, ...], count: int, start: str) -> None:
    listed = datasets.listed(name, real(*folder), split)
    assert listed is not None
    print_of_list = datasets.fingerprint(listed)
    assert (len(listed.samples), print_of_list[:12]) == (count, start)
    assert print_of_list in datasets.describe(name)["published"][split]


def test_wiki_counts_by_rule() -> None:
    listed = datasets.listed("imdb_wiki", real("labels", "imdb_wiki"))
    assert listed is not None
    counts = {note.split(": rule ")[1].split()[0]: int(note.split()[0]) for note in listed.notes}
    assert counts == {"face-score-1": 19_335, "one-face": 4_070, "age-0-100": 49, "gender-known": 736}
    assert len(listed.samples) + sum(counts.values()) == 62_328


def test_the_unified_list_of_fgnet_says_what_the_names_say() -> None:
    entries = json.loads((real("labels", "unified_benchmark") / "FG-Net.json").read_text())
    found = {s.name.lower(): s for s in datasets.load("fgnet", real("fgnet")).samples}
    assert len(found) == len(entries) == 1_002
    for entry in entries:
        sample = found[Path(entry["img_path"]).name.lower()]
        assert (sample.age, int(sample.subject or 0)) == (entry["age"], entry["id_num"])


def test_the_ignore_list_of_appa_real() -> None:
    from bench.datasets._leavings import Leavings
    from bench.datasets.appa_real import ignored

    assert len(ignored(real("labels", "appa_real_ignore_list.txt"), Leavings())) == 118


def test_verify_finds_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "aaf"
    (root / "image sets").mkdir(parents=True)
    rows = ["00001A02.jpg 0", "00003A02.jpg 0", "00005A09.jpg 1", "00007A02.jpg 0", "00009A02.jpg 1", "00011A02.jpg 1"]
    (root / "image sets" / "val.txt").write_text("\n".join(rows))
    faces = root / "aglined faces"
    images(faces, ["00001A02.jpg", "00003A02.jpg"])
    shutil.copy(faces / "00001A02.jpg", faces / "00005A09.jpg")
    image(faces / "00007A02.jpg", 9, ".png")
    (faces / "00009A02.jpg").write_bytes(b"%PDF-1.4 not a face")
    with pytest.raises(BadInput) as error:
        data.verify(f"aaf={root}")
    said = capsys.readouterr().out
    assert "published: no" in said
    assert "images missing: 1 (00011A02.jpg)" in said
    assert "images that cannot be read: 1 (00009A02.jpg: not an image" in said
    assert "another type than their name says: 1 (00007A02.jpg: is a PNG file, its name says JPEG)" in said
    assert "byte-duplicates: 1\n" in said
    assert "byte-duplicates with different labels: 1 (00001A02.jpg = 00005A09.jpg)" in said
    assert "1 images are missing" in str(error.value)


def test_verify_says_when_nobody_knows_the_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,age\na.jpg,3\n")
    image(tmp_path / "a.jpg")
    assert "published: unknown" in data.verify(f"csv={tmp_path}")


@pytest.mark.parametrize("name", datasets.names())
def test_every_dataset_says_how_to_get_it(name: str) -> None:
    about = datasets.describe(name)
    assert all(about[key] and "\n" not in about[key] for key in ("size", "citation", "get"))
    assert set(about["published"]) <= set(about["splits"])
    assert about["citation"] in " ".join(data.listing(as_json=False).split()) or "-" in about["citation"]


def test_a_hyphen_stands_for_an_underscore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert datasets.parse_data("appa-real=x:test-real") == ("appa_real", Path("x"), "test-real")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    assert datasets.parse_data("imdb-wiki:train") == ("imdb_wiki", None, "train")
    (tmp_path / "imdb-wiki").mkdir()
    with pytest.raises(BadInput, match=r"imdb-wiki: holds no wiki_crop/wiki\.mat"):
        datasets.load("imdb_wiki")
