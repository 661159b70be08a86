"""Environments: what is met where, and making one from wheels in a folder, without any package index."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import sys
import threading
import zipfile

import pytest

from bench import backends, env_command, environments, installing
from bench.cli import main

OWN_NEEDS = ("packaging>=1",)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the folder of the environments of an empty store."""
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    environments.forget()
    yield tmp_path / "home" / "envs"
    environments.forget()


def fake(folder, name, *, whole=True, **packages):
    """Lay an environment that holds nothing but the metadata of packages."""
    site = folder / name / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    site.mkdir(parents=True)
    (folder / name / "bin").mkdir()
    (folder / name / "bin" / "python").symlink_to(sys.executable)
    (folder / name / "pyvenv.cfg").write_text("")
    for package, version in packages.items():
        lay(site, package, version)
    if whole:
        (folder / name / environments.COMPLETE).write_text("{}")
    return folder / name / "bin" / "python"


def lay(site, package, version):
    info = site / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")


@pytest.mark.parametrize(
    ("need", "met"),
    [
        ("gearbox", True),
        ("gearbox>=2,<3", True),
        ("gearbox>=3", False),
        ("GearBox==2.5.*", True),
        ("gear_box | gearbox<1 | gearbox>=2.4", True),
        ("nothing | gearbox<2", False),
        ("nothing", False),
    ],
)
def test_a_need_is_met_by_name_and_version_or_an_alternative(tmp_path, need, met):
    lay(tmp_path, "gearbox", "2.5.1")
    assert environments.missing([need], [str(tmp_path)]) == ([] if met else [need])


def test_a_pre_release_of_the_right_version_will_do(tmp_path):
    lay(tmp_path, "gearbox", "3.0rc1")
    assert environments.missing(["gearbox>=2"], [str(tmp_path)]) == []


def test_the_harness_comes_first_then_the_environments_by_name_and_only_whole_ones(home):
    fake(home, "a-half", whole=False, gearbox="2.0")
    fake(home, "b-old", gearbox="1.0")
    good = fake(home, "c-good", gearbox="2.0")
    fake(home, "d-too", gearbox="2.1")
    assert str(environments.find(["gearbox>=2"])) == str(good)
    assert environments.called(good) == "c-good"
    assert str(environments.find(OWN_NEEDS)) == sys.executable
    assert environments.called(environments.find(OWN_NEEDS)) == "own"
    assert environments.find(["gearbox>=9"]) is None
    assert list(environments.made()) == ["b-old", "c-good", "d-too"]


def test_an_environment_whose_python_has_gone_is_none(home):
    python = fake(home, "mine", gearbox="2.0")
    python.unlink()
    python.symlink_to("/no/such/python")
    assert environments.find(["gearbox"]) is None


def test_advice_names_what_is_lacking_and_the_command(home):
    said = environments.advice("gears", ("gearbox>=2 | gearbox-gpu>=2", *OWN_NEEDS))
    assert said == "no environment has gearbox>=2: python -m bench env create gears"


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Return a folder of wheels, gearbox and an empty stand-in for numpy, which is all that pip may look at."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version in (("gearbox", "2.5.1"), ("numpy", "99.0")):
        wheel(folder, name, version)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(installing.shutil, "which", lambda name: None)  # pip, also where uv is
    return folder


def wheel(folder, name, version):
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]) + "\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def _digest(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def backend(tmp_path):
    """Return the path of a backend of the user's own that needs the package gearbox."""
    path = tmp_path / "gears.py"
    path.write_text('DEVICES = ("cpu",)\nNEEDS = ("gearbox>=2 | gearbox-gpu>=2",)\n')
    return path


def test_create_makes_an_environment_once_and_remove_deletes_it(home, wheels, backend, capfd):
    assert main(["env", "create", str(backend)]) == 0
    said = capfd.readouterr().err
    assert "gears: pip installs gearbox>=2, numpy in" in said
    assert "gears: made in" in said
    python = environments.find(["gearbox==2.5.1"])  # also what was asked before it was there is known now
    assert python == home / "gears" / "bin" / "python"
    mark = json.loads((home / "gears" / environments.COMPLETE).read_text())
    assert mark["needs"] == ["gearbox>=2", "numpy"]
    assert not list(home.glob(".*.lock"))

    assert main(["env", "create", str(backend)]) == 0
    assert capfd.readouterr().err == "gears: nothing to do, the environment gears has gearbox>=2\n"

    assert main(["env", "list", "--json"]) == 0
    (row,) = [row for row in json.loads(capfd.readouterr().out) if row["name"] == "gears"]
    assert row["state"] == "made"
    assert row["packages"]["gearbox"] == "2.5.1"

    assert main(["env", "remove", "gears"]) == 0
    assert not (home / "gears").exists()
    assert environments.find(["gearbox"]) is None


def test_one_whose_making_was_cut_short_is_made_anew(home, wheels, backend, capfd):
    fake(home, "gears", whole=False, gearbox="2.0")
    (home / "gears" / "left.txt").write_text("half")
    assert main(["env", "create", str(backend)]) == 0
    assert "made anew" in capfd.readouterr().err
    assert not (home / "gears" / "left.txt").exists()
    assert environments.packages(home / "gears")["gearbox"] == "2.5.1"


