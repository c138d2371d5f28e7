"""Help texts: sections, examples, exit codes and suggestions."""

from __future__ import annotations

import importlib
import re
import shlex

import pytest

from hldctl.cli import app
from hldctl.cli.help_text import EXAMPLES, MAIN_EXAMPLES, SECTIONS, exit_codes
from hldctl.errors import ExitCode
from hldctl.settings.option import Section
from tests.helpers.sandbox import Sandbox

generate = importlib.import_module("scripts.generate")


def test_help_lists_all_commands_and_exit_codes(sandbox: Sandbox) -> None:
    text = sandbox.ok("--help")
    for section, commands in SECTIONS.items():
        _, _, rest = text.partition(f"\n{section}:\n")
        listed = re.findall(r"^  (\S+)  ", rest.partition("\n\n")[0], re.MULTILINE)
        assert tuple(listed) == commands
    assert "\nMore:" not in text
    for code in ExitCode:
        assert re.search(rf"^  {code.value}  +\w", text, re.MULTILINE)


def test_each_command_has_one_section_and_up_to_3_examples() -> None:
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(app.COMMANDS)
    assert EXAMPLES.keys() == app.COMMANDS.keys()
    assert all(len(examples) in (1, 2, 3) for examples in [MAIN_EXAMPLES, *EXAMPLES.values()])


@pytest.mark.parametrize("name", app.COMMANDS)
def test_examples_are_shown_and_parse(name: str) -> None:
    command = app.load_command(name)
    text = command.get_help(command.make_context(name, [], resilient_parsing=True))
    for purpose, line in EXAMPLES[name]:
        assert f"  # {purpose}\n  {line}" in text
        assert split_arguments(line)[0] == name
        command.make_context(name, split_arguments(line)[1:])


def test_main_examples_parse() -> None:
    for _, line in MAIN_EXAMPLES:
        name, *rest = split_arguments(line)
        app.load_command(name).make_context(name, rest)


def split_arguments(line: str) -> list[str]:
    """Return the arguments after `hldctl`, up to a pipe or a redirection."""
    words = shlex.split(line)
    assert words.pop(0) == "hldctl"
    end = next((index for index, word in enumerate(words) if word in ("|", ">")), len(words))
    return words[:end]


@pytest.mark.parametrize(
    ("mistyped", "suggestion"),
    [
        (["lunch"], "launch"),
        (["ls", "--stat"], "--status"),
        (["launch", "--retry"], "--retries"),
    ],
    ids=lambda words: words[-1],
)
def test_mistyped_word_gets_a_suggestion(sandbox: Sandbox, mistyped: list[str], suggestion: str) -> None:
    done = sandbox.run(*mistyped)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(f"Did you mean .*{suggestion}'", done.stderr)


def test_options_of_launch_are_in_sections(sandbox: Sandbox) -> None:
    text = sandbox.ok("launch", "--help")
    sections = re.findall(r"^(\w[\w ]*):$", text, re.MULTILINE)
    assert sections == ["Arguments", *Section, "Other", "Values", "Examples"]
    for section, option in (("Limits", "--timeout"), ("Permissions", "--allowed-tools"), ("Output", "--wait")):
        assert f"\n  {option} " in text.partition(f"\n{section}:")[2].partition("\n\n")[0]


@pytest.mark.parametrize("name", app.COMMANDS)
def test_forms_of_ids_and_durations_are_explained_where_they_are_used(name: str) -> None:
    command = app.load_command(name)
    text = command.get_help(command.make_context(name, [], resilient_parsing=True))
    synopsis, _, values = text.partition("\nExamples:")[0].partition("\nValues:\n")
    page_values = generate.command_page(name).partition('.SH "VALUES"')[2].partition(".SH")[0]
    for word in ("ID", "DURATION", "APPROVAL", "AGE"):
        is_used = re.search(rf"^  .*(?<![A-Z]){word}(?![A-Zs])", synopsis, re.MULTILINE) is not None
        assert is_used == (f"  {word} " in values), word
        assert not is_used or f".fI{word}.fR".replace(".f", "\\f") in page_values, word


def test_repeatable_options_say_so(sandbox: Sandbox) -> None:
    for option in app.load_command("launch").params:
        if getattr(option, "multiple", False):
            assert re.search(rf"  {option.opts[0]} [^-]*Repeatable\.", sandbox.ok("launch", "--help"))


def test_manual_pages_list_only_the_exit_codes_of_the_command() -> None:
    assert set(exit_codes("ls")) == {0, 2, 5, 130}
    assert set(exit_codes("continue")) == set(ExitCode) - {ExitCode.STILL_RUNNING}
    assert ExitCode.STILL_RUNNING in exit_codes("wait")
    section = generate.command_page("ls").partition("EXIT STATUS")[2].partition(".SH")[0]
    assert re.findall(r"^.fB(\d+)", section, re.MULTILINE) == ["0", "2", "5", "130"]
