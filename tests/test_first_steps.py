"""docs/first-steps.md, done as it is written, in a copy of the project: what is broken on purpose is named."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.card import find_card
from zoo.download import Unreachable
from zoo.store import fetch_weights

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "first-steps.md").read_text(encoding="utf-8")
BY_CLOCK = {"latency", "memory", "cold start"}


@pytest.fixture
def copy(tmp_path):
    """Return a copy of the project, where its cards can be broken."""
    try:
        fetch_weights(find_card("levi-hassner-gender"), variant=None)
    except Unreachable as error:
        pytest.skip(str(error))
    for name in ("bench", "converters", "zoo"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def step(copy):
    """Return what runs the steps of a section: of each command its exit code and what it printed."""

    def run(heading):
        section = re.split(r"^(?:## |\*)", TEXT.partition(heading)[2], maxsplit=1, flags=re.MULTILINE)[0]
        done = {}
        for language, block in re.findall(r"```(\w*)\n(.*?)```", section, re.DOTALL):
            if language == "python":
                done["python"] = shown([sys.executable, "-c", block], copy)
            elif "git checkout zoo/cards" in block:
                shutil.copytree(ROOT / "zoo" / "cards", copy / "zoo" / "cards", dirs_exist_ok=True)
            else:
                for line in block.splitlines():
                    words = shlex.split(line.removeprefix("$ "))
                    done[" ".join(words[:4])] = shown(
                        [sys.executable, *words[1:]] if words[0] == "python" else words, copy
                    )
        return done

    return run


def shown(words, folder):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def regressions(told):
    """Return the dimension and the case of each regression that is not by the clock, which a busy machine makes."""
    found = re.findall(r"^regression +(\S+(?: \S+)*) {2,}(\S.*?)(?: {2,}|$)", told, re.MULTILINE)
    return [(dimension, case) for dimension, case in found if dimension not in BY_CLOCK]


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.timeout(600)
def test_the_first_steps_end_as_they_say(step, copy):
    assert step("## Run")["python -m bench run"][0] == 0
    for name in ("report.html", "report.md", "results.jsonl", "run.json"):
        assert (copy / "runs" / "first" / name).stat().st_size > 1000
    assert step("## Read")["python -m bench report"][0] == 0
    assert step("## Compare")["python -m bench compare"][0] == 0

    code, told = step("## Make a baseline")["python -m bench check"]
    assert code in (0, 1)
    assert not regressions(told)

    code, told = step("*Fewer threads.*")["python -m bench check"]
    assert code in (0, 1)
    assert not regressions(told)
    assert "measured with another number of threads" in " ".join(told.split())

    done = step("*Another preprocessing.*")
    assert done["python -m bench run"][0] == 2
    code, told = done["python -m bench check"]
    assert code == 1
    assert {case.split(",")[0] for _, case in regressions(told)} == {"dlib-gender"}
    assert "channels is BGR" in " ".join(told.split())

    done = step("*One layer more.*")
    assert done["python"] == (0, "")
    assert done["python -m bench run"][0] == 0
    code, told = done["python -m bench check"]
    assert code == 1
    assert ("nodes", "levi-hassner-gender") in regressions(told)

    done = step("## Restore")
    assert done["python -m bench run"][0] == 0
    code, told = done["python -m bench check"]
    assert code in (0, 1)
    assert not regressions(told)
