"""The manual pages in the tree are those that the commands ask for."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hldctl.cli import app
from hldctl.cli.completion.install import SCRIPT_FILES
from hldctl.config import schema

# A script in no package: imported by a statement, mypy would know it under two names when it is given both files.
generate = importlib.import_module("scripts.generate")
roff = importlib.import_module("scripts.roff")
configuration_page = importlib.import_module("scripts.configuration_page")


def test_the_tree_is_fresh() -> None:
    script = generate.ROOT / "scripts" / "generate.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (check.returncode, check.stderr) == (0, "")


def test_what_was_just_written_is_fresh(tmp_path: Path) -> None:
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []


def test_a_file_that_differs_is_stale(tmp_path: Path) -> None:
    generate.write(tmp_path)
    with (tmp_path / "man/man1/hldctl-ls.1").open("a") as page:
        page.write("by hand\n")
    assert generate.stale(tmp_path) == ["man/man1/hldctl-ls.1"]


def test_a_file_that_is_missing_is_stale(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/man1/hldctl.1").unlink()
    assert generate.stale(tmp_path) == ["man/man1/hldctl.1"]


def test_the_page_of_a_command_that_is_gone_is_stale_until_written_again(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/man1/hldctl-gone.1").touch()
    assert generate.stale(tmp_path) == ["man/man1/hldctl-gone.1"]
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []


def test_a_stale_tree_fails_the_check_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/man1/hldctl.1").write_text("")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("man/man1/hldctl.1 is stale")


@pytest.mark.parametrize("name", app.COMMANDS)
def test_a_page_names_each_long_option(name: str) -> None:
    page = generate.command_page(name)
    command = app.load_command(name)
    commands = [command, *getattr(command, "commands", {}).values()]
    parameters = [parameter for each in commands for parameter in each.params]
    options = [option for parameter in parameters for option in parameter.opts + parameter.secondary_opts]
    for option in [*options, "--help"]:
        if option.startswith("--"):
            assert roff.bold(option) in page


def test_the_page_of_a_group_has_its_commands() -> None:
    page = generate.command_page("config")
    for name in app.load_command("config").commands:
        assert f"hldctl config {name}" in page
        assert f'.SS "hldctl config {name}"' in page


def test_prose_is_nothing_that_roff_obeys() -> None:
    assert roff.prose(r".so \fBit-goes 'on' with --no-wait and `ls -q`…") == (
        r"\&.so \(rsfBit-goes \(aqon\(aq with \fB\-\-no\-wait\fR and \fBls \-q\fR..."
    )


PAGES = sorted(path for path in generate.generated_files() if path.startswith("man/"))


def test_man_and_mandoc_have_nothing_to_say_against_the_pages() -> None:
    for command in (["man", "--warnings", "-l"], ["mandoc", "-Tlint"]):
        done = subprocess.run([*command, *PAGES], cwd=generate.ROOT, capture_output=True, text=True, check=False)
        # mandoc says what it finds where others print the page.
        said = done.stdout if command[0] == "mandoc" else ""
        assert (done.returncode, done.stderr, said) == (0, "", "")


def test_man_finds_the_pages_by_their_names() -> None:
    for page, line in (("1 hldctl-launch", 'hldctl launch "Fix'), ("5 hldctl-config", "max_running = 4")):
        environment = {"MANPATH": str(generate.ROOT / "man"), "PATH": os.environ["PATH"], "MANWIDTH": "100"}
        shown = subprocess.run(
            ["man", *page.split()], env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert line in shown


def test_the_page_of_the_configuration_has_each_key_and_an_example_that_is_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "hldctl").mkdir()
    (tmp_path / "hldctl" / "config.toml").write_text(configuration_page.EXAMPLE)
    example = schema.load({"XDG_CONFIG_HOME": str(tmp_path)})
    assert list(example.values) == list(schema.KEYS)


def test_the_wheel_puts_pages_and_completions_where_they_are_looked_for() -> None:
    project = tomllib.loads((generate.ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared.pop("man") == "share/man"
    assert {Path(path).parent.name for path in PAGES} == {"man1", "man5"}
    assert {Path(path).name for path in shared} == set(SCRIPT_FILES.values())
