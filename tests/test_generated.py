"""The manual pages and completions in the tree are those that the commands ask for."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hldctl.cli import app

# A script in no package: imported by a statement, mypy would know it under two names when it is given both files.
generate = importlib.import_module("scripts.generate")


def test_the_tree_is_fresh() -> None:
    script = generate.ROOT / "scripts" / "generate.py"
    check = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (check.returncode, check.stderr) == (0, "")


def test_what_was_just_written_is_fresh(tmp_path: Path) -> None:
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []


def test_a_file_that_differs_is_stale(tmp_path: Path) -> None:
    generate.write(tmp_path)
    with (tmp_path / "man/hldctl-ls.1").open("a") as page:
        page.write("by hand\n")
    assert generate.stale(tmp_path) == ["man/hldctl-ls.1"]


def test_a_file_that_is_missing_is_stale(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "completions/_hldctl").unlink()
    assert generate.stale(tmp_path) == ["completions/_hldctl"]


def test_the_page_of_a_command_that_is_gone_is_stale_until_written_again(tmp_path: Path) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/hldctl-gone.1").touch()
    assert generate.stale(tmp_path) == ["man/hldctl-gone.1"]
    generate.write(tmp_path)
    assert generate.stale(tmp_path) == []


def test_a_stale_tree_fails_the_check_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate.write(tmp_path)
    (tmp_path / "man/hldctl.1").write_text("")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().err.startswith("man/hldctl.1 is stale")


@pytest.mark.parametrize("name", app.COMMANDS)
def test_a_page_names_each_long_option(name: str) -> None:
    page = generate.command_page(name)
    options = [option for parameter in app.load(name).params for option in parameter.opts + parameter.secondary_opts]
    for option in [*options, "--help"]:
        if option.startswith("--"):
            assert rf"\fB{generate.literal(option)}\fR" in page


def test_prose_is_nothing_that_roff_obeys() -> None:
    assert generate.prose(r".so \fBit-goes 'on' with --no-wait and `ls -q`…") == (
        r"\&.so \(rsfBit-goes \(aqon\(aq with \fB\-\-no\-wait\fR and \fBls \-q\fR..."
    )


_COMPLETE_IN_BASH = """
source "$1"
COMP_WORDS=(hldctl int)
COMP_CWORD=1
_hldctl_completion hldctl int hldctl
echo "${COMPREPLY[*]}"
"""


def test_bash_completes_a_command() -> None:
    completed = subprocess.run(
        ["bash", "--norc", "-c", _COMPLETE_IN_BASH, "bash", generate.ROOT / "completions" / "hldctl.bash"],
        env={"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout == "interrupt\n"
