"""How a check is told: each form is read back by a reader that is not ours."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

from bench.check import formats
from bench.check.findings import Finding, Judged
from converters.errors import BadInput

NASTY = "50 %, a|b\n<script>:: \x1b[31m é"
FINDINGS = (
    Finding("tiny, opencv", "latency", "ok", "1 ms", "1 ms", "equal"),
    Finding("tiny, opencv", "nodes", "regression", "24 nodes", "25 nodes", "+1 in the file"),
    Finding(NASTY, "status", "vanished", "ok", "-", NASTY),
    Finding("tiny, opencv", "memory", "better", "200 MB", "100 MB", "-50%"),
    Finding("the run", "latency", "open", "-", "-", "too few rounds"),
)
JUDGED = Judged("check of now against base", FINDINGS)


def rendered(form, judged=JUDGED, everything=False):
    return formats.named(form).render(judged, everything=everything)


def test_the_table_for_people_has_what_is_not_fine_the_worst_first():
    text = rendered("text")
    assert text.startswith("check of now against base: FAILED; 1 regression, 1 open, 1 vanished, 1 better, 1 ok\n")
    verdicts = [line.split()[0] for line in text.splitlines()[4:] if line[:1].strip()]
    assert verdicts == ["regression", "open", "vanished", "better"]
    assert "\x1b" not in text
    assert "equal" not in text
    assert "equal" in rendered("text", everything=True)


def test_all_that_is_fine_is_one_line():
    assert rendered("text", Judged("t", FINDINGS[:1])) == "t: passed; 1 ok\n"


def test_many_that_fail_nothing_are_cut_short_and_counted_and_those_that_fail_are_not():
    open_ = tuple(Finding(f"case {n}", "latency", "open", "-", "-", "w") for n in range(30))
    bad = tuple(Finding(f"bad {n}", "latency", "regression", "-", "-", "w") for n in range(30))
    text = rendered("text", Judged("t", open_ + bad))
    assert (text.count("bad "), text.count("case "), "and 22 more" in text) == (30, 8 + 1, True)
    assert rendered("text", Judged("t", open_), everything=True).count("case ") == 30 + 1
    assert rendered("text", Judged("t", open_, strict=True)).count("case ") == 30 + 1


def test_github_has_an_annotation_for_each_and_no_line_that_could_be_a_command(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    *lines, headline = rendered("github").splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::warning", "::notice"]
    assert lines[0] == "::error title=regression%3A nodes of tiny%2C opencv::24 nodes -> 25 nodes: +1 in the file"
    assert "50 %25" in lines[2]
    assert "%0A<script>" in lines[2]
    assert headline == JUDGED.headline()


def test_github_says_how_many_it_would_drop(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    many = tuple(Finding(f"case {n}", "latency", "regression", "-", "-", "w") for n in range(13))
    *lines, _ = rendered("github", Judged("t", many)).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "::error title=agebench::and 4 more: see the job summary"


def test_github_appends_a_summary_whose_table_is_whole(monkeypatch, tmp_path):
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    rendered("github")
    lines = path.read_text().splitlines()
    assert lines[0] == "before"
    assert lines[1].startswith("### ❌ check of now")
    rows = [line for line in lines if line.startswith("|")]
    assert len(rows) == 2 + 4
    assert {line.replace("\\|", "").count("|") for line in rows} == {7}
    assert "<script" not in "".join(lines)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "no" / "such"))
    with pytest.raises(BadInput, match="cannot be written"):
        rendered("github")


@pytest.mark.parametrize(("strict", "failures", "skipped"), [(False, 1, 2), (True, 3, 0)])
def test_junit_counts_what_it_holds(strict, failures, skipped):
    root = ET.fromstring(rendered("junit", Judged("t", FINDINGS, strict=strict)).encode())
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == (
        "testsuites",
        "5",
        str(failures),
        "0",
    )
    assert len(root.findall(".//failure")) == failures
    assert len(root.findall(".//skipped")) == skipped
    for suite in root:
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
    assert {test.get("classname") for test in root.iter("testcase")} >= {"agebench.latency", "agebench.nodes"}


def test_json_has_every_finding():
    told = json.loads(rendered("json"))
    assert (told["passed"], told["counts"]["ok"], len(told["findings"])) == (False, 1, len(FINDINGS))
    assert told["findings"][1]["fails"] is True
    assert told["findings"][2]["case"] == NASTY
