"""Work in processes of its own: what comes back, what does not, and what is drawn meanwhile."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from converters.errors import BadInput, Unsupported
from zoo import progress
from zoo.parallel import processes

ROOT = Path(__file__).parents[2]


def double(number: int, *, after: float = 0) -> tuple[int, int]:
    time.sleep(after)
    return 2 * number, os.getpid()


def refuse(number: int) -> None:
    raise Unsupported(f"{number} is too many", ["one", "two"])


def stop(code: int) -> None:
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_piece_of_work_has_its_answer(jobs: int) -> None:
    with processes(jobs) as start:
        futures = [start("double", double, number, after=0.2 / (1 + number)) for number in range(4)]
        answers = [future.result() for future in futures]
    assert [doubled for doubled, _ in answers] == [0, 2, 4, 6]
    assert len({process for _, process in answers}) == jobs
    assert (os.getpid() in {process for _, process in answers}) == (jobs == 1)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_wrong_is_raised_here_and_the_others_go_on(jobs: int) -> None:
    with processes(jobs) as start:
        wrong, right = start("refuse", refuse, 5), start("double", double, 4)
        with pytest.raises(Unsupported, match=r"^5 is too many$") as refused:
            wrong.result()
        assert refused.value.details == ("one", "two")
        assert right.result()[0] == 8


def read(path: Path) -> bytes:
    return path.read_bytes()


def overflow() -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_the_disk_says_is_told_in_one_line(jobs: int, tmp_path: Path) -> None:
    with processes(jobs) as start:
        futures = [start("read", read, tmp_path), start("overflow", overflow), start("double", double, 4)]
        with pytest.raises(BadInput, match=f"^{tmp_path}: Is a directory$"):
            futures[0].result()
        with pytest.raises(BadInput, match=r"^No space left on device$"):
            futures[1].result()
        assert futures[2].result()[0] == 8


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-signal.SIGKILL, "was killed; if memory was short, --jobs 1 takes less"),
        (-signal.SIGSEGV, "died of SIGSEGV"),
        (7, "ended with exit code 7"),
    ],
)
def test_a_process_that_dies_is_told_and_its_work_alone_is_lost(code: int, said: str) -> None:
    with processes(2) as start:
        futures = [start("one", double, 1), start("convert x", stop, code), *(start("more", double, i) for i in (2, 3))]
        with pytest.raises(BadInput, match=f"^convert x: its process {said}$"):
            futures[1].result()
        assert [futures[i].result()[0] for i in (0, 2, 3)] == [2, 4, 6]


PARENT = """
import sys
sys.path.insert(0, {folder!r})
import test_parallel
from zoo.parallel import processes
if __name__ == "__main__":
    with processes(2) as start:
        for future in [start("double", test_parallel.double, 1, after=nap) for nap in (0.2, 2)]:
            print(future.result()[1], flush=True)
"""


def test_the_workers_end_when_their_parent_is_killed() -> None:
    code = PARENT.format(folder=str(Path(__file__).parent))
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert _gone(worker)


def _gone(process: int) -> bool:
    for _ in range(600):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_who_watches_sees_what_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Terminal()
    monkeypatch.setattr(sys, "stderr", watched)
    monkeypatch.setenv("TERM", "xterm")
    with progress.task("build", 3) as advance, progress.task("model.bin", 2_000_000, "bytes") as arrived:
        advance(1)
        arrived(1_500_000)
        with progress.task("convert one"):
            (drawing, *others) = progress._drawn
            assert others == [drawing, drawing]
            drawing.refresh()
    drawn = watched.getvalue()
    for text in ("build", "1 of 3", "model.bin", "1.5 MB of 2.0 MB", "convert one"):
        assert text in drawn
    assert progress._drawn == []


def test_who_does_not_watch_sees_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.task("build", 3) as advance:
        advance(2)
    assert capsys.readouterr() == ("", "")
    assert progress._drawn == []