def test_one_that_lacks_what_is_needed_now_is_made_anew(home, wheels, backend, capfd):
    fake(home, "gears", gearbox="1.0")
    assert main(["env", "create", str(backend)]) == 0
    assert environments.packages(home / "gears")["gearbox"] == "2.5.1"


def test_a_failure_of_pip_is_one_line_and_leaves_nothing(home, wheels, backend, capfd):
    (wheels / "gearbox-2.5.1-py3-none-any.whl").unlink()
    assert main(["env", "create", str(backend)]) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors == ["error: environment gears: No matching distribution found for gearbox>=2; nothing was made"]
    assert not (home / "gears").exists()


def test_what_cannot_be_made_keeps_nothing_else_away(home, wheels, backend, tmp_path, capfd):
    for name in ("other", "another"):
        (tmp_path / f"{name}.py").write_text(f'DEVICES = ("cpu",)\nNEEDS = ("{name}-box",)\n')
    assert main(["env", "create", *(str(tmp_path / f"{name}.py") for name in ("other", "another", "gears"))]) == 2
    said = capfd.readouterr().err.splitlines()
    assert "error: 2 environments could not be made:" in said
    assert "  environment other: No matching distribution found for other-box; nothing was made" in said
    assert list(environments.made()) == ["gears"]


def test_without_a_package_index_it_says_so_at_once(home, backend, monkeypatch, capfd):
    monkeypatch.setattr(installing.shutil, "which", lambda name: None)
    for variable, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1"}.items():
        monkeypatch.setenv(variable, value)
    for variable in ("PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["env", "create", str(backend), str(backend)]) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert errors == ["error: environment gears: the package index cannot be reached; nothing was made"]


def test_a_killed_installer_leaves_nothing_that_is_used(home, wheels, backend, monkeypatch):
    def interrupted(name, command, *more):
        if "install" in command:
            raise KeyboardInterrupt
        real(name, command, *more)

    real = installing._run
    monkeypatch.setattr(installing, "_run", interrupted)
    assert main(["env", "create", str(backend)]) == 130
    assert environments.made() == {}
    assert not (home / "gears").exists()


def test_of_two_at_once_one_makes_it(home, wheels, monkeypatch):
    begun = []

    def slowly(name, path, wanted):
        begun.append(name)
        lacking = threading.Event()
        lacking.wait(0.3)
        fake(home, name, gearbox="2.5.1")

    monkeypatch.setattr(installing, "_make", slowly)
    both = [threading.Thread(target=installing.create, args=("gears", ("gearbox",))) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert begun == ["gears"]


@pytest.mark.parametrize("name", ["nothing", "..", "../envs", "", "/"])
def test_remove_of_what_is_not_there_lists_what_is(home, capsys, name):
    fake(home, "mine", gearbox="2.0")
    fake(home, "half", whole=False)
    (home / "no-environment").mkdir()
    assert main(["env", "remove", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: no environment {name!r} in {home}; there are: half, mine"
    assert (home / "mine").exists()


def test_create_of_an_unknown_name_lists_the_known_ones(home, capsys):
    assert main(["env", "create", "tensorflow"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no environment 'tensorflow' can be made; there are: all, " in line
    assert "source, source-caffe, source-keras" in line


def test_all_and_a_backend_of_several_formats_stand_for_several_environments(home, monkeypatch):
    made = []
    monkeypatch.setattr(installing, "create", lambda name, needs: made.append(name))
    monkeypatch.setattr(environments, "find", lambda needs: None)
    monkeypatch.setattr(env_command, "gpus", list)
    env_command.create(["source", "source-keras"])
    assert made == ["source-caffe", "source-keras"]
    made.clear()
    env_command.create(["all"])
    assert {"opencv4", "opencv5", "openvino", "source-caffe", "source-keras"} <= set(made)
    assert "null" not in made
    assert "tensorrt" not in made  # there is no GPU here
    assert "tensorrt" not in made  # there is no GPU here


UV = """\
  × No solution found when resolving dependencies:
  ╰─▶ Because there are no versions of gearbox and you require gearbox>=2, we can conclude that
      your requirements are unsatisfiable.
"""


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Collecting gearbox\nERROR: first\nERROR: second\n[notice] A new release of pip\n", "second"),
        ("Error: Command '[...]' returned non-zero exit status 1.\n", "Error: Command '[...]' returned"),
        ("something else\nWARNING: you are root\n", "something else"),
        ("error: Failed to fetch: gearbox\n", "Failed to fetch: gearbox"),
        (UV, "No solution found when resolving dependencies: Because there are no versions of gearbox"),
        ("", ""),
    ],
)
def test_the_last_word_of_an_installer(said, wanted):
    assert installing._last_word(said).startswith(wanted)


@pytest.mark.skipif(shutil.which("uv") is None, reason="uv is not installed")
def test_uv_makes_one_too(home, wheels, backend, monkeypatch):
    uv = shutil.which("uv")
    monkeypatch.setattr(installing.shutil, "which", lambda name: uv)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    assert main(["env", "create", str(backend)]) == 0
    assert environments.find(["gearbox==2.5.1"]) == home / "gears" / "bin" / "python"


def test_every_backend_that_ships_says_its_needs_as_requirements():
    for one in env_command.wanted():
        assert environments.missing(one.needs, []) == list(one.needs), one
        assert set(backends.declared(one.backend).devices) <= {"cpu", "cuda"}
