"""The documentation speaks of what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hldctl.cli.app import COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_test_that_the_table_of_the_ancestor_names_exists() -> None:
    table = (ROOT / "docs" / "ancestor.md").read_text()
    for file in re.findall(r"`(\w+/test_\w+\.py)", table):
        assert (ROOT / "tests" / file).is_file(), file
    for file, name in re.findall(r"`(\w+/test_\w+\.py): (test_\w+)`", table):
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), name


def test_every_place_in_the_code_that_it_names_exists() -> None:
    table = (ROOT / "docs" / "ancestor.md").read_text()
    for file in re.findall(r"`((?:claude|sessions|store|supervisor)/(?!test_)\w+\.py)", table):
        assert (ROOT / "hldctl" / file).is_file(), file


def test_every_command_is_in_the_readme_and_the_changelog() -> None:
    readme, changes = ((ROOT / name).read_text() for name in ("README.md", "CHANGELOG.md"))
    for command in COMMANDS:
        assert f"hldctl {command}" in readme, command
        assert f"`{command}`" in changes, command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
