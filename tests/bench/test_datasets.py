"""Every rule of the datasets on folders of a few tiny files; with $BENCH_DATA set, the counts of the real ones."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench import datasets
from bench.datasets import utkface
from bench.types import Sample, Split
from converters.errors import BadInput

# The first eight hex digits of `printf %s NAME | sha256sum`, modulo ten, on a shell's command line.
BUCKETS = {
    "0_0_0_i.jpg": 1,
    "120_1_2_j.jpg": 1,
    "25_0_1_a.jpg": 5,
    "26_1_2_b.jpg": 9,
    "27_0_0_c.jpg": 3,
    "28_1_3_d.JPG": 7,
    "29_0_4_e.png": 3,
    "30_1_0_f.jpeg": 2,
    "4_1_1_h.jpg": 6,
    "61_1_20170109142408075.jpg.chip.jpg": 3,
}


def jpeg(number: int) -> bytes:
    """Make a 7x5 JPEG of its own content; the number follows the image, so that all have one size."""
    ok, encoded = cv2.imencode(".jpg", np.full((5, 7, 3), 90, np.uint8))
    assert ok
    return encoded.tobytes() + number.to_bytes(2, "big")


def folder_of(folder: Path, files: Mapping[str, int]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(jpeg(content))
    return folder


def names_in(folder: Path, split: str) -> list[str]:
    return [sample.name for sample in utkface.load(folder, split).samples]


def kept(folder: Path) -> set[str]:
    return {name for split in utkface.SPLITS for name in names_in(folder, split)}


# --- UTKFace


def test_utkface_puts_each_name_where_its_hash_says(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {name: number for number, name in enumerate(BUCKETS)})
    by_split = {"train": range(7), "validation": [7], "test": [8, 9]}
    for split, buckets in by_split.items():
        assert names_in(folder, split) == sorted(name for name, bucket in BUCKETS.items() if bucket in buckets)
    assert utkface.load(folder, "train").notes == ()


def test_utkface_reads_age_and_gender_also_where_the_race_is_missing(tmp_path: Path) -> None:
    folder_of(tmp_path, {"0_0_0_i.jpg": 1, "120_1_2_j.jpg": 2, "61_1_20170109142408075.jpg.chip.jpg": 3})
    samples = utkface.load(tmp_path, "train").samples
    assert [(s.age, s.gender) for s in samples] == [(0, "male"), (120, "female"), (61, "female")]
    assert samples[0] == Sample("0_0_0_i.jpg", tmp_path / "0_0_0_i.jpg", 0, "male")


@pytest.mark.parametrize(
    "name", ["121_1_2_k.jpg", "20_2_0_k.jpg", "20.jpg", "20_1.jpg", "_1_0_k.jpg", "x20_1_0_k.jpg", "-1_1_0_k.jpg"]
)
def test_utkface_drops_and_counts_names_that_do_not_parse(tmp_path: Path, name: str) -> None:
    folder_of(tmp_path, {name: 1, "25_0_1_a.jpg": 2})
    assert kept(tmp_path) == {"25_0_1_a.jpg"}
    assert utkface.load(tmp_path, "test").notes == ("1 files dropped whose names do not parse",)


@pytest.mark.parametrize(
    ("files", "left", "notes"),
    [
        # copies that agree on age and gender (the race may differ): the first in name order stays
        (["4_1_3_z.jpg", "4_1_1_h.jpg", "4_1_2_a.JPG"], {"4_1_1_h.jpg"}, ("2 byte-duplicates dropped",)),
        # name order is that of code points: 120 before 4, upper case before lower
        (["28_1_3_d.jpg", "28_1_3_D.jpg"], {"28_1_3_D.jpg"}, ("1 byte-duplicates dropped",)),
        # copies that disagree on the age, or on the gender, all go, also those that agree with each other
        (
            ["25_0_1_a.jpg", "26_0_1_a.jpg", "26_0_1_b.jpg"],
            set(),
            ("3 files dropped whose byte-duplicates carry other labels",),
        ),
        (["25_0_1_a.jpg", "25_1_1_a.jpg"], set(), ("2 files dropped whose byte-duplicates carry other labels",)),
        # duplicates go before names that do not parse: such a name claims nothing, but may be the first of its group
        (["25_0_1_a.jpg", "a.jpg"], {"25_0_1_a.jpg"}, ("1 byte-duplicates dropped",)),
        (
            ["25_0_1_a.jpg", "1.jpg"],
            set(),
            ("1 byte-duplicates dropped", "1 files dropped whose names do not parse"),
        ),
    ],
)
def test_utkface_drops_byte_duplicates(
    tmp_path: Path, files: list[str], left: set[str], notes: tuple[str, ...]
) -> None:
    folder_of(tmp_path, dict.fromkeys(files, 1) | {"27_0_0_c.jpg": 2})
    assert kept(tmp_path) == left | {"27_0_0_c.jpg"}
    assert utkface.load(tmp_path, "test").notes == notes


def test_utkface_takes_only_image_files_of_the_folder_itself(tmp_path: Path) -> None:
    folder_of(tmp_path, {"25_0_1_a.jpg": 1, "25_0_1_a.txt": 2})
    folder_of(tmp_path / "26_1_2_b.jpg", {"27_0_0_c.jpg": 3})
    assert kept(tmp_path) == {"25_0_1_a.jpg"}


def test_utkface_names_a_folder_that_is_missing_or_empty(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent: no such folder; .*age_gender_race_time"):
        datasets.load("utkface", tmp_path / "absent")
    (tmp_path / "readme.txt").touch()
    with pytest.raises(BadInput, match=r"holds no \.jpg, \.jpeg, \.png file") as error:
        datasets.load("utkface", tmp_path)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(("split", "count"), [("train", 16256), ("validation", 2363), ("test", 4475)])
def test_utkface_counts_of_the_public_folder(split: str, count: int) -> None:
    folder = Path(os.environ.get("BENCH_DATA", "")) / "utkface"
    if "BENCH_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("needs UTKFace: set BENCH_DATA to the folder that holds utkface/")
    read = datasets.load("utkface", split=split)
    assert len(read.samples) == count
    assert read.notes == (
        "156 byte-duplicates dropped",
        "458 files dropped whose byte-duplicates carry other labels",
    )
    lines = sorted(
        f"{name} {int(name.split('_')[0])} {['male', 'female'][int(name.split('_')[1])]}"
        for name in (sample.path.name for sample in read.samples)
    )
    assert datasets.fingerprint(read) == hashlib.sha256("\n".join(lines).encode()).hexdigest()


# --- CSV

HEAD = "path,age,gender\n"


def csv_file(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    file = tmp_path / "faces.csv"
    file.write_bytes(text.encode(encoding))
    return file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_csv_reads_labels(tmp_path: Path, encoding: str, newline: str) -> None:
    rows = ["path,age,who,gender", "a.jpg,31,x,male", "../ü.png, 4.5 ,,F", "", '"/b, c.jpg",,x,FEMALE', "d.jpg,0,x,"]
    read = datasets.load("csv", csv_file(tmp_path, newline.join(rows), encoding))
    assert (read.dataset, read.split) == ("csv", "all")
    assert read.samples == (
        Sample("a.jpg", tmp_path / "a.jpg", 31.0, "male"),
        Sample("../ü.png", tmp_path / "../ü.png", 4.5, "female"),
        Sample(os.path.relpath("/b, c.jpg", tmp_path), Path("/b, c.jpg"), None, "female"),
        Sample("d.jpg", tmp_path / "d.jpg", 0.0, None),
    )


def test_csv_names_a_file_once_however_it_is_written(tmp_path: Path) -> None:
    for again in ("./a.jpg", f"{tmp_path}/a.jpg", f"../{tmp_path.name}/a.jpg"):
        with pytest.raises(BadInput, match=r"line 3, column path: 'a\.jpg' is already on line 2"):
            datasets.load("csv", csv_file(tmp_path, f"path,age\na.jpg,1\n{again},2\n"))


@pytest.mark.parametrize("name", ["\x00a.jpg", "a\x1b[31m.jpg"])
def test_csv_refuses_names_that_no_file_should_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"line 2, column path: .* control characters"):
        datasets.load("csv", csv_file(tmp_path, f"path,age\n{name},1\n"))


@pytest.mark.parametrize(("column", "value", "label"), [("age", "7", (7.0, None)), ("gender", "M", (None, "male"))])
def test_csv_needs_only_one_of_the_labels_and_reads_a_folder(
    tmp_path: Path, column: str, value: str, label: tuple[object, object]
) -> None:
    (tmp_path / "labels.csv").write_text(f"{column},path\n{value},a.jpg\n", encoding="utf-8")
    (sample,) = datasets.load("csv", tmp_path).samples
    assert (sample.age, sample.gender) == label


def test_csv_takes_its_splits_from_the_file(tmp_path: Path) -> None:
    file = csv_file(tmp_path, "path,age,split\na.jpg,1,fold 2\nb.jpg,2,dev\nc.jpg,3,fold 2\n")
    assert [s.name for s in datasets.load("csv", file, "fold 2").samples] == ["a.jpg", "c.jpg"]
    assert [s.name for s in datasets.load("csv", file).samples] == ["a.jpg", "b.jpg", "c.jpg"]
    with pytest.raises(BadInput, match=r"csv: no split 'test'; there are all, fold 2, dev"):
        datasets.load("csv", file, "test")
    assert datasets.parse_data(f"csv={file}:fold 2") == ("csv", file, "fold 2")
    assert datasets.parse_data(f"csv={file}:dev") == ("csv", file, "dev")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "a.jpg,7,male\nb.jpg,8,man\n", r"line 3, column gender: 'man'; must be male, female, m or f"),
        (HEAD + "a.jpg,seven,male\n", r"line 2, column age: 'seven'; must be years from 0 to 120"),
        (HEAD + "a.jpg,-1,male\n", r"line 2, column age: '-1'"),
        (HEAD + "a.jpg,121,male\n", r"line 2, column age: '121'"),
        (HEAD + "a.jpg,nan,male\n", r"line 2, column age: 'nan'"),
        (HEAD + "a.jpg,1_0,male\n", r"line 2, column age: '1_0'"),
        (HEAD + ",7,male\n", r"line 2, column path: is empty"),
        (HEAD + "a.jpg,7,m\nb.jpg,7,m\na.jpg,8,m\n", r"line 4, column path: 'a\.jpg' is already on line 2"),
        (HEAD + "a.jpg,7\n", r"line 2, column gender: the row has 2 cells; must have 3"),
        (HEAD + "a.jpg,7,male,x\n", r"line 2, column gender: the row has 4 cells; must have 3"),
        ("path,age,split\na.jpg,7,\n", r"line 2, column split: is empty"),
        (
            "path;age;gender\na.jpg;7;male\n",
            r"line 1: the columns are path;age;gender; must be path, age and/or gender",
        ),
        ("path,split\na.jpg,dev\n", r"line 1: the columns are path, split"),
        ("age,gender\n7,male\n", r"line 1: the columns are age, gender"),
        ("path,age,age\na.jpg,7,8\n", r"line 1: the columns are path, age, age"),
        ("", r"line 1: the columns are none"),
        (HEAD, r"holds no rows"),
        (HEAD + "a.jpg,7," + "m" * 140_000, r"line 2: is not CSV \(field larger"),
    ],
)
def test_csv_refuses_a_broken_row_by_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInput, match=message) as error:
        datasets.load("csv", csv_file(tmp_path, text))
    assert str(error.value).startswith(str(tmp_path / "faces.csv"))
    assert "\n" not in str(error.value)


def test_csv_refuses_what_is_not_utf_8_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"faces\.csv: is not UTF-8"):
        datasets.load("csv", csv_file(tmp_path, HEAD + "ü.jpg,7,m\n", "latin-1"))
    with pytest.raises(BadInput, match=r"labels\.csv: no such file; give a CSV file"):
        datasets.load("csv", tmp_path)


# --- what all datasets share


def test_the_folder_is_the_registry() -> None:
    files = {file.stem for file in Path(datasets.__file__).parent.iterdir() if file.suffix == ".py"}
    assert set(datasets.names()) == {name for name in files if not name.startswith("_")}
    assert list(datasets.names()) == sorted(datasets.names())


@pytest.mark.parametrize("name", datasets.names())
def test_every_dataset_describes_itself(name: str) -> None:
    about = datasets.describe(name)
    assert about["name"] == name
    assert isinstance(about["splits"], tuple)
    assert about["default"] in about["splits"]
    for line in (about["title"], about["terms"]):
        assert isinstance(line, str)
        assert line
        assert "\n" not in line
    assert about["built_in"] is (name == "sample")


@pytest.mark.parametrize("ask", [datasets.describe, datasets.load, datasets.parse_data])
@pytest.mark.parametrize("name", ["utkfaces", "__init__", "", "os"])
def test_an_unknown_dataset_lists_what_there_is(ask, name: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match=rf"no dataset '{name}'; there are .*csv.*sample.*utkface"):
        ask(name)


def test_the_path_comes_from_the_environment_if_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    with pytest.raises(BadInput, match=r"give utkface=PATH, or set \$BENCH_DATA to the folder that holds utkface/"):
        datasets.load("utkface")
    folder_of(tmp_path / "utkface", {"26_1_2_b.jpg": 1})
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    assert [sample.name for sample in datasets.load("utkface").samples] == ["26_1_2_b.jpg"]
    assert datasets.load("utkface", split="train").samples == ()
    with pytest.raises(BadInput, match=r"utkface: no split 'dev'; there are train, validation, test"):
        datasets.load("utkface", split="dev")


def test_the_built_in_sample_takes_no_path(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"sample is built in and takes no path"):
        datasets.load("sample", tmp_path)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("sample", ("sample", None, None)),
        ("sample:all", ("sample", None, "all")),
        ("utkface:train", ("utkface", None, "train")),
        ("utkface=faces", ("utkface", Path("faces"), None)),
        ("utkface=faces:validation", ("utkface", Path("faces"), "validation")),
        ("utkface=a:b/faces:test", ("utkface", Path("a:b/faces"), "test")),
        ("utkface=a:b/faces", ("utkface", Path("a:b/faces"), None)),
        (r"utkface=C:\faces", ("utkface", Path(r"C:\faces"), None)),
        (r"utkface=C:\faces:train", ("utkface", Path(r"C:\faces"), "train")),
        ("utkface=a=b:test", ("utkface", Path("a=b"), "test")),
        ("csv=of:me.csv", ("csv", Path("of:me.csv"), None)),
        ("utkface=~/faces", ("utkface", Path.home() / "faces", None)),
    ],
)
def test_the_command_line_form(
    text: str, parsed: tuple[str, Path | None, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    assert datasets.parse_data(text) == parsed


@pytest.mark.parametrize("text", ["utkface:dev", "utkface=faces:dev", "utkface:"])
def test_the_command_line_form_refuses_an_unknown_split(text: str) -> None:
    with pytest.raises(BadInput, match=r"utkface has no split '(dev)?'; there are train, validation, test"):
        datasets.parse_data(text)


def test_the_command_line_form_names_a_missing_file_before_its_split(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"absent\.csv: no such file"):
        datasets.parse_data(f"csv={tmp_path / 'absent.csv'}:dev")


def test_the_command_line_form_refuses_an_empty_path() -> None:
    with pytest.raises(BadInput, match=r"no path after the equals sign; give utkface=PATH"):
        datasets.parse_data("utkface=")


@pytest.mark.parametrize("word", ["dev", "test"])
def test_a_path_that_exists_is_a_path_even_if_it_ends_like_a_split(tmp_path: Path, word: str) -> None:
    folder = tmp_path / f"faces:{word}"
    folder.mkdir()
    assert datasets.parse_data(f"utkface={folder}") == ("utkface", folder, None)


def split_of(*labels: tuple[str, float | None, str | None]) -> Split:
    samples = tuple(Sample(name, Path("x") / name, age, gender) for name, age, gender in labels)  # type: ignore[arg-type]
    return Split("csv", "all", "as given", samples, ("2 dropped",))


def test_the_fingerprint_is_the_hash_of_the_sorted_lines() -> None:
    labels = [("b.jpg", 31.0, "male"), ("ü.jpg", 4.5, None), ("a b.jpg", None, "female"), ("B.jpg", 0, "female")]
    text = "B.jpg 0 female\na b.jpg - female\nb.jpg 31 male\nü.jpg 4.5 -"
    expected = hashlib.sha256(text.encode("utf-8")).hexdigest()
    assert datasets.fingerprint(split_of(*labels)) == expected
    assert datasets.fingerprint(split_of(*reversed(labels))) == expected
    assert datasets.fingerprint(split_of(*labels[:3], ("B.jpg", 1, "female"))) != expected


def test_limited_takes_the_smallest_hashes_in_the_splits_order() -> None:
    # By sha256sum: i 313ee641, j 4812418d, k 46f95830, d 6381dff1.
    split = split_of(*((name, 5, None) for name in ("28_1_3_d.JPG", "120_1_2_j.jpg", "0_0_0_i.jpg", "121_1_2_k.jpg")))
    two = datasets.limited(split, 2)
    assert [sample.name for sample in two.samples] == ["0_0_0_i.jpg", "121_1_2_k.jpg"]
    assert two.notes == ("2 dropped", "limited to 2 of 4")
    assert [s.name for s in datasets.limited(split, 3).samples] == ["120_1_2_j.jpg", "0_0_0_i.jpg", "121_1_2_k.jpg"]
    assert datasets.limited(split, 4) == split
    with pytest.raises(BadInput, match=r"--limit 0: must be 1 or more"):
        datasets.limited(split, 0)
