"""Many sessions at once in one large repository."""

from __future__ import annotations

from collections.abc import Iterator
from subprocess import Popen

import pytest

from tests.helpers.git_repository import DOING, Repository, many_file, room_for_files
from tests.helpers.sandbox import Sandbox

SESSIONS = 12
FILES = 50_000
COMMIT = "git commit --quiet --all --message Work"


@pytest.fixture
def large_repository(sandbox: Sandbox) -> Iterator[Repository]:
    """A repository with 50,000 files, in which sessions run their query as a shell command."""
    sandbox.fake_claude(DOING)
    with room_for_files((SESSIONS + 1) * FILES, sandbox.root) as place:
        sandbox.configure(f'[worktree]\ndirectory = "{place}/worktrees"\n')
        repository = Repository(sandbox, place / "repository")
        repository.commit_many_files(FILES)
        yield repository
        sandbox.power_off()


def outputs(processes: list[Popen[str]]) -> list[str]:
    """Wait for commands that must succeed, and return what they printed."""
    found = []
    for process in processes:
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr
        found.append(stdout.strip())
    return found


def test_twelve_sessions_at_once_all_land(sandbox: Sandbox, large_repository: Repository) -> None:
    repository = large_repository
    # Each changes files far apart, the first also adds one, and every other one commits.
    own = {number: [many_file(number * 4001), many_file(49_999 - number)] for number in range(SESSIONS)}
    queries = [f"for file in {' '.join(paths)}; do echo {number} > $file; done" for number, paths in own.items()]
    queries[0] += "; mkdir -p added; echo 0 > added/new"
    queries = [f"{query}; {COMMIT}" if number % 2 else query for number, query in enumerate(queries)]
    ids = outputs([sandbox.popen("launch", "--worktree", query, "-C", repository.path) for query in queries])
    sandbox.ok("wait", *ids)
    assert len(repository.worktrees()) == SESSIONS
    commits = outputs([sandbox.popen("land", session_id) for session_id in ids])
    # One commit of each, one after the other.
    assert sorted(repository.git("rev-list", f"-{SESSIONS}", "main").splitlines()) == sorted(commits)
    expected = {path: f"{number}\n" for number, paths in own.items() for path in paths} | {"added/new": "0\n"}
    changed = repository.git("diff", "--name-only", f"main~{SESSIONS}", "main").splitlines()
    assert sorted(changed) == sorted(expected)
    assert {path: (repository.path / path).read_text() for path in expected} == expected
    assert repository.git("status", "--porcelain", "--ignored") == ""
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]
    assert not list(repository.path.parent.glob("worktrees/*/*"))
