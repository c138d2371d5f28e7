"""Where a project's `.hldctl.toml` is found, and when it is not used."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from hldctl.config.project import Project, ProjectFile, Unusable, find_file, find_path
from hldctl.errors import BadUsage
from tests.helpers.another_user import owned_by_another_user
from tests.helpers.projects import write_project
from tests.helpers.sandbox import Sandbox


def test_nearest_file_counts_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    outside = write_project(tmp_path)
    repository = tmp_path / "repository"
    deep = repository / "a" / "b"
    deep.mkdir(parents=True)
    assert find_path(str(deep)) is None
    (repository / ".git").mkdir()
    assert find_path(str(deep)) is None
    top = write_project(repository)
    assert find_path(str(deep)) == top
    near = write_project(repository / "a")
    assert find_path(str(deep)) == near
    assert find_path(str(repository / "missing")) == top
    assert find_path(str(tmp_path)) == outside


def test_search_without_a_repository_ends_with_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_project(tmp_path)
    deep = tmp_path / "home" / "a" / "b"
    deep.mkdir(parents=True)
    assert find_path(str(deep)) is None
    file = write_project(tmp_path / "home")
    assert find_path(str(deep)) == file


def test_directory_behind_a_symbolic_link_belongs_to_its_own_repository(tmp_path: Path) -> None:
    file = write_project(tmp_path / "repository")
    (tmp_path / "repository" / ".git").touch()
    (tmp_path / "repository" / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "repository" / "a")
    assert find_path(str(tmp_path / "link")) == file


@pytest.mark.parametrize("path", ["\0", "~nobody-has-this-name/x", "\udcff"])
def test_path_that_cannot_exist_has_no_file(path: str) -> None:
    assert find_path(path) is None


def test_link_directory_and_pipe_are_not_used(tmp_path: Path) -> None:
    file = tmp_path / ".hldctl.toml"
    for target in (tmp_path / "settings", Path("/dev/zero"), tmp_path / "missing"):
        (tmp_path / "settings").write_text("retries = 9\n")
        file.symlink_to(target)
        assert find_file(str(tmp_path)) == ProjectFile(file, unusable=Unusable.LINK)
        file.unlink()
    os.mkfifo(file)
    assert find_file(str(tmp_path)) == ProjectFile(file, unusable=Unusable.NOT_A_FILE)
    file.unlink()
    file.mkdir()
    assert find_file(str(tmp_path)) == ProjectFile(file, unusable=Unusable.NOT_A_FILE)


def test_file_of_another_user_is_not_used(tmp_path: Path) -> None:
    file = write_project(tmp_path, "retries = 9\n")
    for mode in (0o644, 0o600):
        file.chmod(mode)
        with owned_by_another_user(file):
            assert find_file(str(tmp_path)) == ProjectFile(file, unusable=Unusable.OTHER_USER)


def test_unusable_file_is_named_and_the_session_starts(sandbox: Sandbox) -> None:
    (sandbox.root / "settings").write_text("retries = 9\n")
    file = sandbox.work / ".hldctl.toml"
    file.symlink_to(sandbox.root / "settings")
    for command in (("config",), ("config", "--json")):
        done = sandbox.run(*command)
        assert (done.returncode, done.stderr) == (0, f"hldctl: {file} is ignored, because it is a symbolic link\n")
    done = sandbox.run("config", "trust")
    assert (done.returncode, "it is a symbolic link" in done.stderr) == (2, True)


def parse(directory: Path) -> Project | None:
    found = find_file(str(directory))
    return None if found is None else found.parse()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("retrys = 1", "unknown key 'retrys'; did you mean retries?"),
        ("xyz = 1", "unknown key 'xyz'; the keys are model"),
        ("max_running = 2", "max_running is not an option of a session; set it at the top of"),
        ("retries = 'many'", "retries must be a whole number, 0 to 1000, not 'many'"),
        ("timeout = 'soon'", "timeout: 'soon' is not a duration"),
        ("profiles = 1", "profiles must be a table with a table for each profile"),
        ("[profiles.a]\nmodle = 'x'", "the profile 'a': unknown key 'modle'; did you mean model?"),
        ("profiles.a = 1", "the profile 'a' must be a table"),
        ("[profiles.'a b']", "'a b' cannot name a profile"),
        ("retries = [", "is not valid TOML"),
        ("#" * (1 << 20) + "\n", "is larger than 1 MiB"),
        ("model = '\udcff'", "cannot be read"),
    ],
)
def test_mistake_in_the_file_is_named_in_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / ".hldctl.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadUsage, match=re.escape(message)) as caught:
        parse(tmp_path)
    assert str(caught.value).startswith(str(file))
