"""Time until `launch --worktree` returns in a large repository, compared with `git worktree add` alone."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks import claude_daemon
from benchmarks.metric import Metric
from benchmarks.samples import Samples
from benchmarks.timing import Command, run_in_turn
from benchmarks.workspace import Workspace, hldctl_command
from tests.helpers.git_repository import Repository, room_for_files
from tests.helpers.sandbox import Sandbox

_FILES = 50_000
_PAIRS = 7
_NUMBERS = count(1)


def measure(workspace: Workspace) -> Iterator[Metric]:
    # At most three checkouts exist at the same time.
    with workspace.small_home() as sandbox, room_for_files(3 * _FILES, sandbox.root) as place:
        sandbox.serve_script("say Done.")
        sandbox.configure(f'[worktree]\ndirectory = "{place}/ours"\n')
        repository = Repository(sandbox, place / "repository")
        repository.commit_many_files(_FILES)
        ours, theirs = run_in_turn(
            lambda: _launch(sandbox, repository), lambda: _add(sandbox, repository, place / "theirs"), _PAIRS
        )
        measured, against = Samples("hldctl launch --worktree", "ms", ours), Samples("git worktree add", "ms", theirs)
        yield Metric("launch --worktree, 50,000 files", measured, against, paired=True)


def _launch(sandbox: Sandbox, repository: Repository) -> float:
    """Return the milliseconds that `launch` took, after the session and its worktree are gone again."""
    launched = hldctl_command(sandbox, "launch", "--worktree", "Say done.", "-C", repository.path).run()
    session_id = launched.output.strip()
    hldctl_command(sandbox, "wait", session_id).run()
    claude_daemon.wait_until_idle(sandbox)
    hldctl_command(sandbox, "rm", session_id).run()
    return launched.wall_ms


def _add(sandbox: Sandbox, repository: Repository, place: Path) -> float:
    """Return the milliseconds that git took, after its worktree is gone again."""
    git = ("git", "-C", repository.path, "worktree")
    branch = f"theirs-{next(_NUMBERS)}"
    added = Command([*git, "add", "--quiet", "-b", branch, place], sandbox.environment, sandbox.work).run()
    Command([*git, "remove", "--force", place], sandbox.environment, sandbox.work).run()
    return added.wall_ms
