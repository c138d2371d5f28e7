"""Whatever is killed, no work in a worktree is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.git_repository import Repository, is_on_disk
from tests.helpers.sandbox import Sandbox, eventually, is_dead, kill

KINDS = ("COMMITTED", "CHANGED", "UNTRACKED", "IGNORED")
QUERY = (
    "echo COMMITTED > own; git add own; git commit --quiet --message Own; echo CHANGED >> README; "
    "echo UNTRACKED > new; mkdir build; echo IGNORED > build/x; sleep 1000"
)
VICTIMS = ("supervisor", "Claude Code", "everything")


def kill_victims(sandbox: Sandbox, victim: str) -> None:
    """Kill with SIGKILL, and wait until the processes are dead."""
    if victim == "supervisor":
        # Each guard would start another one.
        victims = [*sandbox.guards(), *sandbox.supervisors()]
    elif victim == "Claude Code":
        victims = sandbox.processes_with_argument(f"{sandbox.root}/claude")
    else:
        victims = [*sandbox.guards(), *sandbox.processes()]
    assert victims
    kill(victims)
    eventually(lambda: all(map(is_dead, victims)), "their death")


@pytest.fixture(params=VICTIMS)
def crashed(request: pytest.FixtureRequest, sandbox: Sandbox, repository: Repository) -> tuple[str, Path]:
    """The id and the worktree of a session of which something was killed during its work, and that has ended."""
    session_id = sandbox.launch("--worktree", QUERY)
    path = Path(sandbox.show(session_id)["worktree"]["path"])
    eventually(lambda: (path / "build" / "x").exists() and is_on_disk(path / "build", "IGNORED"), "its work")
    kill_victims(sandbox, request.param)
    # Adopts a session without a supervisor.
    (listed,) = json.loads(sandbox.ok("ls", "--json"))
    assert listed["worktree"]["path"] == str(path)
    if request.param == "supervisor":
        refused = sandbox.run("land", session_id)
        assert (refused.returncode, "has not ended" in refused.stderr) == (4, True)
        sandbox.ok("interrupt", session_id)
    assert sandbox.wait_for_end(session_id)["status"] in ("failed", "interrupted")
    eventually(lambda: not sandbox.supervisors(), "the supervisor to exit")
    return session_id, path


def test_removal_after_a_crash_is_refused_then_keeps_everything(
    sandbox: Sandbox, repository: Repository, crashed: tuple[str, Path]
) -> None:
    session_id, path = crashed
    for command in (["rm", session_id], ["prune", "--keep", "0"]):
        assert f"its worktree {path} holds" in sandbox.run(*command).stderr
    assert all(is_on_disk(path, kind) for kind in KINDS)
    sandbox.ok("rm", "--force", session_id)
    assert all(repository.has_text(kind) for kind in KINDS)
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]
    repository.git("fsck", "--full", "--strict")


def test_work_lands_after_a_crash(sandbox: Sandbox, repository: Repository, crashed: tuple[str, Path]) -> None:
    session_id, _ = crashed
    sandbox.ok("land", session_id)
    assert (repository.path / "own").read_text() == "COMMITTED\n"
    assert (repository.path / "README").read_text() == "one\nCHANGED\n"
    assert (repository.path / "new").read_text() == "UNTRACKED\n"
    assert repository.git("show", f"refs/hldctl/{session_id}:build/x") == "IGNORED"
    assert repository.git("status", "--porcelain") == ""
    assert repository.worktrees() == []
