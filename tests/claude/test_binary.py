from __future__ import annotations

from pathlib import Path

import pytest

from hldctl.claude import binary
from hldctl.errors import UnfitEnvironment


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_configured_binary_comes_first(tmp_path: Path) -> None:
    named = program(tmp_path / "named")
    program(tmp_path / "bin" / "claude")
    environment = {"HLDCTL_CLAUDE": str(named), "PATH": str(tmp_path / "bin")}
    assert binary.find_binary(environment) == named


def test_unusable_configured_binary_is_an_error(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "claude")
    with pytest.raises(UnfitEnvironment, match="HLDCTL_CLAUDE is /no/such"):
        binary.find_binary({"HLDCTL_CLAUDE": "/no/such", "PATH": str(tmp_path / "bin")})


def test_path_is_searched_in_order_except_project_directories(tmp_path: Path) -> None:
    program(tmp_path / "node_modules" / ".bin" / "claude")
    (tmp_path / "not-executable").mkdir()
    (tmp_path / "not-executable" / "claude").touch()
    expected = program(tmp_path / "bin" / "claude")
    directories = [
        tmp_path / "node_modules" / ".bin",
        tmp_path / "not-executable",
        tmp_path / "missing",
        expected.parent,
    ]
    assert binary.find_binary({"PATH": ":".join(map(str, directories))}) == expected


def test_usual_install_paths_are_searched_under_cron(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = program(tmp_path / ".local" / "bin" / "claude")
    assert binary.find_binary({"PATH": "/nowhere"}) == expected


@pytest.mark.usefixtures("genuine_claude")
def test_bundled_binary_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = binary.find_binary({"PATH": "/nowhere"})
    assert path.parts[-3:] == ("claude_agent_sdk", "_bundled", "claude")


def test_login_shell_is_asked_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    expected = program(tmp_path / "tools" / "claude")
    shell = program(tmp_path / "shell")
    shell.write_text(f"#!/bin/sh\necho Welcome!\necho {expected}\n")
    assert binary.find_binary({"PATH": "/nowhere", "SHELL": str(shell)}) == expected


@pytest.mark.parametrize(
    ("mark", "command"),
    [
        ("pipx_metadata.json", "pipx inject hldctl claude-agent-sdk"),
        ("uv-receipt.toml", "uv tool install hldctl --with claude-agent-sdk"),
        (None, "{prefix}/bin/pip install claude-agent-sdk"),
    ],
)
def test_advice_to_install_fits_how_hldctl_was_installed(tmp_path: Path, mark: str | None, command: str) -> None:
    if mark is not None:
        (tmp_path / mark).touch()
    assert binary.install_command(str(tmp_path)) == command.format(prefix=tmp_path)
