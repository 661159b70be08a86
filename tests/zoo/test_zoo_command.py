"""``python -m zoo`` as a person meets it: what it prints, how it ends."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny import CAFFEMODEL, files_in, seeded_card, tiny_card

from converters.errors import BadInput, run_command
from zoo.__main__ import main
from zoo.describe import page

ROOT = Path(__file__).parents[2]


NAMES = ("levi-hassner-age", "levi-hassner-age@mean-image", "levi-hassner-age@over-sampled")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "zoo", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, zoo.__main__ as z\ntry: z.main(['--help'])\nfinally: print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    heavy = {"numpy", "pydantic", "onnx", "cv2", "onnxruntime", "rich", "tabulate", "platformdirs"}
    assert not heavy & set(ast.literal_eval(done.stderr.splitlines()[0]))
    for command in ("list", "show", "fetch", "build", "verify"):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "resnet"], "error: no network 'resnet'; there are: "),
        (["fetch", "resnet*"], "error: no network matches 'resnet*'; there are: "),
        (["build", "resnet"], "error: no network matches 'resnet'"),
        (["verify", "resnet"], "error: no network matches 'resnet'"),
        (["fetch", "--mirror", "nowhere"], "error: mirror nowhere: no such folder"),
        (["build", "--mirror", "pyproject.toml"], "error: mirror pyproject.toml: not a folder"),
        (["lst"], "error: argument COMMAND: invalid choice: 'lst'"),
        ([], "error: the following arguments are required: COMMAND"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = run(*arguments, ZOO_HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("command", [["list"], ["fetch", "c3ae-v84"], ["build", "c3ae-v84", "c3ae-plain"]])
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("{tmp}/file", "{tmp}/file is not a folder; give a folder, which need not exist yet"),
        ("{tmp}/file/below", "{tmp}/file is not a folder; give a folder, which need not exist yet"),
        ("{tmp}/astray", "{tmp}/astray is not a folder; give a folder, which need not exist yet"),
        ("~no-such-user/zoo", "nobody here has that name; give a folder"),
    ],
)
def test_a_store_that_is_no_folder_is_told_once(tmp_path: Path, command: list[str], place: str, said: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "astray").symlink_to("nowhere")
    home = place.format(tmp=tmp_path)
    done = run(*command, ZOO_HOME=home, PIP_NO_INDEX="1")
    assert done.returncode == 2
    assert done.stderr == f"error: ZOO_HOME={home}: {said.format(tmp=tmp_path)}\n"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="a folder that nobody can write, not even root")
def test_a_store_that_cannot_be_written_is_told_of_each_network() -> None:
    """The files of both come with the package, so both get as far as their conversion, in two processes."""
    done = run("build", "thesis-age", "c3ae-plain", "--jobs", "2", ZOO_HOME="/proc/zoo")
    assert done.returncode == 2
    for name, line in zip(("c3ae-plain", "thesis-age"), done.stderr.splitlines(), strict=True):
        assert line.startswith(f"error: {name}: /proc/zoo/models/.{name}-")
        assert "cannot be written: " in line
        assert line.endswith("; set ZOO_HOME to a folder that can be written")


def test_wrong_bytes_are_told_in_one_line_and_leave_nothing(tmp_path: Path) -> None:
    for folder in ("store", "mirror"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mirror" / "deploy_age.prototxt").write_text("not it")
    done = run("fetch", "levi-hassner-age", "--mirror", str(tmp_path / "mirror"), ZOO_HOME=str(tmp_path / "store"))
    assert done.returncode == 2
    origin = f"deploy_age.prototxt from {tmp_path / 'mirror' / 'deploy_age.prototxt'}"
    assert done.stderr == f"error: levi-hassner-age: {origin}: expected 2308 bytes, got 6\n"
    assert files_in(tmp_path / "store") == []


def test_debug_shows_the_traceback() -> None:
    done = run("show", "resnet", "--debug")
    assert "Traceback" in done.stderr


def test_list_names_every_network_and_its_state(tmp_path: Path) -> None:
    rows = json.loads(run("list", "--json", ZOO_HOME=str(tmp_path)).stdout)
    table = run("list", ZOO_HOME=str(tmp_path)).stdout.splitlines()
    for row, line in zip(rows, table[2:], strict=True):
        assert list(row) == ["name", "title", "task", "format", "parameters", "state", "licence"]
        assert all(
            " ".join(value.split()) in " ".join(line.split()) for value in row.values() if isinstance(value, str)
        )
        assert row["parameters"] is None or f"{row['parameters']:,}" in line
    states = {row["name"]: row["state"] for row in rows}
    assert states["levi-hassner-gender@mean-image"] == "not fetched"


def test_show_tells_everything_of_the_card(tmp_path: Path) -> None:
    text = run("show", "levi-hassner-age@mean-image", ZOO_HOME=str(tmp_path)).stdout
    record = json.loads(run("show", "levi-hassner-age", "--json", ZOO_HOME=str(tmp_path)).stdout)
    for told in (
        *(record[key] for key in ("name", "title", "source", "paper", "licence", "use", "format")),
        *(weights[key] for weights in record["weights"] for key in ("file", "sha256")),
        "50.7 ± 5.1 %",
        "84.7 ± 2.2 %",
        "predicted in rows, true in columns",
    ):
        assert told in text
    last = text.splitlines()[-1]
    assert last.split() == ["60-", "0.001", "0.001", "0.008", "0.007", "0.009", "0.050", "0.134", "0.357"]
    assert record["networks"] == dict.fromkeys(NAMES, "not fetched")
    assert record["model"] is None


def test_show_tells_how_a_network_is_fed_and_what_was_measured(store: Path) -> None:
    crops = ({"name": "near", "share": 0.5}, {"name": "far", "share": 1.5})
    spec = {"name": "data", "size": (5, 7), "resize": (9, 8), "channels": "GRAY", "mean": (100,), "crops": crops}
    number = {
        "task": "age",
        "metric": "mae",
        "dataset": "utkface",
        "split": "test",
        "split_sha256": "0" * 64,
        "n": 4711,
    }
    measured = number | {"value": 6.543, "ci95": (6.4, 6.712), "head": "age", "backend": "onnxruntime"}
    share = measured | {"metric": "cs5", "value": 0.5, "ci95": (0.25, 0.75)}
    fields = {"weights": tiny_card().graph(), "limits": "\nblind to hats\n", "parameters": 12345}
    text = page(tiny_card(input=(spec,), measured=(measured, share), **fields))
    for told in (
        "data, near, far: GRAY, the whole face for data, the middle 0.5 of the face for near, "
        "the face with a margin, 1.5 of its sides in all for far, stretched to 9x8, centre 5x7, minus 100, NCHW",
        "6.54 years (95 %: 6.40 to 6.71)",
        "50.00 % (95 %: 25.00 to 75.00)",
        "4,711",
        "12,345",
        "blind to hats",
    ):
        assert told in text
    assert "its weights are random" in page(seeded_card())
    assert "Heads" not in page(tiny_card(purpose="face detection", heads=()))


def test_fetch_prints_each_file_once(store: Path, filled_mirror: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (filled_mirror / "twin.prototxt").write_bytes((filled_mirror / "tiny.prototxt").read_bytes())
    (filled_mirror / "twin.caffemodel").write_bytes(CAFFEMODEL[::-1])
    assert main(["fetch", "--mirror", str(filled_mirror)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line.split()[0]).name for line in lines] == [
        "tiny.prototxt",
        "tiny.caffemodel",
        "mean.binaryproto",
        "twin.prototxt",
        "twin.caffemodel",
    ]
    assert lines[1].endswith(f"{tiny_card().weights[1].sha256}/tiny.caffemodel  {len(CAFFEMODEL)} bytes")


def test_fetch_of_one_network_brings_what_it_needs(
    store: Path, index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "tiny"]) == 0
    assert run_command(main, ["fetch", "tiny@mean-image"]) == 2
    said = "error: tiny@mean-image: mean.binaryproto: no public place is known for it; --mirror DIR "
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    "harm",
    [lambda path: path.write_bytes(b"not it"), lambda path: (path.unlink(), path.mkdir())],
    ids=["bytes", "kind"],
)
def test_fetch_goes_on_behind_a_file_that_is_wrong(
    store: Path, index: Path, filled_mirror: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Path], object]
) -> None:
    harm(filled_mirror / "tiny.caffemodel")
    assert main(["fetch", "tiny", "twin", "--mirror", str(filled_mirror)]) == 2
    said = capsys.readouterr()
    assert [Path(line.split()[0]).name for line in said.out.splitlines()] == ["twin.prototxt", "twin.caffemodel"]
    (line,) = said.err.splitlines()
    assert line.startswith("error: tiny: ")
    assert "tiny.caffemodel" in line


def test_an_empty_name_is_no_network(store: Path) -> None:
    for names in ([""], ["tiny", ""], ["tiny,"]):
        with pytest.raises(BadInput, match=r"^no network matches ''; there are: tiny, "):
            main(["fetch", *names])
