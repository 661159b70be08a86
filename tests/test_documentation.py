"""The commands in README and docs are commands that exist: each is parsed, and the quick ones are run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import onnx
import pytest

import bench.cli
import converters.__main__
import zoo.__main__
from converters.caffe.schema import messages
from zoo.card import all_cards

ROOT = Path(__file__).parents[1]
PARSERS = {"bench": bench.cli._parser, "converters": converters.__main__._parser, "zoo": zoo.__main__._parser}
COMMANDS = {"bench": bench.cli.main, "zoo": zoo.__main__.main}


NOT_COMMANDS = ("console", "diff", "python", "yaml")

OF_PYTEST = re.findall(r"\"(--agebench[a-z-]*)\"", (ROOT / "bench" / "pytest_plugin.py").read_text(encoding="utf-8"))


def documented():
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for language, block in re.findall(r"```(\w*)\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
            for line in () if language in NOT_COMMANDS else block.splitlines():
                words = shlex.split(line, comments=True)
                if words:
                    yield pytest.param(words, id=f"{path.name}: {' '.join(words)}")


ALL = list(documented())
QUICK = [case for case in ALL if case.values[0][2:4] in (["zoo", "list"], ["zoo", "show"], ["bench", "data"])]


def test_there_are_commands_to_test():
    assert len(ALL) > 15
    assert len(QUICK) >= 3


@pytest.mark.parametrize("words", ALL)
def test_the_command_exists(words):
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    assert words[:2] == ["python", "-m"]
    if words[2] == "pytest":
        assert {word.partition("=")[0] for word in words if word.startswith("--agebench")} <= set(OF_PYTEST)
        return
    PARSERS[words[2]]().parse_args(words[3:])


@pytest.mark.parametrize("words", QUICK)
def test_the_quick_ones_run(words, capsys):
    assert COMMANDS[words[2]](words[3:]) == 0
    assert capsys.readouterr().out.strip()


def test_the_converters_examples_run_as_written(levi_hassner, tmp_path, monkeypatch, capsys):
    examples = list(dict.fromkeys(tuple(c.values[0]) for c in ALL if "net.caffemodel" in c.values[0]))
    assert [words[3] for words in examples] == ["caffe", "bisect", "caffe"]
    for role, name in (("prototxt", "deploy.prototxt"), ("caffemodel", "net.caffemodel")):
        (tmp_path / name).symlink_to(levi_hassner["age"].files[role])
    mean = messages()["BlobProto"](num=1, channels=3, height=256, width=256, data=[100.0] * 3 * 256**2)
    (tmp_path / "mean.binaryproto").write_bytes(mean.SerializeToString())
    monkeypatch.chdir(tmp_path)
    for words in (examples[0], examples[2]):
        assert converters.__main__.main(words[3:]) == 0
        assert (tmp_path / words[words.index("-o") + 1]).stat().st_size > 45_000_000
    assert re.search(r"prob  onnxruntime .* ok", capsys.readouterr().out)
    assert converters.__main__.main(examples[1][3:]) == 0
    assert capsys.readouterr().out.strip()


def test_a_keras_file_is_converted_inspected_and_tapped_as_written(tmp_path, monkeypatch, capsys):
    """By commands of README and usage, without TensorFlow; the file is one that Keras itself saved."""
    with np.load(ROOT / "tests" / "golden" / "keras" / "convolution.npz") as golden:
        (tmp_path / "model.h5").write_bytes(golden["0:h5"].tobytes())
    monkeypatch.chdir(tmp_path)
    assert main_of("python -m converters keras model.h5 -o model.onnx") == 0
    assert main_of("python -m zoo inspect model.onnx") == 0
    said = capsys.readouterr().out
    assert "by the direct road" in said
    assert re.search(r"(?i)macc", said)


def main_of(command):
    """Run a command that README has."""
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    words = command.split()
    return {**COMMANDS, "converters": converters.__main__.main}[words[2]](words[3:])


def test_the_lean_example_scores_features_as_written(tmp_path, monkeypatch, capsys):
    """On features of its own size, drawn at random, so its error is large, and its shares are near those of chance."""
    text = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
    (example,) = (code for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "features.score" in code)
    weights, folder = ROOT / "zoo" / "weights" / "lean-conv13.keras", tmp_path / "DIR"
    monkeypatch.chdir(tmp_path)
    assert converters.__main__.main(["keras", str(weights), "-o", "lean.onnx"]) == 0
    (size,) = (d.dim_value for d in onnx.load("lean.onnx").graph.input[0].type.tensor_type.shape.dim[1:])
    folder.mkdir()
    np.save(folder / "add_98.npy", np.random.default_rng(9).random((13, size), np.float32))
    (folder / "labels.csv").write_text("age\n" + "".join(f"{7 * n}\n" for n in range(13)))
    capsys.readouterr()
    exec(compile(example, "docs/usage.md", "exec"), {})
    heads = {tuple(line.split()[:3]) for line in capsys.readouterr().out.splitlines()}
    assert heads >= {("age", "age", "mae"), ("age", "age_group", "accuracy")}
    assert heads >= {(f"groups{n}", "age_group", metric) for n in (8, 7, 5) for metric in ("accuracy", "one_off")}


def test_the_networks_in_the_readme_exist():
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Networks")[2]
    assert set(re.findall(r"^\| `([a-z0-9-]+)`", table, re.MULTILINE)) <= set(all_cards())


def test_every_link_inside_the_project_leads_somewhere():
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
