"""Folders of features in every form, what is wrong with them in a line, and a bare network fed from them."""

import h5py
import numpy as np
import onnx
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from onnx import TensorProto, helper, numpy_helper

from bench import datasets, features
from bench.cli import main
from bench.datasets import limited
from bench.plan import plan
from bench.records import RunConfig
from converters.errors import BadInput
from zoo.card import find_networks
from zoo.fields import Head

ROWS = np.random.default_rng(5).normal(size=(7, 3, 2)).astype(np.float32)
AGES = (1, 22.5, None, 40, 60, 61, 5)
GENDERS = ("male", "female", None, "female", "male", "female", "male")


def cells(values):
    return ["" if value is None else str(value) for value in values]


def labels_csv(folder, columns=("name", "age", "gender")):
    values = {"name": [f"face {i}" for i in range(7)], "age": cells(AGES), "gender": cells(GENDERS)}
    lines = [",".join(columns), *(",".join(row) for row in zip(*(values[c] for c in columns), strict=True))]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")


def write(folder, form, tap="add_98", rows=ROWS):
    """Write the features in one of the forms, with their labels inside or beside them."""
    folder.mkdir(exist_ok=True)
    if form == "npy":
        np.save(folder / f"{tap}.npy", rows)
        labels_csv(folder)
    elif form == "csv":
        header = ["f0", "age", "f1", "f2", "f3", "name", "f4", "f5", "gender"]
        lines = [",".join(header)]
        for i, row in enumerate(rows.reshape(7, -1)):
            f = [repr(float(v)) for v in row]
            age, gender = cells([AGES[i], GENDERS[i]])
            lines.append(",".join([f[0], age, *f[1:4], f"face {i}", *f[4:], gender]))
        (folder / f"{tap}.csv").write_text("\n".join(lines) + "\n")
    else:
        with h5py.File(folder / f"{tap}.{form}", "w") as file:
            file["features"] = rows
            file["age"] = np.array([np.nan if age is None else age for age in AGES])
            file["gender"] = [gender or "" for gender in GENDERS]
            file["name"] = [f"face {i}" for i in range(7)]
    return folder


@pytest.mark.parametrize("form", ["h5", "hdf5", "npy", "csv"])
def test_every_form_gives_the_same_faces(tmp_path, form):
    split = datasets.load("features", write(tmp_path / form, form))
    assert [s.name for s in split.samples] == [f"face {i}" for i in range(7)]
    assert [s.age for s in split.samples] == list(AGES)
    assert [s.gender for s in split.samples] == list(GENDERS)
    found = np.stack([s.features["add_98"] for s in split.samples])
    assert found.dtype == np.float32
    assert_allclose(found, ROWS.reshape(7, 6), rtol=1e-6)
    other = datasets.load("features", write(tmp_path / "other", "npy"))
    assert datasets.fingerprint(split) == datasets.fingerprint(other)


def test_several_taps_stand_side_by_side_and_limited_keeps_them_together(tmp_path):
    write(tmp_path, "npy")
    write(tmp_path, "h5", "stage4_unit1_conv1", -ROWS[:, :, 0])
    split = limited(datasets.load("features", tmp_path), 3)
    assert len(split.samples) == 3
    for sample in split.samples:
        row = int(sample.name.split()[1])
        assert set(sample.features) == {"add_98", "stage4_unit1_conv1"}
        assert_array_equal(sample.features["add_98"], ROWS[row].ravel())
        assert_array_equal(sample.features["stage4_unit1_conv1"], -ROWS[row, :, 0])


def test_one_kind_of_label_is_enough_and_faces_need_no_names(tmp_path):
    write(tmp_path, "npy")
    labels_csv(tmp_path, ("gender",))
    samples = datasets.load("features", tmp_path).samples
    assert [s.name for s in samples] == [f"row {i}" for i in range(7)]
    assert {s.age for s in samples} == {None}


