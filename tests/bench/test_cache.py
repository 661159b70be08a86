"""Outputs that are kept: what went in comes out, nothing else does, and a broken file is none the worse for it."""

import hashlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from bench import cache as module
from bench.cache import Cache

KEY = {"backend": "mine", "threads": 2}


def images(count, first=0):
    return [hashlib.sha256(bytes([number])).digest() for number in range(first, first + count)]


def outputs(count, seed=1):
    generator = np.random.default_rng(seed)
    years = generator.normal(size=(count, 2, 3))  # of several views: float64
    return {"prob": generator.normal(size=(count, 7)).astype(np.float32), "age": years, "one": years[:, 0, 0]}


def keep(folder, count, first=0, key=KEY, seed=1):
    with Cache(folder, key) as cache:
        cache.put(images(count, first), outputs(count, seed))


def known(folder, count, key=KEY):
    with Cache(folder, key) as cache:
        return [cache.get(image) for image in images(count)]


def test_what_is_kept_comes_back_to_the_bit(tmp_path):
    keep(tmp_path, 5)
    found = known(tmp_path, 6)
    assert found[5] is None
    for row, one in enumerate(found[:5]):
        assert one.keys() == {"prob", "age", "one"}
        for name, output in outputs(5).items():
            assert one[name].dtype == output.dtype
            assert_array_equal(one[name], output[row], strict=True)


@pytest.mark.parametrize("other", [{"backend": "yours", "threads": 2}, {"backend": "mine", "threads": 1}, {}])
def test_what_was_made_otherwise_is_not_known(tmp_path, other):
    keep(tmp_path, 5)
    assert known(tmp_path, 5, other) == [None] * 5


def test_a_pass_finds_what_was_there_when_it_began(tmp_path):
    keep(tmp_path, 2)
    with Cache(tmp_path, KEY) as cache:
        assert cache.get(images(1)[0]) is not None  # its view begins
        cache.put(images(3, 2), outputs(3))
        keep(tmp_path, 2, 5)
        assert [cache.get(image) is not None for image in images(7)] == [True] * 2 + [False] * 5
    assert None not in known(tmp_path, 7)


def test_processes_write_at_the_same_time(tmp_path):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; from pathlib import Path; import test_cache\n"
        "for n in range(12): test_cache.keep(Path(sys.argv[3]), 3, int(sys.argv[4]) + 3 * n)"
    )
    tests = Path(__file__).parent
    writing = [
        subprocess.Popen([sys.executable, "-c", code, str(tests), str(tests.parent.parent), str(tmp_path), str(first)])
        for first in (0, 36)
    ]
    assert [process.wait(60) for process in writing] == [0, 0]
    assert None not in known(tmp_path, 72)
    assert len(list(tmp_path.glob("*.sqlite"))) == 1


def test_what_a_killed_process_kept_is_known(tmp_path):
    code = (
        "import os, sys; sys.path[:0] = sys.argv[1:3]; from pathlib import Path; import test_cache as t\n"
        "cache = t.Cache(Path(sys.argv[3]), t.KEY).__enter__(); cache.put(t.images(4), t.outputs(4))\n"
        "cache._writer.execute('BEGIN IMMEDIATE'); cache._writer.execute('DELETE FROM outputs')\n"
        "os.kill(os.getpid(), 9)"
    )
    tests = Path(__file__).parent
    killed = subprocess.run(
        [sys.executable, "-c", code, str(tests), str(tests.parent.parent), str(tmp_path)], timeout=60
    )
    assert killed.returncode == -9
    assert [one is not None for one in known(tmp_path, 5)] == [True] * 4 + [False]


def _garbage(path):
    path.write_bytes(b"no database" * 500)


def _cut(path):
    path.write_bytes(path.read_bytes()[:9000])


def _another_schema(path):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE about (something)")


def _other_numbers(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE outputs SET output = zeroblob(length(output))")


def _another_key(path):
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE about SET key = 'else'")


@pytest.mark.parametrize("breaking", [_garbage, _cut, _another_schema, _other_numbers, _another_key])
def test_a_broken_file_is_put_aside_with_one_line_and_made_anew(tmp_path, capsys, breaking):
    keep(tmp_path, 200)
    (path,) = tmp_path.glob("*.sqlite")
    breaking(path)
    broken = path.read_bytes()
    with Cache(tmp_path, KEY) as cache:
        assert cache.get(images(1)[0]) is None
        cache.put(images(3), outputs(3))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{path}: is broken (")
    assert line.endswith(f"it is now {path.stem}.broken, and made anew")
    assert len(path.with_suffix(".broken").read_bytes()) >= len(broken) // 2
    found = known(tmp_path, 4)
    assert found[3] is None
    assert_array_equal(found[2]["prob"], outputs(3)["prob"][2], strict=True)


def test_outputs_of_other_shapes_under_the_same_key_are_never_mixed(tmp_path, capsys):
    keep(tmp_path, 2)
    with Cache(tmp_path, KEY) as cache:
        cache.put(images(1), {"prob": np.ones((1, 3), np.float32)})
    assert "outputs of other shapes" in capsys.readouterr().err
    assert known(tmp_path, 2) == [None, None]


def test_a_folder_that_cannot_be_written_is_told_and_costs_only_the_cache(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    with Cache(tmp_path / "file", KEY) as cache:
        cache.put(images(2), outputs(2))
        assert cache.get(images(1)[0]) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert "nothing more is cached there" in line


def test_a_full_disk_is_told_and_costs_only_the_cache(tmp_path, capsys, monkeypatch):
    keep(tmp_path, 1)
    with Cache(tmp_path, KEY) as cache:
        cache._writer.execute("PRAGMA max_page_count = 1")
        cache.put(images(200), outputs(200))
        assert cache.get(images(1)[0]) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("nothing more is cached there: database or disk is full")
    assert [one is not None for one in known(tmp_path, 3)] == [True, False, False]
    assert module.PATIENCE_S > 0
