from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from hldctl.claude.edit_rules import GUARDED_DIRECTORIES, GUARDED_FILES, Area, edited_file, is_accepted
from hldctl.claude.permission_hook import EDITS, FILE, INPUT, Rule, is_allowed, lasting_rule


@pytest.fixture
def work(tmp_path: Path) -> Path:
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


@pytest.fixture
def area(work: Path, tmp_path: Path) -> Area:
    return Area((str(work), str(tmp_path / "more")), (str(tmp_path / "more" / "state"),), (str(tmp_path / "home"),))


def write(path: Path | str) -> dict[str, Any]:
    return {"file_path": str(path), "content": "text"}


def accepts(path: Path | str, area: Area) -> bool:
    return is_accepted("Write", write(path), area)


def test_plain_files_of_each_directory_are_accepted(work: Path, tmp_path: Path, area: Area) -> None:
    (work / "there").write_text("")
    more = tmp_path / "more"
    for path in (
        work / "there",
        work / "new",
        work / "a" / "b" / "new",
        more / "x",
        work / ".gitignore",
        work / ".env",
    ):
        assert accepts(path, area), path
    for name in ("CLAUDE.md", ".github/workflows/test.yml", "src/config", "gitconfig", "Größe 日本語.txt", "a..b"):
        assert accepts(work / name, area), name


@pytest.mark.parametrize(
    "path", ["", ".", "plain", "work/plain", "~/plain", "/", "/etc/passwd", "//etc/passwd", "/tmp"]
)
def test_path_elsewhere_or_not_absolute_needs_approval(path: str, area: Area) -> None:
    assert not accepts(path, area)


def test_directory_with_the_same_prefix_is_another(work: Path, area: Area) -> None:
    for path in (f"{work}2/x", f"{work}", f"{work}/", f"{work}/../x", f"{work}/a/../../x"):
        assert not accepts(path, area), path


@pytest.mark.parametrize("name", sorted(GUARDED_FILES | GUARDED_DIRECTORIES | {"HEAD"}))
def test_file_that_runs_at_startup_needs_approval(name: str, work: Path, area: Area) -> None:
    for path in (work / name, work / "deep" / "er" / name, work / name.upper()):
        assert not accepts(path, area), path


@pytest.mark.parametrize("name", sorted(GUARDED_DIRECTORIES))
def test_file_below_a_guarded_directory_needs_approval(name: str, work: Path, area: Area) -> None:
    for path in (work / name / "x", work / "deep" / name / "er" / "x", work / name.title() / "x"):
        assert not accepts(path, area), path


def test_names_are_compared_as_on_the_most_lenient_file_system(work: Path, area: Area) -> None:
    for name in (
        ".GIT/x",
        ".Git/hooks/x",
        ".baſhrc",
        ".cla\u00fade",
        ".\uff47it/x",
        ".mcp.JSON",
        ".claude\u200c/x",
        ".GİTCONFIG",
    ):
        expected = name in (".cla\u00fade", ".GİTCONFIG")
        assert accepts(work / name, area) is expected, name


def test_symlinks_are_followed_in_each_component(work: Path, tmp_path: Path, area: Area) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("")
    (work / "inside").mkdir()
    (work / "to-outside").symlink_to(outside)
    (work / "to-file").symlink_to(outside / "file")
    (work / "dangling").symlink_to(outside / "new")
    (work / "chain").symlink_to(work / "dangling")
    (work / "to-git").symlink_to(work / ".git")
    (work / "loop").symlink_to(work / "loop")
    (work / "within").symlink_to(work / "inside")
    for name in (
        "to-outside/x",
        "to-outside/new/x",
        "to-file",
        "dangling",
        "chain",
        "to-git/config",
        "to-git",
        "to-outside/../x",
    ):
        assert not accepts(work / name, area), name
    assert not accepts(work / "loop", area)
    assert accepts(work / "within" / "x", area)
    # A program that resolves symlinks first reads another file than one that normalises the path first.
    assert not accepts(f"{work}/within/../x/../../x", area)
    (tmp_path / "alias").symlink_to(work)
    assert accepts(tmp_path / "alias" / "x", area)
    assert accepts(work / "x", Area((str(tmp_path / "alias"),)))


