"""The command line: exit codes, one line for what went wrong, and a file that is there whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from caffe_nets import write
from layer_cases import one_layer

from converters import __main__ as command
from converters.caffe import verify
from converters.errors import run_command
from converters.verify import Comparison, Difference

BOTTOM = (2, 3, 7, 11)


@pytest.fixture
def files(tmp_path):
    return write(tmp_path, one_layer("InnerProduct", "inner_product_param { num_output: 5 }", BOTTOM), BOTTOM)


def call(*arguments):
    return run_command(command.main, [str(argument) for argument in arguments])


def test_convert_and_verify(files, tmp_path, capsys):
    out = tmp_path / "out.onnx"
    assert call("caffe", *files, "-o", out, "--verify") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{out}: {out.stat().st_size} bytes, 2 nodes, ")
    assert lines[1].startswith("judge: ")
    assert all(line.startswith("top  ") for line in lines[3:])
    onnx.checker.check_model(str(out), full_check=True)
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_difference_is_exit_code_1(files, tmp_path, capsys, monkeypatch):
    rows = [Comparison("top", "some runtime 1.0", Difference(0.5, 0.1), False)]
    monkeypatch.setattr(verify, "verify", lambda *a: (rows, {}))
    assert call("caffe", *files, "-o", tmp_path / "out.onnx", "--verify") == 1
    assert "top  some runtime 1.0  max_abs 0.5  max_rel 0.1  FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(("channels", "lowered"), [(7, 7), (48, 6)], ids=["k by an Add", "k as the bias"])
def test_lrn_form(tmp_path, channels, lowered):
    prototxt, _ = write(tmp_path, one_layer("LRN", "", (2, channels, 5, 3)), (2, channels, 5, 3))
    for form, count in (("native", 1), ("lowered", lowered)):
        assert call("caffe", prototxt, "-o", tmp_path / form, "--lrn", form) == 0
        assert len(onnx.load(tmp_path / form).graph.node) == count


def error_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_wrong_input_is_one_line(files, tmp_path, capsys):
    assert call("caffe", tmp_path / "no.prototxt", "-o", tmp_path / "out.onnx") == 2
    assert error_line(capsys).startswith(f"error: {tmp_path / 'no.prototxt'}: cannot be read")
    files[1].write_bytes(files[1].read_bytes()[:-7])
    assert call("caffe", *files, "-o", tmp_path / "out.onnx") == 2
    assert "not a whole caffemodel: cut off after" in error_line(capsys)
    assert not (tmp_path / "out.onnx").exists()


def test_out_that_cannot_be_written(files, tmp_path, capsys):
    for out in (tmp_path / "no folder" / "out.onnx", tmp_path):
        assert call("caffe", *files, "-o", out) == 2
        assert error_line(capsys).startswith(f"error: {out}: cannot be written: ")
    assert call("caffe", *files, "-o", files[0]) == 2
    assert "is a source file" in error_line(capsys)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_devices_stay_devices(files, capsys):
    assert call("caffe", *files, "-o", "/dev/full") == 2
    assert error_line(capsys).startswith("error: /dev/full: cannot be written: No space left on device")
    assert call("caffe", *files, "-o", "/dev/null") == 0
    assert Path("/dev/full").is_char_device()
    assert Path("/dev/null").is_char_device()


def test_full_disk_leaves_the_old_file(files, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out.onnx"
    out.write_text("old")
    real = Path.replace

    def full(path, target):
        real(path, path)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert call("caffe", *files, "-o", out) == 2
    assert error_line(capsys) == (
        f"error: {out}: cannot be written: No space left on device; give a file in a folder with room"
    )
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.onnx", "tiny.caffemodel", "tiny.prototxt"]


def test_usage_errors_are_exit_code_2(capsys):
    for arguments in ((), ("caffe",), ("keras",), ("caffe", "a", "b")):
        with pytest.raises(SystemExit) as caught:
            call(*arguments)
        assert caught.value.code == 2
    assert "-o" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from converters.__main__ import _parser; _parser().format_help(); "
        "print(sorted({'onnx', 'cv2', 'onnxruntime', 'numpy', 'google.protobuf'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
