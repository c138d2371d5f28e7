from __future__ import annotations

from pathlib import Path

import pytest

from hldctl.errors import UnfitEnvironment
from hldctl.host.paths import StateDirectory, write_private


def test_where_the_state_is() -> None:
    roots = {
        "/chosen": {"HLDCTL_HOME": "/chosen", "XDG_STATE_HOME": "/xdg"},
        "/xdg/hldctl": {"XDG_STATE_HOME": "/xdg"},
        f"{Path.home()}/.local/state/hldctl": {"XDG_STATE_HOME": "relative"},
        f"{Path.cwd()}/here": {"HLDCTL_HOME": "here"},
        f"{Path.home()}/there": {"HLDCTL_HOME": "~/there"},
    }
    assert {str(StateDirectory.from_environment(variables).root): variables for variables in roots.values()} == roots


def test_a_private_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"secret")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_a_state_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnfitEnvironment, match="HLDCTL_HOME"):
        StateDirectory(tmp_path / "file" / "state").prepare()


def test_a_state_directory_open_to_others_is_closed(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.root.mkdir(mode=0o755)
    state.prepare()
    assert state.root.stat().st_mode & 0o777 == 0o700
