"""Two sides in one job, on scripted times and on real, tiny networks: who is named, and with which exit code.

A side with times of its own is an interpreter that sets ``BENCH_NULL`` and goes on as ours.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper

import zoo.golden
from bench import environments, latency
from bench.ab import pairs, revisions, rounds, sides, specs
from bench.ab.given import Given, Pair
from bench.ab.loading import Examined
from bench.cli import main
from bench.process import PACKAGES
from bench.records import Latency, Result
from bench.results import read_results, read_run
from bench.wire import PROTOCOL
from converters.errors import BadInput
from zoo import store

WORDS = ("--only", "latency", "--threads", "1", "--budget", "0.05")


@pytest.fixture
def null(tiny_zoo, tmp_path, monkeypatch):
    """Return what makes an interpreter whose null backend follows a script; without one each run takes 1 ms."""
    monkeypatch.setattr(latency, "ROUNDS", 8)
    script = {"golden": str(zoo.golden.FOLDER)}
    monkeypatch.setenv("BENCH_NULL", json.dumps(script))

    def side(name, **more):
        path = tmp_path / name
        given = json.dumps({**script, **more}).replace("'", "'\\''")
        path.write_text(f"#!/bin/sh\nexport BENCH_NULL='{given}'\nexec {sys.executable} \"$@\"\n")
        path.chmod(0o755)
        return str(path)

    return side


def compared(*words, capsys):
    """Run ``bench ab`` and return its exit code and what it said, as JSON."""
    code = main(["ab", *words, "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def found(told, dimension):
    return [f for f in told["findings"] if f["dimension"] == dimension]


def test_a_side_beside_itself_differs_in_nothing(null, capsys):
    code, told = compared("--a", "here", "--backend", "null", "--zoo", "tiny,twin", *WORDS, capsys=capsys)
    assert code == 0
    assert told["passed"]
    assert {row["verdict"] for row in told["table"]} == {"equal"}
    assert {row["loads?"] for row in told["table"]} == {"yes"}
    assert {row["outputs differ"] for row in told["table"]} == {"0"}
    assert {f["verdict"] for f in told["findings"]} == {"ok"}


@pytest.mark.parametrize(
    ("a", "b", "code", "verdict"),
    [
        (1.0, 1.3, 1, "slower"),
        pytest.param(1.3, 1.0, 0, "faster", marks=pytest.mark.slow),
        pytest.param(1.0, 1.05, 0, "equal", marks=pytest.mark.slow),
    ],
)
def test_a_slower_side_is_named(null, capsys, a, b, code, verdict):
    both = ("--a", null("a", times_ms=[a]), "--b", null("b", times_ms=[b]))
    got, told = compared(*both, "--backend", "null", "--zoo", "tiny", *WORDS, capsys=capsys)
    assert got == code
    assert [row["verdict"] for row in told["table"]] == [verdict]
    (judged,) = found(told, "latency")
    assert judged["verdict"] == {"slower": "regression", "faster": "better", "equal": "ok"}[verdict]
    assert judged["why"].startswith(f"{b / a - 1:+.1%}")


@pytest.mark.slow
def test_what_is_allowed_is_allowed(null, capsys):
    slower = null("b", times_ms=[1.3])
    words = ("--a", "here", "--b", slower, "--backend", "null", "--zoo", "tiny", *WORDS)
    assert main(["ab", *words, "--max-slowdown", "40%"]) == 0
    assert main(["ab", *words, "--max-slowdown", "20%"]) == 1
    assert "slower" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("label", "fault", "why"),
    [
        ("A", {"fault": "wrong"}, "outputs differ from numpy by hand by 1"),
        ("B", {"fault": "raise"}, "a fault of null's script"),
        ("B", {"fault": "crash", "after": 5}, "SIGSEGV"),
        ("A", {"times_ms": [-1]}, "give one or more, each above 0"),
    ],
)
def test_a_side_that_goes_wrong_fails_with_its_reason(null, capsys, label, fault, why):
    broken = null("broken", **fault)
    both = ("--a", broken, "--b", "here") if label == "A" else ("--a", "here", "--b", broken)
    code, told = compared(*both, "--backend", "null", "--zoo", "tiny", *WORDS, capsys=capsys)
    assert code == 1
    (status,) = found(told, "status")
    assert status["fails"]
    assert status["why"].startswith(f"{label}: ")
    assert why in status["why"]
    assert told["table"][0]["loads?"].startswith(f"{label}: no, ")
    assert told["table"][0]["verdict"] == "-"


@pytest.mark.slow
def test_every_form_names_the_regression(null, capsys, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    words = ("ab", "--a", "here", "--b", null("b", times_ms=[2.0]), "--backend", "null", "--zoo", "tiny", *WORDS)
    for form, wanted in (("text", "regression"), ("github", "::error "), ("junit", "<failure ")):
        assert main([*words, "--format", form]) == 1
        assert wanted in capsys.readouterr().out
    assert "| tiny" in summary.read_text()
    assert "slower" in summary.read_text()


def test_both_runs_are_kept_and_are_runs_like_any_other(null, capsys, tmp_path):
    out = tmp_path / "out"
    words = ("ab", "--a", "here", "--b", null("b", times_ms=[2.0]), "--backend", "null", "--zoo", "tiny", *WORDS)
    assert main([*words, "--out", str(out)]) == 1
    before, now = (read_results(out / side) for side in ("a", "b"))
    assert [r.case for r in before] == [r.case for r in now]
    assert len(now[0].latency.rounds) == len(before[0].latency.rounds) > 5
    assert set(now[0].latency.times_ms) == {2.0}
    assert read_run(out / "b").notes[0].startswith("side B of bench ab: ")
    assert "slower" in (out / "ab.md").read_text()
    assert main(["report", str(out / "a"), "--format", "json"]) == 0
    capsys.readouterr()
    assert main([*words, "--out", str(out)]) == 2
    assert "holds a comparison already" in capsys.readouterr().err


def test_stopped_it_tells_what_it_has_and_names_the_rest(null, capsys, monkeypatch):
    real = pairs.measure

    def stopping(given, *more):
        if given.network.name == "twin":
            raise KeyboardInterrupt
        return real(given, *more)

    monkeypatch.setattr(pairs, "measure", stopping)
    words = ("--a", "here", "--backend", "null", "--zoo", "tiny,twin", *WORDS)
    code, told = compared(*words, capsys=capsys)
    assert code == 130
    assert [f["verdict"] for f in found(told, "status")] == ["ok", "not compared"]
    assert found(told, "status")[1]["why"] == "stopped before it was measured"


# Which rounds are taken


def scripted(monkeypatch, ratios):
    """Let sets come out of a script: in set n side B takes ``ratios[n]`` times as long as 10 rounds of 20 ms."""
    sets = []

    def measure(cases, team, golden, tell, budget):
        ratio = ratios[min(len(sets), len(ratios) - 1)]
        sets.append([case.backend for case in cases])
        results = []
        for case in cases:
            time = 20.0 * (ratio if case.backend.startswith("B") else np.ones(10))
            timed = Latency(times_ms=tuple(time), rounds=(1,) * 10, cold_ms={"import": float(len(sets))})
            results.append(Result(case=case, status="ok", latency=timed))
        return results

    monkeypatch.setattr(latency, "measure", measure)
    return sets


UNCLEAR = np.asarray([0.7, 1.4] * 5)


@pytest.mark.parametrize(
    ("ratios", "budget", "sets", "verdict"),
    [
        ([np.ones(10)], 9, 1, "equal"),
        ([np.full(10, 1.3)], 9, 2, "slower"),
        ([np.full(10, 0.7)], 9, 2, "faster"),
        ([np.full(10, 1.3), *[np.ones(10)] * 9], 9, 4, "equal"),
        ([UNCLEAR], 0.8, 4, "open"),
        ([UNCLEAR], 0.1, 1, "open"),
        ([np.full(10, 1.3)], 0.1, 1, "slower"),
    ],
)
def test_rounds_are_added_while_it_is_open_and_a_difference_takes_two_sets(
    tiny_zoo, network, monkeypatch, ratios, budget, sets, verdict
):
    taken = scripted(monkeypatch, ratios)
    given = Given(
        sides=tuple(sides.Side(label, specs.parse("here"), "") for label in "AB"), network=network, backend="null",
        source="null", form="*", batches=(3,), threads=1, splits=(), budget=budget, max_slowdown=0.1, timeout=9,
    )  # fmt: skip
    looked = [Examined(network=network, first=object())]
    pair = Pair((Result(case=given.case(3), status="skipped", reason="not timed"),) * 2)
    rounds.time_pairs(given, [looked, looked], [pair], len)
    assert (len(taken), pair.sets, pair.verdict.verdict) == (sets, sets, verdict)
    assert taken[:2] == [["A: null", "B: null"], ["B: null", "A: null"]][:sets]
    assert len(pair.results[0].latency.rounds) == len(pair.results[1].latency.rounds) == 10 * sets
    assert pair.results[1].latency.cold_ms["import"] == (sets + 1) / 2


# Files


def changed(path, into, nodes, **attributes):
    """Write the network of ``path`` with more nodes before its only output."""
    model = onnx.load(path)
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["before" if name == output else name for name in node.output]
    names = ["before", *[f"more{n}" for n in range(len(nodes) - 1)], output]
    for kind, source, target in zip(nodes, names, names[1:], strict=False):
        model.graph.node.append(helper.make_node(kind, [source], [target]))
    into.parent.mkdir(exist_ok=True)
    onnx.save(model, into)
    return str(into.parent)


@pytest.fixture
def built(tiny_zoo):
    return store.build(zoo.card.find_card("tiny")), tiny_zoo


def test_an_extra_layer_in_a_zoo_folder_is_named(built, tmp_path, capsys):
    folder = changed(built[0], tmp_path / "other" / "tiny.onnx", ["Identity", "Identity"])
    code, told = compared("--a", "here", "--b", folder, *WORDS, capsys=capsys)
    assert code == 1
    assert [f["verdict"] for f in found(told, "nodes") if f["case"] == "tiny"] == ["regression"]
    assert [row["network"] for row in told["table"]] == ["tiny"]  # without --zoo those that the folder has


def test_a_layer_that_changes_the_outputs_fails_before_it_is_timed(built, tmp_path, capsys):
    folder = changed(built[0], tmp_path / "other" / "tiny.onnx", ["Sigmoid"])
    code, told = compared("--a", folder, "--b", "here", *WORDS, capsys=capsys)
    assert code == 1
    assert "A: outputs differ from numpy by hand" in found(told, "status")[0]["why"]
    assert told["table"][0]["p50 ms"] == "-"


@pytest.mark.slow
def test_a_network_that_a_side_lacks_is_new_or_has_vanished(built, tmp_path, capsys):
    folder = changed(built[0], tmp_path / "other" / "tiny.onnx", ["Identity"])
    words = ("--zoo", "tiny,twin", *WORDS)
    code, told = compared("--a", folder, "--b", "here", *words, capsys=capsys)
    assert code == 0
    assert [(f["verdict"], f["why"]) for f in found(told, "status")] == [
        ("ok", "both sides run it"),
        ("new", f"new: {folder} has no network twin"),
    ]
    code, told = compared("--a", "here", "--b", folder, *words, capsys=capsys)
    assert code == 1
    assert found(told, "status")[1]["why"] == f"B: vanished: {folder} has no network twin"


@pytest.mark.slow
def test_scores_of_both_sides_are_compared_in_pairs(built, tmp_path, capsys):
    folder = changed(built[0], tmp_path / "other" / "tiny.onnx", ["Identity"])
    words = ("--zoo", "tiny", "--data", f"csv={built[1].faces}", "--threads", "1", "--budget", "0.05")
    _, told = compared("--a", "here", "--b", folder, *words, capsys=capsys)
    scores = found(told, "scores")
    assert [(f["verdict"], f["of"]["dataset"]) for f in scores] == [("ok", "csv")]
    assert told["table"][0]["accuracy"] == "gender +0.00 points (n 11, csv:all)"


def test_files_of_a_folder_or_a_store(tmp_path):
    for name in (
        "models/net-0123/net.onnx",
        "models/two-1/two.onnx",
        "models/two-2/two.onnx",
        "models/net-0123/o.onnx",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    files = sides.files_in(tmp_path)
    assert files["net"] == tmp_path / "models/net-0123/net.onnx"
    assert "2 builds of two (two-1, two-2)" in files["two"]
    assert set(files) == {"net", "two"}
    (tmp_path / "flat.onnx").touch()
    assert set(sides.files_in(tmp_path)) == {"flat"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"holds no NAME\.onnx"):
        sides.files_in(tmp_path / "empty")


# What a side is


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return a checkout of our packages without weights, in a repository of its own, and what commits to it."""
    root = tmp_path / "project"
    for part in ("bench", "converters", "zoo"):
        shutil.copytree(PACKAGES / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "weights", "*.npz"))

    def git(*words):
        who = ("-c", "user.name=a test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", "-C", root, *who, *words], check=True, capture_output=True, text=True).stdout

    def commit(path=None, old="", new=""):
        if path is not None:
            text = (root / path).read_text()
            assert old in text
            (root / path).write_text(text.replace(old, new))
        git("add", "-A")
        git("commit", "--quiet", "--allow-empty", "-m", "a change")
        return git("rev-parse", "HEAD").strip()

    git("init", "--quiet", "--initial-branch", "trunk")
    monkeypatch.setattr(specs, "PACKAGES", root)
    monkeypatch.setattr(revisions, "PACKAGES", root)
    return root, commit