def test_ambiguous_path_needs_approval(work: Path, area: Area) -> None:
    for name in ("x ", "x\n", "x\0y", "x\u200b", "x\u2028", unicodedata.normalize("NFD", "ü"), "x\ufeff", "x\udc80"):
        assert not accepts(f"{work}/{name}", area), name
    assert not accepts(f" {work}/x", area)
    assert not is_accepted("Write", {"file_path": ["x"]}, area)
    assert not is_accepted("Write", {"path": f"{work}/x"}, area)
    assert not is_accepted("NotebookEdit", {"file_path": f"{work}/x"}, area)
    assert is_accepted("NotebookEdit", {"notebook_path": f"{work}/x"}, area)
    assert not is_accepted("Bash", {"file_path": f"{work}/x"}, area)


def test_special_or_hard_linked_file_needs_approval(work: Path, tmp_path: Path, area: Area) -> None:
    os.mkfifo(work / "pipe")
    (work / "directory").mkdir()
    (tmp_path / "other").write_text("")
    os.link(tmp_path / "other", work / "hard")
    for name in ("pipe", "directory", "hard", "other/x"):
        assert accepts(work / name, area) is (name == "other/x"), name


def test_possible_git_repository_needs_approval(work: Path, area: Area) -> None:
    for name, parts in (
        ("bare", ["HEAD", "objects"]),
        ("worktree", ["HEAD", "commondir"]),
        ("begun", ["HEAD", "refs"]),
    ):
        (work / name).mkdir()
        for part in parts:
            (work / name / part).touch()
        assert not accepts(work / name / "config", area)
        assert not accepts(work / name / "hooks" / "pre-commit", area)
    assert accepts(work / "config", area)


def test_hldctls_files_and_dotfiles_in_home_need_approval(tmp_path: Path) -> None:
    home = tmp_path / "home"
    area = Area((str(home),), (str(home / "state"),), (str(home),))
    assert accepts(home / "notes.txt", area)
    assert accepts(home / "project" / ".env", area)
    for name in (
        ".local/bin/ls",
        ".profile",
        ".anything",
        "bin/ls",
        "Library/LaunchAgents/x.plist",
        "state/hldctl.db",
        "STATE/x",
    ):
        assert not accepts(home / name, area), name
    within = Area((str(home / ".dotfiles"),), (), (str(home),))
    assert accepts(home / ".dotfiles" / "notes", within)
    assert not accepts(home / ".dotfiles" / ".bashrc", within)


def test_claude_code_worktree_is_an_ordinary_project(work: Path) -> None:
    tree = work / ".claude" / "worktrees" / "one"
    area = Area((str(tree),))
    assert accepts(tree / "plain", area)
    for path in (
        tree / ".claude" / "settings.json",
        tree / ".git",
        tree.parent / "x",
        work / ".claude" / "settings.json",
    ):
        assert not accepts(path, area), path
    assert not accepts(work / ".claude" / "worktrees" / "x", Area((str(work),)))


def test_root_directory_is_not_a_project() -> None:
    assert not accepts("/srv/file", Area(("/",)))


def test_always_for_an_edit_covers_the_project_or_one_file(work: Path, tmp_path: Path, area: Area) -> None:
    inside, outside = work / "x", tmp_path / "outside"
    rule = lasting_rule("Write", write(inside), None, area)
    assert rule == Rule("Edit", EDITS)
    for tool in ("Write", "Edit", "MultiEdit"):
        assert is_allowed(rule, tool, write(work / "y"), area)
        assert not is_allowed(rule, tool, write(work / ".git" / "config"), area)
        assert not is_allowed(rule, tool, write(outside), area)
    assert not is_allowed(rule, "Write", write(inside))
    assert not is_allowed(rule, "Bash", {"command": "x", **write(inside)}, area)
    rule = lasting_rule("Write", write(outside), None, area)
    assert rule == Rule("Edit", FILE, str(outside))
    assert is_allowed(rule, "Edit", write(outside), area)
    assert not is_allowed(rule, "Write", write(f"{outside}2"), area)
    assert not is_allowed(rule, "Read", write(outside), area)
    outside.symlink_to(tmp_path / "elsewhere")
    assert not is_allowed(rule, "Write", write(outside), area)
    assert lasting_rule("Write", write("relative"), None, area).kind == INPUT


def test_reference_page_lists_all_guarded_names() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"
    assert (GUARDED_DIRECTORIES | GUARDED_FILES | {"HEAD"}) <= set(re.findall(r"`([^`]+)`", page.read_text()))


def test_new_file_has_a_path_before_it_exists(work: Path) -> None:
    assert edited_file("Write", write(work / "new" / "x")) == str(work / "new" / "x")
    assert edited_file("Write", {}) is None
    assert edited_file("Read", write(work / "x")) is None
