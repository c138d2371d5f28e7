"""A repository on a full disk: nothing is half-made, and nothing is removed that could not be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.namespace import Namespace
from tests.helpers.git_repository import DOING, Repository, work
from tests.helpers.sandbox import Sandbox
from tests.worktrees.kinds_of_work import COMMIT


class SmallRepository(Namespace):
    """A repository on a file system of its own; its worktrees are on another one, in the state directory."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.mount = sandbox.root / "disk"
        self.mount.mkdir()
        super().__init__(sandbox, f"mount -t tmpfs -o size=16m none {self.mount}")
        self.repository = Repository(sandbox, self.mount, files=self.path_from_outside(self.mount))

    def fill(self) -> None:
        assert not self.run(f"cat /dev/zero > {self.mount}/.git/filler")

    def make_room(self) -> None:
        assert self.run(f"rm {self.mount}/.git/filler")


@pytest.fixture
def disk(sandbox: Sandbox) -> Iterator[SmallRepository]:
    sandbox.fake_claude(DOING)
    disk = SmallRepository(sandbox)
    yield disk
    disk.close()


@pytest.mark.parametrize("command", [["rm", "--force"], ["land"], ["land", "--rebase"]], ids=" ".join)
def test_worktree_stays_until_its_content_can_be_kept(
    sandbox: Sandbox, disk: SmallRepository, command: list[str]
) -> None:
    commands = f"head -c 3000000 /dev/urandom > big; echo PRECIOUS-1 > new; {COMMIT}; echo PRECIOUS-2 > other"
    session_id = work(sandbox, commands, "-C", str(disk.mount))
    path = Path(sandbox.show(session_id)["worktree"]["path"])
    disk.fill()
    failed = sandbox.run(*command, session_id)
    assert failed.returncode == 5
    assert "is full. Free some space" in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert [(path / name).read_text() for name in ("new", "other")] == ["PRECIOUS-1\n", "PRECIOUS-2\n"]
    disk.make_room()
    assert disk.repository.git("status", "--porcelain") == ""
    sandbox.ok(*command, session_id)
    assert not path.exists()
    assert disk.repository.has_text("PRECIOUS-1")
    assert disk.repository.has_text("PRECIOUS-2")
    disk.repository.git("fsck", "--full", "--strict")


def test_launch_leaves_nothing_on_a_full_disk(sandbox: Sandbox, disk: SmallRepository) -> None:
    disk.fill()
    refused = sandbox.run("launch", "--worktree", "true", "-C", disk.mount)
    assert refused.returncode == 5
    assert "is full. Free some space" in refused.stderr
    assert sandbox.ok("ls", "-q") == ""
    assert not (sandbox.state.root / "worktrees").exists()
    disk.make_room()
    assert disk.repository.branches() == ["main"]
    assert disk.repository.worktrees() == []
