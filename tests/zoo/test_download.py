"""Files over HTTP from this machine, with a server that can be told to misbehave."""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from tiny import Served, files_in, weights_of

from zoo.download import Unreachable, WrongBytes, from_folder, from_stream, from_url
from zoo.fields import Weights

CONTENT = np.random.default_rng(7).bytes(300_007)


@pytest.fixture
def weights() -> Weights:
    return weights_of(CONTENT, role="mean", file="mean.bin")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "store" / "mean.bin"


@pytest.mark.parametrize("promise", [True, False], ids=["Content-Length", "no length"])
def test_a_file_arrives_whole(served: Served, weights: Weights, target: Path, promise: bool) -> None:
    served.content, served.promise = CONTENT, promise
    from_url(served.url, weights, target)
    assert target.read_bytes() == CONTENT
    assert files_in(target.parent) == ["mean.bin"]


def test_what_broke_off_is_gone_on_with(served: Served, weights: Weights, target: Path) -> None:
    served.content, served.break_after = CONTENT, 100_003
    with pytest.raises(Unreachable, match="broke off after 100003 of 300007 bytes"):
        from_url(served.url, weights, target)
    assert files_in(target.parent) == ["mean.bin.part"]
    served.break_after = None
    from_url(served.url, weights, target)
    assert served.ranges == [None, "bytes=100003-"]
    assert target.read_bytes() == CONTENT
    assert files_in(target.parent) == ["mean.bin"]


def test_a_server_without_ranges_starts_over(served: Served, weights: Weights, target: Path) -> None:
    served.content, served.honour_range = CONTENT, False
    target.parent.mkdir()
    Path(f"{target}.part").write_bytes(CONTENT[:17])
    from_url(served.url, weights, target)
    assert served.ranges == ["bytes=17-"]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "left", [b"something else" * 99, CONTENT[:-1] + b"?", CONTENT + b"?"], ids=["start", "all", "more"]
)
def test_what_was_left_of_another_file_is_thrown_away(
    served: Served, weights: Weights, target: Path, left: bytes
) -> None:
    served.content = CONTENT
    target.parent.mkdir()
    Path(f"{target}.part").write_bytes(left)
    from_url(served.url, weights, target)
    assert target.read_bytes() == CONTENT
    assert served.ranges[-1] is None


@pytest.mark.parametrize(
    ("content", "promise", "got"),
    [
        (CONTENT[::-1], True, "expected sha256 .*, got [0-9a-f]{64}"),
        (CONTENT[:-1], True, "expected 300007 bytes, got 300006"),
        (CONTENT[:-1], False, "expected 300007 bytes, got 300006"),
        (CONTENT + b"?", True, "expected 300007 bytes, got 300008"),
        (CONTENT * 9, False, "expected 300007 bytes, got more than 300007"),
    ],
)
def test_wrong_bytes_leave_nothing(
    served: Served, weights: Weights, target: Path, content: bytes, promise: bool, got: str
) -> None:
    served.content, served.promise = content, promise
    with pytest.raises(WrongBytes, match=f"^mean.bin from {served.url}: {got}$"):
        from_url(served.url, weights, target)
    assert not target.parent.exists() or files_in(target.parent) == []


def test_an_endless_answer_is_cut_off(served: Served, weights: Weights, target: Path) -> None:
    done = threading.Event()
    served.content, served.promise, served.after_body = CONTENT * 9, False, lambda: done.wait(30)
    with pytest.raises(WrongBytes, match="expected 300007 bytes, got more than 300007"):
        from_url(served.url, weights, target, timeout_s=2)
    done.set()


def test_no_more_is_read_than_it_takes_to_see_that_it_is_too_much(weights: Weights, target: Path) -> None:
    stream = io.BytesIO(CONTENT * 9)
    with pytest.raises(WrongBytes, match=r"^mean.bin from a stream: expected 300007 bytes, got more than 300007$"):
        from_stream(stream, weights, target, "a stream")
    assert stream.tell() == len(CONTENT) + 1


def test_a_shorter_file_than_what_was_left(served: Served, weights: Weights, target: Path) -> None:
    served.content = CONTENT[:50]
    target.parent.mkdir()
    Path(f"{target}.part").write_bytes(CONTENT[:60])
    with pytest.raises(WrongBytes, match="expected 300007 bytes, got 50"):
        from_url(served.url, weights, target)
    assert served.ranges == ["bytes=60-", None]
    assert files_in(target.parent) == []


def test_a_refusal_is_unreachable(served: Served, weights: Weights, target: Path) -> None:
    served.status = 404
    with pytest.raises(Unreachable, match=f"^{served.url}: HTTP 404 Not Found$"):
        from_url(served.url, weights, target)


def test_nobody_there_is_unreachable(served: Served, weights: Weights, target: Path) -> None:
    with pytest.raises(Unreachable, match=r"^http://127.0.0.1:9/x: .*refused"):
        from_url("http://127.0.0.1:9/x", weights, target)


@pytest.mark.parametrize("break_after", [0, 1009])
def test_a_server_that_falls_silent_is_unreachable(
    served: Served, weights: Weights, target: Path, break_after: int
) -> None:
    done = threading.Event()
    served.content, served.break_after, served.after_body = CONTENT, break_after, lambda: done.wait(30)
    with pytest.raises(Unreachable, match=r"broke off: .*timed out"):
        from_url(served.url, weights, target, timeout_s=0.3)
    done.set()
    assert files_in(target.parent) == (["mean.bin.part"] if break_after else [])


def test_killed_half_way_it_goes_on_from_there(served: Served, weights: Weights, target: Path) -> None:
    done = threading.Event()
    served.content, served.break_after, served.after_body = CONTENT, 200_003, lambda: done.wait(60)
    child = multiprocessing.get_context("spawn").Process(target=from_url, args=(served.url, weights, target))
    child.start()
    part = Path(f"{target}.part")
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    done.set()
    left = part.stat().st_size
    assert left > 100_000
    served.break_after, served.after_body = None, lambda: None
    from_url(served.url, weights, target)
    assert served.ranges == [None, f"bytes={left}-"]
    assert target.read_bytes() == CONTENT


def test_a_copy_that_fails_half_way_leaves_nothing(
    weights: Weights, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mean.bin").write_bytes(CONTENT)
    monkeypatch.setattr("zoo.download.CHUNK", "not a size")
    with pytest.raises(TypeError):
        from_folder(tmp_path / "mean.bin", weights, target)
    assert files_in(target.parent) == []