def test_a_revision_runs_its_own_worker_code(null, repository, capsys):
    _, commit = repository
    commit()
    slower = commit("bench/backends/null.py", "round(1e6 * wanted", "round(2e6 * wanted")
    words = ("--backend", "null", "--zoo", "tiny", *WORDS)
    code, told = compared("--a", "rev:trunk~1", "--b", slower, *words, capsys=capsys)
    assert code == 1
    assert [row["verdict"] for row in told["table"]] == ["slower"]
    assert told["table"][0]["latency [95 %]"].startswith("+100.0%")
    assert main(["ab", "--a", "trunk~1", "--b", "here", *words]) == 0


def test_a_revision_of_another_protocol_is_refused_in_one_line(null, repository, capsys):
    _, commit = repository
    commit("bench/wire.py", f"PROTOCOL = {PROTOCOL}", f"PROTOCOL = {PROTOCOL + 1}")
    commit("bench/wire.py", f"PROTOCOL = {PROTOCOL + 1}", "SOMETHING = 1")
    for revision, theirs in (("trunk~1", f"protocol {PROTOCOL + 1}"), ("trunk", "a protocol without a number")):
        assert main(["ab", "--a", f"rev:{revision}", "--backend", "null", "--zoo", "tiny", *WORDS]) == 2
        assert f"its workers speak {theirs}, the harness here protocol {PROTOCOL}" in capsys.readouterr().err


