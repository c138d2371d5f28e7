"""Which words of `launch --on ENGINE` the job gets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hldctl.cli.command_line import parse
from hldctl.cli.placing.travel import travelling_options


@pytest.mark.parametrize(
    ("words", "travelling"),
    [
        (["Go", "--on", "slurm", "--engine-option", "--hold", "--wait", "--follow", "--json", "-q"], []),
        (["--title", "-x", "Go"], ["--title=-x"]),
        (["--title=-x", "Go"], ["--title=-x"]),
        (["-C", "dir", "--worktree", "name", "--name", "n", "--if-running=queue", "--as", "x", "Go"], []),
        (["--approvals", "--no-keep-open", "--max-turns", "3"], ["--approvals", "--no-keep-open", "--max-turns=3"]),
        (["--settings", "~/file", "--add-dir", "/dir"], ["--settings", "~/file", "--add-dir", "/dir"]),
        (["--query-file", "file", "--base", "main", "--with-changes"], ["--base=main", "--with-changes"]),
        (["--json-schema", '{"type": "object"}', "Go"], ['--json-schema={"type": "object"}']),
        (["--json-schema", "/schema.json", "Go"], ["--json-schema", "/schema.json"]),
        (["Go", "--create-dir", "--", "--env", "x"], ["--create-dir"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_options_that_are_about_the_session_travel(words: list[str], travelling: list[str]) -> None:
    assert travelling_options(parse(["launch", *words], {}), "slurm").words == travelling


def test_relative_paths_become_absolute() -> None:
    line = parse(["launch", "--mcp-config", "servers.json", "--add-dir=../other"], {})
    here = Path.cwd()
    assert travelling_options(line, "slurm").words == [
        *("--mcp-config", str(here / "servers.json"), "--add-dir", os.path.abspath(here.parent / "other"))
    ]
