"""The documentation: all that it names exists, and all commands, options, states and keys are documented."""

from __future__ import annotations

import importlib
import re
import shlex
from enum import StrEnum
from pathlib import Path

import pytest

from hldctl import states
from hldctl.cli.app import COMMANDS
from hldctl.cli.completion import parser
from hldctl.config.schema import KEYS
from hldctl.errors import ExitCode
from hldctl.permission_hook import notify
from hldctl.supervisor import on_end
from tests.helpers.doc_blocks import read_block
from tests.helpers.sandbox import Sandbox

generate = importlib.import_module("scripts.generate")

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
REFERENCE = {path.stem: path.read_text() for path in (DOCS / "reference").glob("*.md")}

_READ_VARIABLE = re.compile(r'environ(?:ment)?(?:\.get\(|\[)\s*"([A-Z_]+)"|\b(_?(?:HLDCTL|HUMANLAYER)_[A-Z_]+)\b')


def test_tests_named_in_the_ancestor_table_exist() -> None:
    table = (DOCS / "explanation" / "ancestor.md").read_text()
    for file in re.findall(r"`(\w+/test_\w+\.py)", table):
        assert (ROOT / "tests" / file).is_file(), file
    for file, name in re.findall(r"`(\w+/test_\w+\.py): (test_\w+)`", table):
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), name


def test_modules_named_in_the_ancestor_table_exist() -> None:
    table = (DOCS / "explanation" / "ancestor.md").read_text()
    for file in re.findall(r"`((?:claude|sessions|store|supervisor)/(?!test_)\w+\.py)", table):
        assert (ROOT / "hldctl" / file).is_file(), file


def test_every_command_is_in_the_readme_and_the_changelog() -> None:
    readme, changes = ((ROOT / name).read_text() for name in ("README.md", "CHANGELOG.md"))
    for command in COMMANDS:
        assert f"hldctl {command}" in readme, command
        assert f"`{command}`" in changes, command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_in_the_reference(command: str) -> None:
    _, heading, rest = REFERENCE["commands"].partition(f"\n## hldctl {command}\n")
    assert heading
    section = rest.partition("\n## ")[0]
    for option in parser.load_commands().commands[command].options:
        for name in option.names:
            assert re.search(rf"^\| .*`{re.escape(name)}[` ].* \| \S", section, re.MULTILINE), name


def test_every_option_of_launch_is_in_a_how_to() -> None:
    """Users look for the options of `launch`, and `--help` alone does not explain their purpose."""
    pages = "".join(path.read_text() for path in (DOCS / "how-to").glob("*.md"))
    for option in parser.load_commands().commands["launch"].options:
        mentioned = [name for name in option.names if re.search(rf"{re.escape(name)}(?![\w-])", pages)]
        assert mentioned or option.names[-1] == "--help", option.names


def test_every_configuration_key_is_in_the_reference() -> None:
    for key in KEYS:
        assert re.search(rf"^\| `{key}` \| \S", REFERENCE["configuration"], re.MULTILINE), key


def test_every_exit_code_is_in_the_reference() -> None:
    section = REFERENCE["commands"].partition("\n## Exit codes\n")[2]
    for code in ExitCode:
        assert re.search(rf"^\| `{code.value}` \| \w", section, re.MULTILINE), code


@pytest.mark.parametrize(
    "kind",
    [states.Status, states.EndReason, states.ApprovalStatus, states.EventType, states.FeedType],
    ids=lambda kind: kind.__name__,
)
def test_every_state_and_type_is_in_the_reference(kind: type[StrEnum]) -> None:
    for state in kind:
        assert re.search(rf"^\| .*`{state}`.* \|", REFERENCE["states"], re.MULTILINE), state


def test_every_environment_variable_is_in_the_reference() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "hldctl").rglob("*.py"))
    read = {name for groups in _READ_VARIABLE.findall(sources) for name in groups if name}
    read |= generate._ENVIRONMENT.keys()
    passed = {f"HLDCTL_{name.upper()}" for name in [*on_end._VARIABLES, *notify._VARIABLES]}
    for name in sorted(read | passed):
        assert f"`{name}`" in REFERENCE["environment"], name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_in_listings_exist(document: Path) -> None:
    known = parser.load_commands().commands
    for listing in re.findall(r"^```(?:sh|console)\n(.*?)^```$", document.read_text(), re.DOTALL | re.MULTILINE):
        for line in re.findall(r"^(?:\$ )?hldctl ([a-z].*)$", listing, re.MULTILINE):
            name, *words = _split_arguments(line)
            assert name in known, line
            command = known[name]
            if words and words[0] in command.commands:
                command = command.commands[words.pop(0)]
            for word in words:
                assert not re.match("--?[a-z]", word, re.IGNORECASE) or command.option(word.partition("=")[0]), line


def test_first_steps_quote_the_current_help(sandbox: Sandbox) -> None:
    text = sandbox.ok("--help", environment={"COLUMNS": "80"})
    assert f"$ hldctl --help\n{text}" in read_block("first-steps.md", "console")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_have_targets(document: Path) -> None:
    text = _without_listings(document.read_text())
    targets = re.findall(r"\]\((?!https?:)([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for target in targets:
        path, _, anchor = target.partition("#")
        target_file = document.parent / path if path else document
        assert target_file.exists(), target
        if anchor:
            assert anchor in _anchors(target_file), target


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_tests_named_in_explanations_exist(page: str) -> None:
    paths = re.findall(r"`([a-z]+/test_\w+\.py)`", (DOCS / "explanation" / page).read_text())
    assert paths
    for path in paths:
        assert (ROOT / "tests" / path.removeprefix("tests/")).exists(), path


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "index.md").read_text()
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or f"({name})" in index, name


def test_every_picture_is_used() -> None:
    text = "".join(document.read_text() for document in DOCUMENTS)
    for file in (DOCS / "pictures").glob("*.svg"):
        assert file.name in text, file


def _split_arguments(line: str) -> list[str]:
    """Return the arguments of a shell command, up to those for another program."""
    words = shlex.split(line, comments=True)
    end = next((index for index, word in enumerate(words) if word in ("--", "|", ">")), len(words))
    return [word.removesuffix(";") for word in words[:end]]


def _anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", _without_listings(document.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _without_listings(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
