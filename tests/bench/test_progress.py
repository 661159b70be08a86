"""The live table: what is done, running and left, by backend; one line a case where nobody is watching."""

from __future__ import annotations

from bench_cases import latency_case
from rich.console import Console

from bench.progress import Display
from bench.records import Latency, Result

CASES = [latency_case(backend, batch=batch) for batch in (1, 8) for backend in ("onnxruntime", "opencv")]


def rendered(display):
    console = Console(width=120, no_color=True)
    with console.capture() as captured:
        console.print(display.shown())
    return [line.split() for line in captured.get().splitlines()]


def test_every_case_is_done_running_or_left():
    display = Display(CASES)
    assert rendered(display)[1:3] == [["onnxruntime", "-", "-", "-", "-", "2"], ["opencv", "-", "-", "-", "-", "2"]]
    display.started(CASES[:2])
    display.working("latency tiny batch 1", "round 3/10")
    rows = rendered(display)
    assert rows[0] == ["backend", "ok", "skipped", "failed", "running", "left"]
    assert rows[1:3] == [["onnxruntime", "-", "-", "-", "1", "1"], ["opencv", "-", "-", "-", "1", "1"]]
    assert "3/10" in " ".join(rows[3])
    latency = Latency(times_ms=(2.0, 3.0, 4.0), cold_ms={})
    display.finished(Result(case=CASES[0], status="ok", latency=latency))
    display.finished(Result(case=CASES[1], status="failed", reason="it crashed"))
    rows = rendered(display)
    assert rows[1:3] == [["onnxruntime", "1", "-", "-", "-", "1"], ["opencv", "-", "-", "1", "-", "1"]]
    assert "2/4" in rows[3]


def test_without_a_terminal_each_case_is_one_line_and_nothing_else(capsys):
    with Display(CASES) as display:
        display.started(CASES[:2])
        display.working("latency tiny batch 1", "round 3/10")
        display.finished(Result(case=CASES[1], status="failed", reason="it crashed"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"[1/4] failed: {CASES[1]}: it crashed\n"
