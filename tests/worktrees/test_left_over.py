"""`doctor` finds what has been left over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.git_repository import Repository, work
from tests.helpers.sandbox import Sandbox, eventually, kill


def findings(sandbox: Sandbox, *options: str) -> list[dict[str, object]]:
    found = json.loads(sandbox.run("doctor", "--json", *options).stdout)
    return [finding for finding in found if finding["subject"] == "worktrees"]


@pytest.fixture
def left(sandbox: Sandbox, repository: Repository) -> Path:
    """Return a worktree of a launch that was killed during its setup."""
    sandbox.configure('[worktree]\nsetup = "sleep 1000"\n')
    launch = sandbox.popen("launch", "--worktree=left", "true")
    eventually(lambda: sandbox.processes_with_argument("sleep 1000"), "the setup")
    launch.kill()
    launch.wait()
    kill(sandbox.processes())
    (path,) = map(Path, repository.worktrees())
    return path


def grow_old(sandbox: Sandbox) -> None:
    """Let doctor believe that it is tomorrow."""
    site = sandbox.root / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text("import time\nnow = time.time\ntime.time = lambda: now() + 86400\n")
    sandbox.environment["PYTHONPATH"] = str(site)


def test_worktree_without_a_session_is_removed_unless_it_holds_work(
    sandbox: Sandbox, repository: Repository, left: Path
) -> None:
    assert findings(sandbox, "--fix") == []
    assert left.exists()
    grow_old(sandbox)
    (left / "new").write_text("PRECIOUS\n")
    (finding,) = findings(sandbox, "--fix")
    assert "It may hold work" in str(finding["advice"])
    (left / "new").unlink()
    (finding,) = findings(sandbox, "--fix")
    assert finding["fixed"]
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]


def test_branch_without_a_session_is_deleted_if_others_have_its_commits(
    sandbox: Sandbox, repository: Repository
) -> None:
    work(sandbox, "true", "--worktree=used")
    assert [finding["level"] for finding in findings(sandbox)] == ["ok"]
    repository.git("branch", "hldctl/merged")
    repository.git("checkout", "--quiet", "-b", "hldctl/own")
    repository.write("new", "x")
    repository.commit("Own")
    repository.git("checkout", "--quiet", "main")
    found = findings(sandbox, "--fix")
    assert [finding["fixed"] for finding in found] == [True, False]
    assert repository.branches() == ["hldctl/own", "hldctl/used", "main"]


def test_session_without_its_worktree_is_noted(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "true")
    repository.git("worktree", "remove", "--force", sandbox.show(session_id)["worktree"]["path"])
    (finding,) = (each for each in findings(sandbox) if session_id in str(each["message"]))
    assert "is gone" in str(finding["message"])