def test_a_word_that_is_a_path_and_a_revision_is_refused(repository, tmp_path, monkeypatch):
    _, commit = repository
    sha = commit()
    monkeypatch.chdir(tmp_path)
    assert specs.parse("trunk").value == sha
    (tmp_path / "trunk").mkdir()
    with pytest.raises(BadInput, match=r"is a path and a revision; give \./trunk or rev:trunk"):
        specs.parse("trunk")
    assert specs.parse("./trunk").kind == "zoo"
    assert specs.parse("rev:trunk") == specs.Spec("rev:trunk", "revision", sha)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "there is no such file, folder or revision"),
        ("rev:nonsense", "has no such revision"),
        ("rev:--help", "has no such revision"),
        ("here,threads=0", "give a whole number from 1"),
        ("here,threads=many", "give a whole number from 1"),
        ("here,quickly", "'quickly' is no NAME=VALUE"),
        ("package==not a version", "there is no such file"),
        ("package==1.0=", "is no package==version"),
        ("here,engine=new", "onnxruntime has no engine=new"),
        ("here,threads=999", "CPUs; give that many at most"),
        ("/bin/sh", "is no Python"),
        ("/dev/null", "cannot be executed"),
    ],
)
def test_a_wrong_spec_is_one_line(tiny_zoo, capsys, text, why):
    assert main(["ab", "--a", text, "--zoo", "tiny", *WORDS]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert why in line


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--max-slowdown", "10"), "10%"),
        (("--max-slowdown", "0%"), "above 0"),
        (("--max-drop", "-1"), "points of a hundred"),
        (("--budget", "0"), "give seconds"),
        (("--batch", "0"), "whole numbers from 1"),
        (("--format", "yaml"), "there are github, json, junit, text"),
        (("--backend", "nothing"), "no backend 'nothing'"),
        (("--zoo", "nothing"), "no network matches"),
    ],
)
def test_a_wrong_argument_is_one_line(tiny_zoo, capsys, words, why):
    assert main(["ab", "--a", "here", "--zoo", "tiny", *WORDS, *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line


def test_an_old_python_is_refused(tiny_zoo, tmp_path, capsys):
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho 3 9 18\n")
    old.chmod(0o755)
    assert main(["ab", "--a", str(old), "--zoo", "tiny", *WORDS]) == 2
    assert "is Python 3.9.18; a worker needs 3.11 or later" in capsys.readouterr().err


def package(text):
    return specs.Spec(text, "package", text)


HERE = specs.Spec("here", "here")


def test_a_package_says_which_backends_are_compared():
    assert list(sides.backends_for((package("onnxruntime==1.24.4"), HERE), None)) == ["onnxruntime"]
    both = (package("opencv-python-headless==4.14.0.94"), package("OpenCV.python_headless==5.0.0.93"))
    assert list(sides.backends_for(both, None)) == ["opencv"]
    assert list(sides.backends_for(both, "opencv4,opencv5")) == ["opencv4", "opencv5"]
    assert list(sides.backends_for((HERE, HERE), None)) == ["onnxruntime"]
    with pytest.raises(BadInput, match="--backend onnxruntime: runs without openvino"):
        sides.backends_for((HERE, package("openvino==2025.3")), "onnxruntime")
    with pytest.raises(BadInput, match="no backend needs left-pad"):
        sides.backends_for((HERE, package("left-pad==1")), None)


def test_the_environment_of_one_version_is_never_chosen_by_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    for name in (sides.environment_name("Gear_Box==1.*"), "gears"):
        site = tmp_path / "envs" / name / "lib" / "python3.11" / "site-packages" / "gearbox-1.2.dist-info"
        site.mkdir(parents=True)
        (site / "METADATA").write_text("Metadata-Version: 2.1\nName: gearbox\nVersion: 1.2\n")
        (tmp_path / "envs" / name / "bin").mkdir()
        (tmp_path / "envs" / name / "bin" / "python").symlink_to(sys.executable)
        (tmp_path / "envs" / name / environments.COMPLETE).touch()
    environments.forget()
    assert list(environments.made()) == ["gear-box==1.x", "gears"]
    assert environments.find(["gearbox"]) == tmp_path / "envs" / "gears" / "bin" / "python"


@pytest.mark.slow
def test_the_code_of_a_revision_builds_its_networks_in_a_store_of_its_own(tmp_path, monkeypatch):
    other = tmp_path / "other"
    kept = shutil.ignore_patterns("__pycache__", "*.npz", "[!c]*.keras", "[!c]*.h5")
    for part in ("bench", "converters", "zoo"):
        shutil.copytree(PACKAGES / part, other / part, ignore=kept)
    (other / "converters" / "errors.py").open("a").write("# another\n")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    assert revisions.code_key(other) != revisions.code_key(PACKAGES)
    files = revisions.built_by(other, ["c3ae-plain", "nothing"], None)
    assert files["c3ae-plain"].is_relative_to(tmp_path / "home" / "code" / revisions.code_key(other))
    assert files["c3ae-plain"].read_bytes() == store.build(zoo.card.find_card("c3ae-plain")).read_bytes()
    assert "no network" in files["nothing"]
    assert not revisions.known(other, "nothing")


@pytest.mark.slow
def test_two_versions_of_a_runtime_from_the_package_index(built, capsys, monkeypatch):
    for variable in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    words = ("--a", "onnxruntime==1.24.4", "--zoo", "tiny", "--threads", "1", "--data", f"csv={built[1].faces}")
    code = main(["ab", *words, "--format", "json"])
    said = capsys.readouterr()
    if "cannot be reached" in said.err:
        pytest.skip("no package index")
    told = json.loads(said.out)
    assert code in (0, 1)  # which of them is faster is no matter of this test
    assert (found(told, "run")[0]["baseline"], found(told, "run")[0]["case"].split()[-1]) == ("1.24.4", "onnxruntime")
    assert told["table"][0]["loads?"] == "yes"
    assert list(environments.made()) == ["onnxruntime==1.24.4"]


def test_a_backend_that_is_not_usable_here_ends_with_3(tiny_zoo, tmp_path, capsys):
    backend = tmp_path / "gears.py"
    backend.write_text('DEVICES = ("cpu",)\nNEEDS = ("gearbox>=2",)\n')
    assert main(["ab", "--a", "here", "--backend", str(backend), "--zoo", "tiny", *WORDS]) == 3
    assert "no environment has gearbox>=2" in capsys.readouterr().err
