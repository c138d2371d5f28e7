from __future__ import annotations

from pathlib import Path

import pytest

from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.private_files import write_private
from tests.helpers.another_user import OTHER_UID, owned_by_another_user


def test_state_directory_follows_the_environment() -> None:
    roots = {
        "/chosen": {"HLDCTL_HOME": "/chosen", "XDG_STATE_HOME": "/xdg"},
        "/xdg/hldctl": {"XDG_STATE_HOME": "/xdg"},
        f"{Path.home()}/.local/state/hldctl": {"XDG_STATE_HOME": "relative"},
        f"{Path.cwd()}/here": {"HLDCTL_HOME": "here"},
        f"{Path.home()}/there": {"HLDCTL_HOME": "~/there"},
    }
    assert {str(StateDirectory.from_environment(variables).root): variables for variables in roots.values()} == roots


def test_private_file_ignores_the_umask(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"secret")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


def test_impossible_state_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnfitEnvironment, match="HLDCTL_HOME"):
        StateDirectory(tmp_path / "file" / "state").prepare()


def test_empty_directory_of_another_user_is_rejected(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.root.mkdir(mode=0o700)
    with owned_by_another_user(state.root):
        for check in (state.prepare, state.require_own):
            with pytest.raises(UnfitEnvironment, match=f"belongs to user {OTHER_UID}"):
                check()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("names", [("hldctl.db",), ("hldctl.db", "hldctl.db-wal", "sessions", "migration.lock")])
def test_directory_with_only_own_files_becomes_private(tmp_path: Path, names: tuple[str, ...]) -> None:
    state = StateDirectory(tmp_path / "state")
    state.root.mkdir()
    state.root.chmod(0o775)
    for name in names:
        (state.root / name).touch()
    state.prepare()
    assert mode(state.root) == 0o700


@pytest.mark.parametrize("names", [(), ("sessions",), ("queue.signal",)])
def test_foreign_directory_is_rejected_and_keeps_its_mode(tmp_path: Path, names: tuple[str, ...]) -> None:
    state = StateDirectory(tmp_path / "empty")
    state.root.mkdir()
    state.root.chmod(0o755)
    for name in names:
        (state.root / name).mkdir()
    with pytest.raises(UnfitEnvironment, match="chmod 700"):
        state.prepare()
    assert mode(state.root) == 0o755


@pytest.mark.parametrize("bits", [0o755, 0o711, 0o770, 0o1777, 0o1700 | 0o007])
def test_mixed_directory_is_rejected_and_keeps_its_mode(tmp_path: Path, bits: int) -> None:
    state = StateDirectory(tmp_path / "shared")
    state.root.mkdir()
    (state.root / "hldctl.db").touch()
    (state.root / "somebody's notes").touch()
    state.root.chmod(bits)
    with pytest.raises(UnfitEnvironment, match="HLDCTL_HOME") as rejected:
        state.prepare()
    assert mode(state.root) == bits
    # A directory that all users share must not be closed.
    assert ("chmod 700" in str(rejected.value)) == (not bits & 0o1000)


def test_shared_directory_is_rejected_and_keeps_its_mode(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "shared")
    state.root.mkdir()
    state.root.chmod(0o1777)
    with pytest.raises(UnfitEnvironment, match="shared"):
        state.prepare()
    assert mode(state.root) == 0o1777


def test_private_directory_may_contain_other_files(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    state.root.mkdir(mode=0o700)
    (state.root / "notes").touch()
    state.prepare()
    assert mode(state.root) == 0o700


def test_settled_directory_is_not_recreated(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state").as_existing()
    with pytest.raises(UnfitEnvironment, match="Cannot use"):
        state.prepare()
    assert not state.root.exists()
