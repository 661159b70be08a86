"""The action and the workflows: every command in them exists and takes its options, and scripts run where they can.

GitHub itself is not here; what can be judged without it is: ``make lint`` holds them against GitHub's own schemas.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

import bench.cli
import converters.__main__
import zoo.__main__
from bench.ab import specs

ROOT = Path(__file__).parents[1]
PARSERS = {"bench": bench.cli._parser, "converters": converters.__main__._parser, "zoo": zoo.__main__._parser}
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
PROGRAMS = {"make", "python", "git", "echo", "exit", "if", "then", "else", "fi", "[", "AGAINST=rev:"}
"""What a line of a script may begin with."""

JOBS = [pytest.param(job, id=f"{name}: {key}") for name, flow in WORKFLOWS.items() for key, job in flow["jobs"].items()]


def steps():
    yield from ((f"action.yml: {step.get('name', step.get('uses'))}", step) for step in ACTION["runs"]["steps"])
    for name, flow in WORKFLOWS.items():
        for key, job in flow["jobs"].items():
            for step in job["steps"]:
                yield f"{name}: {key}: {step.get('name', step.get('uses', step.get('run')))}", step


STEPS = list(steps())
RUNS = [pytest.param(step, id=name) for name, step in STEPS if "run" in step]
USES = [pytest.param(step, id=name) for name, step in STEPS if "uses" in step]


def filled(step):
    """Return the lines of a step's script, continued ones joined, with what its variables stand for in the action."""
    text = step["run"].replace("\\\n", " ")
    defaults = {key: str(given.get("default", "")) for key, given in ACTION["inputs"].items()}
    values = {"AGEBENCH_AGAINST": "here", "RUNNER_TEMP": "runner", "BASELINE": "baseline.jsonl", "PYTHON": "python"}
    for name, value in step.get("env", {}).items():
        found = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", str(value))
        values.setdefault(name, defaults[found[1]] if found else "folder")
    text = re.sub(r"\$\{?([A-Z_]+)\}?", lambda variable: values.get(variable[1], ""), text)
    return [shlex.split(line, comments=True) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("step", RUNS)
def test_every_command_exists_and_takes_its_options(step):
    for words in filled(step):
        command, _, _ = " ".join(map(shlex.quote, words)).partition(" '||' ")
        words = shlex.split(command)
        program = Path(words[0]).name
        assert program in PROGRAMS or re.match(r"AGAINST=rev:", words[0]), words
        if program == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert all(re.fullmatch("ARGS=.*", word) for word in words[2:])
        elif program == "python" and words[2] in PARSERS:
            PARSERS[words[2]]().parse_args(words[3:])
        elif program == "python":
            assert words[1:3] in (["-m", "venv"], ["-m", "pip"])


def test_there_are_commands_to_test():
    told = [" ".join(words) for param in RUNS for words in filled(param.values[0])]
    for command in ("bench ab", "bench check", "bench run", "make lint", "make test", "make bench", "make self-test"):
        assert any(command in line for line in told), command


@pytest.mark.parametrize("step", RUNS)
def test_what_a_pull_request_says_never_becomes_part_of_a_script(step):
    assert "${{" not in step["run"]


@pytest.mark.parametrize("step", USES)
def test_actions_are_pinned_and_given_inputs_that_there_are(step):
    assert step["uses"] == "./" or re.fullmatch(r"actions/[a-z-]+@(v\d+|[0-9a-f]{40})", step["uses"])
    if step["uses"] == "./":
        assert set(step.get("with", {})) <= set(ACTION["inputs"])
    if step["uses"].startswith("actions/checkout@"):
        assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("job", JOBS)
def test_every_job_has_an_end(job):
    assert 0 < job["timeout-minutes"] <= 180
    assert "permissions" not in job


@pytest.mark.parametrize("flow", WORKFLOWS.values(), ids=WORKFLOWS)
def test_every_workflow_may_only_read_and_runs_once_at_a_time(flow):
    assert flow["permissions"] == {"contents": "read"}
    assert flow["concurrency"]["group"]
    assert "pull_request_target" not in flow[True]  # YAML reads the key "on" as true


def test_the_inputs_of_the_action_are_all_used():
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    used = set(re.findall(r"inputs\.([a-z-]+)", text))
    assert used == set(ACTION["inputs"])
    for name, flow in WORKFLOWS.items():
        for spec in re.findall(r"(\S+==\S+?)[\"',\]]", (ROOT / ".github" / "workflows" / name).read_text()):
            assert specs.parse(spec.lstrip('["')).kind == "package", flow


def test_pythons_and_opencvs_of_the_project_are_tested():
    matrix = WORKFLOWS["ci.yml"]["jobs"]["test"]["strategy"]["matrix"]
    declared = re.findall(r'"Programming Language :: Python :: ([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert matrix["python"] == declared
    assert {*matrix["opencv"], *(one["opencv"] for one in matrix["include"])} == {"4", "5"}


def named(name):
    return next(step for step in ACTION["runs"]["steps"] if step.get("name") == name)


@pytest.fixture
def bash(tmp_path):
    """Return what runs a step's script as GitHub does: its exit code, and what it left in ``$GITHUB_ENV``."""

    def run(step, **variables):
        left = tmp_path / "github-env"
        left.touch()
        given = {**os.environ, "GITHUB_ENV": str(left), **variables}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, check=False)
        return done.returncode, left.read_text(), done.stdout

    return run


def test_the_merge_base_is_what_a_pull_request_is_compared_with(bash, tmp_path):
    def git(*words):
        who = ("-c", "user.name=a test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", "-C", tmp_path, *who, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(message):
        git("commit", "--quiet", "--allow-empty", "-m", message)
        return git("rev-parse", "HEAD")

    git("init", "--quiet", "--initial-branch", "main")
    begin = commit("the beginning")
    git("switch", "--quiet", "-c", "change")
    commit("a change")
    git("switch", "--quiet", "main")
    base = commit("what came to main meanwhile")
    git("switch", "--quiet", "change")
    step = named("Find what to compare with")
    given = {"FOLDER": str(tmp_path), "BASE": base}
    assert bash(step, AGAINST="merge-base", **given)[:2] == (0, f"AGEBENCH_AGAINST=rev:{begin}\n")
    code, _, said = bash(step, AGAINST="merge-base", FOLDER=str(tmp_path), BASE="")
    assert code == 2
    assert said.startswith("::error::against: merge-base needs a pull request")


def test_another_side_is_taken_as_it_is(bash):
    step = named("Find what to compare with")
    assert bash(step, AGAINST="onnxruntime==1.24.4", FOLDER=".", BASE="")[:2] == (
        0,
        "AGEBENCH_AGAINST=onnxruntime==1.24.4\n",
    )


@pytest.mark.parametrize(("ends", "goes_on"), [(0, True), (1, True), (2, False), (3, False)])
def test_a_failed_case_is_left_to_the_check_and_nothing_else_is(bash, tmp_path, ends, goes_on):
    python = tmp_path / "agebench" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexit {ends}\n")
    python.chmod(0o755)
    code, _, _ = bash(named("Measure"), RUNNER_TEMP=str(tmp_path))
    assert (code == 0) == goes_on
