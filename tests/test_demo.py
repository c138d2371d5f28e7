"""The animated demo at the top of the README: it shows commands that exist."""

from __future__ import annotations

import importlib
import re
import shlex
from html import unescape
from xml.etree import ElementTree

import pytest

from hldctl.cli.completion import parser
from tests.helpers.svg_screenshot import Theme

record = importlib.import_module("scripts.record")

_SVG = "{http://www.w3.org/2000/svg}"
MAX_BYTES = 150_000

THEMES = pytest.mark.parametrize("theme", Theme, ids=lambda theme: theme.suffix)


def recording(theme: Theme) -> str:
    return str((record.PICTURES / f"demo-{theme.suffix}.svg").read_text())


def pages(theme: Theme) -> list[list[str]]:
    """Return the lines of the screen in each frame, without blanks."""
    groups = list(ElementTree.fromstring(recording(theme)).iter(f"{_SVG}g"))
    lines = {group.get("id"): "".join(group.itertext()) for group in groups}
    (film,) = [group for group in groups if group.get("class") == "film"]
    return [["".join(lines[use.get("href", "")[1:]].split()) for use in page] for page in film]


def prompt_line(command: str) -> str:
    return "".join(f"$ {command}".split())


@THEMES
def test_demo_shows_each_command_typed_and_completed(theme: Theme) -> None:
    frames = pages(theme)
    for command in record.COMMANDS:
        assert any(prompt_line(command) in page for page in frames), command
    # The last frame stays: it has a new prompt after the output of the last command.
    assert prompt_line(record.COMMANDS[-1]) in frames[-1]
    assert frames[-1][-1] == "$"


@THEMES
def test_demo_is_short_and_needs_no_script_or_network(theme: Theme) -> None:
    text = recording(theme)
    (seconds,) = re.findall(r"animation: film ([\d.]+)s step-end forwards", text)
    assert 15 <= float(seconds) <= 25
    assert len(re.findall(r"% \{ transform", text)) == len(pages(theme))
    assert "<script" not in text
    assert not re.search(r"""(?:url\(|@import|href=["'](?!#))""", text)
    assert len(text.encode()) < MAX_BYTES


def test_light_and_dark_demo_have_the_same_text() -> None:
    light, dark = (re.findall("<text[^>]*>([^<]*)<", recording(theme)) for theme in Theme)
    assert [unescape(text) for text in light] == [unescape(text) for text in dark]


@pytest.mark.parametrize("command", record.COMMANDS)
def test_commands_in_the_demo_exist(command: str) -> None:
    program, name, *words = shlex.split(command)
    assert program == "hldctl"
    known = parser.load_commands().commands[name]
    for word in words:
        assert not word.startswith("-") or known.option(word), word
