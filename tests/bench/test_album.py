"""The pictures of a report: the same whoever draws them, and each there or an error."""

from __future__ import annotations

import os
import re

import pytest

from bench.report import album
from bench.report.album import Album
from bench.report.pictures import new_figure
from converters.errors import BadInput


def figure(height: float):
    made, (axes,) = new_figure(3, height, 1)
    axes.plot([1, 2, 5], [2, height, 3], label="a & b")
    axes.set_title(f"{height} < 11")
    made.legend(loc="outside upper center")
    return made


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_pictures_are_the_same_whether_drawn_here_or_by_other_processes(tmp_path, monkeypatch):
    pids = []
    monkeypatch.setattr(album, "WORTH", 1)
    for cores in (1, 2):
        monkeypatch.setattr(album, "cores", lambda cores=cores: cores)
        (tmp_path / str(cores)).mkdir()
        book = Album(tmp_path / str(cores))
        assert [book.add(figure(height), f"of {height}/years") for height in (2, 3)] == [
            "of-2-years.png", "of-3-years.png"
        ]  # fmt: skip
        drawn = album._palette
        monkeypatch.setattr(album, "_palette", lambda png, drawn=drawn: (pids.append(os.getpid()), drawn(png))[1])
        assert files(tmp_path / str(cores)) == {}
        book.draw()
        monkeypatch.setattr(album, "_palette", drawn)
    one, two = (files(tmp_path / cores) for cores in "12")
    assert one == two
    assert sorted(one) == ["of-2-years.png", "of-2-years.svg", "of-3-years.png", "of-3-years.svg"]
    assert one["of-2-years.png"] != one["of-3-years.png"]
    assert pids == [os.getpid()] * 2  # of one core alone: with two, nobody drew here


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path):
    book = Album(tmp_path / "gone")
    book.add(figure(2), "picture")
    with pytest.raises(BadInput, match=re.escape(str(tmp_path / "gone"))):
        book.draw()