def put(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def hdf5(**sets):
    def change(folder):
        with h5py.File(folder / "b.h5", "w") as file:
            for key, value in sets.items():
                file[key] = value

    return change


def claims_terabytes(folder):
    with h5py.File(folder / "b.h5", "w") as file:
        file.create_dataset("features", (1 << 40, 512), "f4", chunks=(1, 512))


BROKEN = {
    "no labels": (lambda f: (f / "labels.csv").unlink(), "no labels; give a labels.csv"),
    "other columns": (put("labels.csv", b"a,b\n1,2\n"), "labels.csv: the columns are a, b; must be age"),
    "fewer labels": (put("labels.csv", b"age\n1\n2\n"), "labels.csv: has 2 faces, add_98.npy has 7"),
    "an old face": (put("labels.csv", b"age\n" + b"1\n" * 6 + b"200\n"), "the age of face 6 (from 0) is '200'"),
    "no age": (put("labels.csv", b"age\n" + b"1\n" * 6 + b"old\n"), "the age of face 6 (from 0) is 'old'"),
    "no gender": (put("labels.csv", b"gender\n" + b"f\n" * 6 + b"x\n"), "the gender of face 6 (from 0) is 'x'"),
    "names twice": (put("labels.csv", b"name,age\n" + b"a,1\n" * 7), "two faces have the same name"),
    "not UTF-8": (put("labels.csv", b"age\n\xff\n"), "labels.csv: is not a CSV file in UTF-8"),
    "a longer row": (put("labels.csv", b"age\n1,2\n"), "labels.csv, row 2: has 2 cells; must have 1"),
    "only a header": (put("labels.csv", b"age\n"), "labels.csv: must have a header of different names, and a row"),
    "not an array": (put("b.npy", b"nothing"), "b.npy: is not an array in NumPy's format"),
    "pickled": (lambda f: np.save(f / "b.npy", np.array([{}] * 7), allow_pickle=True), "b.npy: is not an array"),
    "one axis": (lambda f: np.save(f / "b.npy", np.zeros(7)), "b.npy: holds float64 of the shape (7,)"),
    "words": (lambda f: np.save(f / "b.npy", np.full((7, 2), "a")), "b.npy: holds <U1 of the shape (7, 2)"),
    "not finite": (
        lambda f: np.save(f / "b.npy", np.full((7, 2), np.nan)),
        "b.npy: face 0 (of 7, from 0) has a feature",
    ),
    "other faces": (lambda f: np.save(f / "b.npy", np.zeros((6, 2))), "b.npy: has 6 faces, add_98.npy has 7"),
    "no number": (put("b.csv", b"x,y\n" + b"1,a\n" * 7), "b.csv: a feature is no number"),
    "no features": (put("b.csv", b"age\n" + b"1\n" * 7), "b.csv: holds float32 of the shape (7, 0)"),
    "two files of a tap": (lambda f: write(f, "h5"), "add_98.h5 and add_98.npy are two files of one tap"),
    "not HDF5": (put("b.h5", b"nothing"), "b.h5: is not an HDF5 file"),
    "HDF5 without features": (hdf5(x=ROWS), "b.h5: no data set 'features'; there are: x"),
    "HDF5 of terabytes": (claims_terabytes, "b.h5: holds a data set of more than 32 GB"),
    "labels that differ": (hdf5(features=ROWS, age=np.full(7, 1.0)), "the age of face 1 (from 0) is "),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_with_a_folder_is_one_line(tmp_path, what):
    change, said = BROKEN[what]
    change(write(tmp_path / "faces", "npy"))
    with pytest.raises(BadInput) as error:
        datasets.load("features", tmp_path / "faces")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_without_features_or_none_at_all_is_one_line(tmp_path):
    with pytest.raises(BadInput, match=r"no such folder; give one with <tap>\.h5"):
        datasets.load("features", tmp_path / "none")
    labels_csv(tmp_path)
    with pytest.raises(BadInput, match="holds no features; give a folder with"):
        datasets.load("features", tmp_path)


def test_data_verify_says_what_is_inside(tmp_path, capsys):
    assert main(["data", "verify", f"features={write(tmp_path, 'h5')}"]) == 0
    said = capsys.readouterr().out
    assert "features:all: 7 faces" in said
    assert "tap add_98: 6 features a face" in said
    assert "gender: 3 female, 3 male, 1 unknown" in said
    assert "0-2 1, 4-6 1" in said
    assert "images" not in said


def test_a_network_of_images_is_skipped_and_says_why(tmp_path):
    split = datasets.load("features", write(tmp_path, "npy"))
    cards = find_networks("levi-hassner-gender")
    config = RunConfig(
        networks=tuple(cards), backends=("onnxruntime",), device="cpu", precisions=("fp32",), data=(), batches=(1,),
        threads=1, limit=None, only="accuracy",
    )  # fmt: skip
    (planned,) = plan(config, cards, {"onnxruntime": "cpu"}, {}, {}, [split])
    assert planned.skip == "features:all holds features (add_98), and the network wants images"


@pytest.fixture
def bare(tmp_path):
    """Return a network of two outputs: ten times the first feature, and the first two features."""
    pick = np.zeros((6, 3), np.float32)
    pick[0, 0], pick[0, 1], pick[1, 2] = 10, 1, 1
    tensor = helper.make_tensor_value_info
    nodes = [
        helper.make_node("MatMul", ["features", "pick"], ["both"]),
        helper.make_node("Split", ["both", "sizes"], ["years", "gender"], axis=1),
    ]
    constants = [numpy_helper.from_array(pick, "pick"), numpy_helper.from_array(np.array([1, 2]), "sizes")]
    outputs = [tensor(name, TensorProto.FLOAT, ["N", size]) for name, size in (("years", 1), ("gender", 2))]
    graph = helper.make_graph(nodes, "bare", [tensor("features", TensorProto.FLOAT, ["N", 6])], outputs, constants)
    path = tmp_path / "bare.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


YEARS = Head(task="age", output="years", decode="scalar", labels=())
GENDER = Head(task="gender", output="gender", decode="argmax", labels=("female", "male"))


def test_a_bare_network_is_scored_on_a_tap(tmp_path, bare):
    split = datasets.load("features", write(tmp_path / "faces", "npy"))
    found = {(s.head, s.task, s.metric): s for s in features.score(bare, (YEARS, GENDER), split, "add_98")}
    rows = ROWS.reshape(7, 6)
    known = [i for i in range(7) if AGES[i] is not None]
    errors = [abs(10 * rows[i, 0] - AGES[i]) for i in known]
    assert found["years", "age", "mae"].value == pytest.approx(np.mean(errors), rel=1e-5)
    hits = [("male" if rows[i, 1] > rows[i, 0] else "female") == GENDERS[i] for i in range(7) if GENDERS[i]]
    assert found["gender", "gender", "accuracy"].value == pytest.approx(np.mean(hits))
    assert found["gender", "gender", "accuracy"].n == 6


@pytest.mark.parametrize(
    ("tap", "rows", "heads", "said"),
    [
        ("add_99", ROWS, (YEARS,), "features:all has no tap 'add_99'; there are: add_98"),
        ("add_98", ROWS[:, :2], (YEARS,), "add_98 has 4 features a face: give a network of one input (N, 4)"),
        ("add_98", ROWS, (YEARS.model_copy(update={"output": "age"}),), "no output 'age'; there are: years, gender"),
        ("add_98", ROWS, (YEARS.model_copy(update={"output": "gender"}),), "has 2 values a face"),
    ],
)
def test_a_bare_network_that_does_not_fit_is_one_line(tmp_path, bare, tap, rows, heads, said):
    split = datasets.load("features", write(tmp_path / "faces", "npy", rows=rows))
    with pytest.raises(BadInput) as error:
        features.score(bare, heads, split, tap)
    assert said in str(error.value)
