"""The migration guide's code on the real files: OpenCV 5 with the new ones gives what OpenCV 4 gave with Caffe's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from migration_guide import COMMANDS, GUIDE, NEW, OLD, PYTHON, SHARED, photograph
from numpy.testing import assert_allclose

import converters.__main__

OPENCV_4 = cv2.__version__.startswith("4.")
ENGINE = ", cv2.dnn.ENGINE_NEW"
"""What OpenCV 4 does not know."""


@pytest.fixture(scope="module")
def golden():
    with np.load(Path(__file__).parent / "golden" / "migration.npz") as found:
        return dict(found)


@pytest.fixture
def files(tmp_path, monkeypatch, face_detector, levi_hassner):
    """Lay the files that the guide names into the current folder."""
    (tmp_path / "deploy.prototxt").symlink_to(face_detector["prototxt"])
    (tmp_path / face_detector["caffemodel"].name).symlink_to(face_detector["caffemodel"])
    for name, network in levi_hassner.items():
        (tmp_path / f"deploy_{name}.prototxt").symlink_to(network.files["prototxt"])
        (tmp_path / f"{name}_net.caffemodel").symlink_to(network.files["caffemodel"])
    monkeypatch.chdir(tmp_path)


def check(names, golden):
    rows = names["rows"][names["rows"][:, 2] > 0]
    assert len(names["faces"]) == 2
    assert_allclose(rows, golden["rows"], atol=1e-4)
    assert_allclose(names["ages"], golden["ages"], atol=1e-4)
    assert_allclose(names["genders"], golden["genders"], atol=1e-4)


def test_the_guide_has_the_blocks_that_are_run(golden):
    assert (len(OLD), len(NEW), len(SHARED), len(PYTHON)) == (2, 2, 2, 6)
    assert str(golden["code"]) == "".join(OLD), "the guide changed: run tests/golden/make_migration.py again"
    lines = [line for line in GUIDE.read_text(encoding="utf-8").splitlines() if line[:1] in "+-" and "readNet" in line]
    assert len(lines) == 2
    for line, blocks in zip(lines, (OLD, NEW), strict=True):
        assert line.split(" = ")[1].split("(")[0] in blocks[0]


@pytest.mark.parametrize("detector", [True, False])
def test_the_new_code_gives_what_the_old_one_gave(files, golden, capsys, detector):
    if detector and OPENCV_4:
        pytest.skip("OpenCV 4 has no NonMaxSuppression: it keeps reading the detector's Caffe files")
    wanted = [line for line in COMMANDS if detector or "age" in line or "gender" in line]
    for line in wanted:
        if "net.caffemodel -o net.onnx" not in line:  # the pattern that the guide begins with
            assert converters.__main__.main(line.split()[3:]) == 0
    assert capsys.readouterr().out.count(" ok") >= len(wanted) - detector
    names = {"cv2": cv2, "image": photograph(), "rows": golden["rows"]}
    code = [NEW[0], *SHARED[:1], NEW[1], SHARED[1]] if detector else [SHARED[0], NEW[1], SHARED[1]]
    for block in code:
        exec(block.replace(ENGINE, "") if OPENCV_4 else block, names)
    check(names, golden)
    assert [sex for _, sex in names["found"]] == ["female", "male"]


@pytest.mark.skipif(not OPENCV_4, reason="OpenCV 5 has no Caffe importer")
def test_the_old_code_runs(files, golden):
    names = {"cv2": cv2, "image": photograph()}
    for block in (OLD[0], SHARED[0], OLD[1], SHARED[1]):
        exec(block, names)
    check(names, golden)
