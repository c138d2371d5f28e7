"""No command deletes what a session made in its worktree unless it exists elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.deadly_git import deadly_git
from tests.helpers.git_repository import Repository, is_on_disk, work
from tests.helpers.sandbox import Completed, Sandbox, eventually

COMMIT = "git add --all; git commit --quiet --message Work"
WORK = {
    "changed": "echo PRECIOUS >> README",
    "untracked": "mkdir -p 'a b'; echo PRECIOUS > 'a b/ü'",
    "newline in the name": 'echo PRECIOUS > "$(printf \'a\\nb"\\\\c\')"',
    "staged, then changed": "echo PRECIOUS > README; git add README; echo other > README",
    "staged, then deleted": "echo PRECIOUS > new; git add new; rm new",
    "committed": f"echo PRECIOUS > new; {COMMIT}",
    "committed elsewhere": f"git switch --quiet --detach; echo PRECIOUS > new; {COMMIT}",
    "conflict": f"echo PRECIOUS > README; {COMMIT}; git switch --quiet --create x main; echo y > README; {COMMIT};"
    " git merge hldctl/work",
    "file instead of a directory": "rm -r sub; echo PRECIOUS > sub",
    "directory instead of a file": "rm README; mkdir README; echo PRECIOUS > README/x",
    "link": "ln -s PRECIOUS link",
    "assumed to be unchanged": "git update-index --assume-unchanged README; echo PRECIOUS > README",
    "skipped in the index": "git update-index --skip-worktree README; echo PRECIOUS > README",
    "hidden by attributes": "echo '* text=auto eol=lf' > .gitattributes; printf 'PRECIOUS\\r\\n' > new",
}
"""What a session may leave that needs a decision."""
QUIET = {
    "nothing": "true",
    "ignored": "mkdir build; echo PRECIOUS > build/x",
    "amended": f"echo PRECIOUS > new; {COMMIT}; git reset --quiet --hard main",
    "merged": f"echo PRECIOUS > new; {COMMIT}; git push --quiet . HEAD:refs/heads/merged",
}
"""What does not need one."""


def remove(sandbox: Sandbox, how: str, session_id: str) -> Completed:
    return sandbox.run("prune", "--keep", "0") if how == "prune" else sandbox.run(*how.split(), session_id)


def path_of(sandbox: Sandbox, session_id: str) -> Path:
    return Path(sandbox.show(session_id)["worktree"]["path"])


@pytest.mark.parametrize("what", WORK)
def test_work_that_exists_nowhere_else_is_refused_then_kept(
    sandbox: Sandbox, repository: Repository, what: str
) -> None:
    session_id = work(sandbox, WORK[what], "--name", "work", "--worktree=work")
    path = path_of(sandbox, session_id)
    before = sorted(path.rglob("*"))
    refused = sandbox.run("rm", session_id)
    assert (refused.returncode, refused.stdout) == (4, "")
    assert f"its worktree {path} holds" in refused.stderr
    skipped = sandbox.run("prune", "--keep", "0")
    assert (skipped.returncode, skipped.stdout) == (0, "")
    assert f"skipped {session_id}: its worktree {path} holds" in skipped.stderr
    assert sorted(path.rglob("*")) == before
    done = sandbox.run("rm", "--force", session_id)
    assert (done.returncode, done.stdout.strip()) == (0, session_id)
    assert f"kept in refs/hldctl/{session_id}" in done.stderr
    assert repository.worktrees() == []
    assert "hldctl/work" not in repository.branches()
    assert repository.has_text("PRECIOUS")
    # Git agrees that nothing of it is missing.
    repository.git("fsck", "--full", "--strict")


@pytest.mark.parametrize("how", ["rm", "prune", "rm --force"])
@pytest.mark.parametrize("what", QUIET)
def test_other_work_is_kept_without_a_question(sandbox: Sandbox, repository: Repository, what: str, how: str) -> None:
    session_id = work(sandbox, QUIET[what])
    done = remove(sandbox, how, session_id)
    assert (done.returncode, done.stdout.strip()) == (0, session_id), done.stderr
    assert repository.worktrees() == []
    assert [name for name in repository.branches() if name.startswith("hldctl/")] == []
    assert repository.has_text("PRECIOUS") == (what != "nothing")
    assert (f"refs/hldctl/{session_id}" in done.stderr) == (what in ("ignored", "amended"))
    assert not (sandbox.state.root / "worktrees").exists() or not list((sandbox.state.root / "worktrees").iterdir())


def test_kept_commit_has_the_files_as_they_were(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(
        sandbox, "printf 'a\\r\\nb' > crlf; echo x > tool; chmod +x tool; rm sub/part; echo y > README; git add README"
    )
    sandbox.ok("rm", "--force", session_id)
    ref = f"refs/hldctl/{session_id}"
    listed = repository.git("ls-tree", "-r", ref, "--format=%(objectmode) %(path)").splitlines()
    assert listed == ["100644 .gitignore", "100644 README", "100644 crlf", "100755 tool"]
    assert repository.git("cat-file", "-s", f"{ref}:crlf") == "4"


def test_copied_secrets_are_never_committed(sandbox: Sandbox, repository: Repository) -> None:
    repository.write("key.secret", "COPIED\n")
    sandbox.configure('[worktree]\ncopy = ["key.secret"]\n')
    untouched = work(sandbox, "true")
    sandbox.ok("rm", untouched)
    changed = work(sandbox, "echo PRECIOUS > key.secret")
    assert "1 changed file of [worktree] copy" in sandbox.run("rm", changed).stderr
    sandbox.ok("rm", "--force", changed)
    assert not repository.has_text("COPIED")
    assert not repository.has_text("PRECIOUS")
    kept = sandbox.state.kept / changed / "key.secret"
    assert kept.read_text() == "PRECIOUS\n"
    assert kept.stat().st_mode & 0o077 == 0


def test_what_the_setup_made_is_not_kept(sandbox: Sandbox, repository: Repository) -> None:
    sandbox.configure('[worktree]\nsetup = "mkdir build; echo MADE > build/big"\n')
    session_id = work(sandbox, "true")
    assert sandbox.run("rm", session_id).stderr == ""
    assert not repository.has_text("MADE")


def test_many_ignored_files_need_a_decision(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "mkdir build; head -c 40000000 /dev/zero > build/big")
    assert "38 MB of ignored files" in sandbox.run("rm", session_id).stderr
    sandbox.ok("rm", "--force", session_id)
    assert repository.git("cat-file", "-s", f"refs/hldctl/{session_id}:build/big") == "40000000"


@pytest.mark.parametrize("place", ["nested", "build/nested"])
def test_another_repository_is_never_deleted(sandbox: Sandbox, repository: Repository, place: str) -> None:
    session_id = work(sandbox, f"git init --quiet {place}; cd {place}; echo PRECIOUS > x; {COMMIT}")
    path = path_of(sandbox, session_id)
    for options in ([], ["--force"]):
        done = sandbox.run("rm", *options, session_id)
        assert done.returncode == 4
        assert place in done.stderr
    assert (path / place / "x").read_text() == "PRECIOUS\n"
    assert sandbox.show(session_id)["id"] == session_id


def test_worktree_lives_as_long_as_a_session_needs_it(sandbox: Sandbox) -> None:
    repository = Repository(sandbox)
    sandbox.serve_script("say One.\n\nsay Two.")
    first = sandbox.wait_for_end(sandbox.launch("--worktree", "Go"))
    second = sandbox.wait_for_end(sandbox.ok("continue", first["id"], "Again").strip())
    path = Path(first["worktree"]["path"])
    (path / "new").write_text("PRECIOUS\n")
    sandbox.ok("rm", first["id"])
    assert (path / "new").exists()
    assert sandbox.run("rm", second["id"]).returncode == 4
    sandbox.ok("rm", "--force", second["id"])
    assert not path.exists()
    assert repository.has_text("PRECIOUS")


def test_nothing_is_deleted_if_one_of_several_is_refused(sandbox: Sandbox, repository: Repository) -> None:
    clean, dirty = work(sandbox, "true"), work(sandbox, "echo x > new")
    assert sandbox.run("rm", clean, dirty).returncode == 4
    assert path_of(sandbox, clean).is_dir()


def test_running_session_is_interrupted_then_kept(sandbox: Sandbox, repository: Repository) -> None:
    session_id = sandbox.launch("--worktree", "echo PRECIOUS > new; sleep 1000")
    eventually(lambda: (path_of(sandbox, session_id) / "new").exists(), "the file")
    assert sandbox.run("rm", session_id).returncode == 4
    sandbox.ok("rm", "--force", session_id)
    assert repository.has_text("PRECIOUS")


def test_worktree_removed_by_hand_leaves_its_commits(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, f"echo PRECIOUS > new; {COMMIT}")
    subprocess.run(["rm", "-r", path_of(sandbox, session_id)], check=True)
    refused = sandbox.run("rm", session_id)
    assert "1 commit that no other branch has" in refused.stderr
    sandbox.ok("rm", "--force", session_id)
    assert repository.branches() == ["main"]
    assert repository.worktrees() == []
    assert repository.has_text("PRECIOUS")


def test_directory_that_is_no_worktree_any_more_stays(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "echo PRECIOUS > new; rm .git")
    path = path_of(sandbox, session_id)
    sandbox.run("rm", "--force", session_id)
    assert (path / "new").read_text() == "PRECIOUS\n"


def test_settings_that_a_session_wrote_run_nothing(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(
        sandbox,
        "cp -r \"$(git rev-parse --git-common-dir)\" own; echo 'gitdir: own' > .git;"
        " git config --file own/config core.fsmonitor 'touch ran; false'",
    )
    path = path_of(sandbox, session_id)
    for command in (["show"], ["diff"], ["land"], ["rm", "--force"]):
        sandbox.run(*command, session_id)
    assert not (path / "ran").exists()
    assert (path / "own").exists()


def test_worktree_without_its_repository_stays(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    session_id = work(sandbox, "echo PRECIOUS > new")
    path = path_of(sandbox, session_id)
    (repository.path / ".git").rename(tmp_path / "moved")
    sandbox.ok("rm", session_id)
    assert (path / "new").read_text() == "PRECIOUS\n"


def test_full_disk_removes_nothing(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "head -c 3000000 /dev/urandom > big; echo PRECIOUS > new")
    path = path_of(sandbox, session_id)
    # A limit on the size of files acts as a disk without room: the object cannot be written.
    limited = subprocess.run(
        [
            "/bin/sh",
            "-c",
            'ulimit -f 2000; exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "hldctl",
            "rm",
            "--force",
            session_id,
        ],
        env=sandbox.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert limited.returncode != 0
    assert (path / "new").read_text() == "PRECIOUS\n"
    assert sandbox.show(session_id)["id"] == session_id
    sandbox.ok("rm", "--force", session_id)
    assert repository.has_text("PRECIOUS")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, 8))
def test_removal_that_is_killed_loses_nothing(
    sandbox: Sandbox, repository: Repository, tmp_path: Path, step: int, when: str
) -> None:
    session_id = work(
        sandbox, f"echo PRECIOUS-1 > new; {COMMIT}; echo PRECIOUS-2 > README; git add README; echo PRECIOUS-3 > README"
    )
    places = [repository.path, path_of(sandbox, session_id)]
    deadly = deadly_git(sandbox, tmp_path, step, when)
    killed = sandbox.run("rm", "--force", session_id, environment=deadly)
    assert killed.returncode == -9
    for content in ("PRECIOUS-1", "PRECIOUS-2", "PRECIOUS-3"):
        reached = repository.has_text(content) or any(is_on_disk(place, content) for place in places)
        # What is staged is in an object that only the index of the worktree names.
        assert reached or (content == "PRECIOUS-2" and os.path.isdir(places[1]))
    again = sandbox.run("rm", "--force", session_id)
    assert again.returncode == 0, again.stderr
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]
    assert all(repository.has_text(f"PRECIOUS-{number}") for number in (1, 2, 3))
    assert json.loads(sandbox.ok("ls", "--json")) == []
