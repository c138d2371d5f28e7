"""Generated manual pages and completions: they match the current commands."""

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

# Not in a package: with an import statement, mypy would find the script under two names if it checks both files.
generate = importlib.import_module("scripts.generate")
roff = importlib.import_module("scripts.roff")
configuration_page = importlib.import_module("scripts.configuration_page")


def test_generated_files_are_current() -> None:
    script = generate.ROOT / "scripts" / "generate.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (check.returncode, check.stderr) == (0, "")


def test_just_written_files_are_current(tmp_path: Path) -> None:
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []


def test_changed_file_is_stale(tmp_path: Path) -> None:
    generate.write(tmp_path)
    with (tmp_path / "man/man1/hldctl-ls.1").open("a") as page:
        page.write("by hand\n")
    assert generate.stale(tmp_path) == ["man/man1/hldctl-ls.1"]


def test_missing_file_is_stale(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/man1/hldctl.1").unlink()
    assert generate.stale(tmp_path) == ["man/man1/hldctl.1"]


def test_page_of_a_removed_command_is_stale(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/man1/hldctl-gone.1").touch()
    assert generate.stale(tmp_path) == ["man/man1/hldctl-gone.1"]
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []


def test_check_fails_and_names_the_stale_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/man1/hldctl.1").write_text("")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("man/man1/hldctl.1 is stale")


@pytest.mark.parametrize("name", app.COMMANDS)
def test_page_lists_each_long_option(name: str) -> None:
    page = generate.command_page(name)
    command = app.load_command(name)
    commands = [command, *getattr(command, "commands", {}).values()]
    parameters = [parameter for subcommand in commands for parameter in subcommand.params]
    options = [option for parameter in parameters for option in parameter.opts + parameter.secondary_opts]
    for option in [*options, "--help"]:
        if option.startswith("--"):
            assert roff.bold(option) in page


def test_page_of_a_group_has_its_commands() -> None:
    page = generate.command_page("config")
    for name in app.load_command("config").commands:
        assert f"hldctl config {name}" in page
        assert f'.SS "hldctl config {name}"' in page


def test_prose_is_escaped_for_roff() -> None:
    assert roff.prose(r".so \fBit-goes 'on' with --no-wait and `ls -q`…") == (
        r"\&.so \(rsfBit-goes \(aqon\(aq with \fB\-\-no\-wait\fR and \fBls \-q\fR..."
    )


PAGES = sorted(path for path in generate.generated_files() if path.startswith("man/"))


def test_pages_pass_man_and_mandoc() -> None:
    for command in (["man", "--warnings", "-l"], ["mandoc", "-Tlint"]):
        done = subprocess.run([*command, *PAGES], cwd=generate.ROOT, capture_output=True, text=True, check=False)
        # mandoc prints its findings to standard output, where man prints the page.
        findings = done.stdout if command[0] == "mandoc" else ""
        assert (done.returncode, done.stderr, findings) == (0, "", "")


def test_man_finds_the_pages_by_name() -> None:
    for page, line in (("1 hldctl-launch", 'hldctl launch --worktree "Fix'), ("5 hldctl-config", "max_running = 4")):
        environment = {"MANPATH": str(generate.ROOT / "man"), "PATH": os.environ["PATH"], "MANWIDTH": "100"}
        text = subprocess.run(
            ["man", *page.split()], env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert line in text


def test_configuration_page_has_all_keys_and_a_valid_example(
    tmp_path: Path,
) -> None:
    (tmp_path / "hldctl").mkdir()
    (tmp_path / "hldctl" / "config.toml").write_text(configuration_page.EXAMPLE)
    example = schema.load({"XDG_CONFIG_HOME": str(tmp_path)})
    assert list(example.values) == list(schema.KEYS)


def test_wheel_installs_pages_and_completions() -> None:
    project = tomllib.loads((generate.ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared.pop("man") == "share/man"
    assert {Path(path).parent.name for path in PAGES} == {"man1", "man5"}
    assert {Path(path).name for path in shared} == set(SCRIPT_FILES.values())
