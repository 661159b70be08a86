"""How a command line ends: one line that a terminal can show, and the right exit code."""

from __future__ import annotations

import errno
import os

import pytest

from converters.__main__ import main as converters_main
from converters.caffe import convert
from converters.errors import LONGEST_LINE, BadInput, Unsupported, one_line, run_command


def ended(error):
    def main(_):
        raise error

    return run_command(main, [])


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (BadInput("a.prototxt: is wrong"), ["error: a.prototxt: is wrong"]),
        (BadInput("layer 'a\nb\x1b[31m'"), ["error: layer 'a\\nb\\x1b[31m'"]),
        (BadInput("here:", ["one\ntwo", "three"]), ["error: here:", "  one\\ntwo", "  three"]),
        (Unsupported("no such layer"), ["error: no such layer"]),
        (OSError(errno.EACCES, "Permission denied", "net.onnx"), ["error: net.onnx: Permission denied"]),
        (OSError(errno.ENOSPC, "No space left on device"), ["error: No space left on device"]),
        (MemoryError(), ["error: out of memory; is a file or a size in it far too large?"]),
    ],
)
def test_what_a_person_can_mend_is_exit_2_and_one_line(capsys, error, lines):
    assert ended(error) == 2
    assert capsys.readouterr().err.splitlines() == lines


def test_ctrl_c_is_130(capsys):
    assert ended(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("error", [ValueError("ours"), OSError(errno.EIO, "Input/output error")])
def test_our_own_faults_keep_their_traceback(error):
    with pytest.raises(type(error)):
        ended(error)


def test_debug_shows_the_traceback_and_is_no_argument(capsys):
    seen = []

    def main(arguments):
        seen.extend(arguments)
        raise BadInput("no")

    assert run_command(main, ["--debug", "x"]) == 2
    assert seen == ["x"]
    assert capsys.readouterr().err.startswith("Traceback")


def test_a_line_is_never_endless():
    assert len(one_line("x" * 3_000_000)) < LONGEST_LINE + 50


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: os.mkfifo(p), lambda p: p.symlink_to("/dev/zero")])
def test_what_is_no_regular_file_is_not_read(tmp_path, capsys, make):
    path = tmp_path / "net.prototxt"
    make(path)
    assert run_command(converters_main, ["caffe", str(path), "-o", str(tmp_path / "o.onnx")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line


@pytest.mark.parametrize("quote", ['"', "'"])
@pytest.mark.parametrize("tail", ["", "\\", "\n"])
def test_strings_that_are_not_closed_are_read_once(tmp_path, quote, tail):
    """Tried again from each quote, this file would take hours."""
    path = tmp_path / "net.prototxt"
    path.write_text("layer { " + f"a\\{quote}" * 300_000 + tail)
    with pytest.raises(BadInput):
        convert(path)
