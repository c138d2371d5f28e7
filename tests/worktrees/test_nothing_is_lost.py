"""Whatever a landing meets, and wherever it is killed: what the session wrote can still be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.git_repository import Repository, git_that_kills, is_on_disk, work
from tests.helpers.sandbox import Sandbox
from tests.worktrees.kinds_of_work import COMMIT, QUIET, WORK

LANDED = {
    name: command
    for name, command in {**WORK, **QUIET}.items()
    if name not in ("nothing", "conflict", "committed elsewhere", "merged")
}


@pytest.mark.parametrize("what", LANDED)
def test_landing_keeps_all_kinds_of_work(sandbox: Sandbox, repository: Repository, what: str) -> None:
    session_id = work(sandbox, f"{LANDED[what]}; echo also > also", "--worktree=work")
    done = sandbox.run("land", session_id)
    assert done.returncode == 0, done.stderr
    assert (repository.worktrees(), repository.branches()) == ([], ["main"])
    assert repository.has_text("PRECIOUS")
    assert repository.git("show", "main:also") == "also"
    repository.git("fsck", "--full", "--strict")


def test_landing_in_the_middle_of_a_merge_is_refused(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, WORK["conflict"], "--worktree=work")
    before = repository.git("for-each-ref")
    refused = sandbox.run("land", session_id)
    assert refused.returncode == 4
    assert "in the middle of a merge; these files have conflicts: README" in refused.stderr
    assert repository.git("for-each-ref") == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, 10))
def test_landing_that_is_killed_loses_nothing(
    sandbox: Sandbox, repository: Repository, tmp_path: Path, step: int, when: str
) -> None:
    session_id = work(
        sandbox, f"echo PRECIOUS-1 > new; {COMMIT}; echo PRECIOUS-2 > README; mkdir build; echo PRECIOUS-3 > build/x"
    )
    worktree = Path(sandbox.show(session_id)["worktree"]["path"])
    deadly = git_that_kills(sandbox, tmp_path, step, when)
    assert sandbox.run("land", session_id, environment=deadly).returncode == -9
    # The checkout of the branch is as before, or has all of it.
    assert repository.git("status", "--porcelain") == ""
    for number in (1, 2, 3):
        content = f"PRECIOUS-{number}"
        assert repository.has_text(content) or is_on_disk(worktree, content)
    again = sandbox.run("land", session_id)
    if again.returncode != 0:
        # Only the session's row and the worktree's branch were left to be removed.
        assert "is gone; there is nothing to land" in again.stderr
        sandbox.ok("rm", "--force", session_id)
    assert (repository.worktrees(), repository.branches()) == ([], ["main"])
    assert repository.git("show", "main:new") == "PRECIOUS-1"
    assert repository.git("show", "main:README") == "PRECIOUS-2"
    assert repository.has_text("PRECIOUS-3")
    assert repository.git("rev-list", "--count", "main") == "2"
