"""The page of all Keras layers is what the code says."""

from __future__ import annotations

from pathlib import Path

from converters import __main__ as command
from converters.keras.coverage import markdown
from converters.keras.kind import kinds

PAGE = Path(__file__).parents[2] / "docs" / "keras-layers.md"


def test_page_is_what_the_code_says():
    said = PAGE.read_text(encoding="utf-8")
    assert said == markdown(), "the layers changed: python -m converters layers keras > docs/keras-layers.md"


def test_every_class_is_on_it():
    said = markdown()
    assert [name for name in kinds() if f"`{name}`" not in said] == []
    assert "- recurrent: stateful; a state that starts at 0 is" in said


def test_the_command_prints_it(capsys):
    assert command.main(["layers", "keras"]) == 0
    assert capsys.readouterr().out == markdown()
