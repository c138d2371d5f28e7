"""What sessions did in their worktrees, compared and landed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.git_repository import Repository, work
from tests.helpers.sandbox import Sandbox, eventually

COMMIT = "git add --all; git commit --quiet --message"
ALL_KINDS = f"echo a > a; {COMMIT} Own; echo three >> README; echo u > 'ü b'; echo i > x.secret; echo Said."


def path_of(sandbox: Sandbox, session_id: str) -> Path:
    return Path(sandbox.show(session_id)["worktree"]["path"])


def log(repository: Repository, branch: str = "main") -> list[str]:
    return repository.git("log", "--reverse", "--format=%s", branch).splitlines()


def test_diff_has_commits_changes_and_untracked_files(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, ALL_KINDS)
    path = path_of(sandbox, session_id)
    before = (subprocess.check_output(["git", "status", "--porcelain"], cwd=path), (path / "README").read_text())
    diff = sandbox.ok("diff", session_id)
    assert [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")] == [
        *("+three", "+a", "+u")
    ]
    assert sandbox.ok("diff", session_id, "--name-only").splitlines() == ["README", "a", '"\\303\\274 b"']
    assert "3 files changed, 3 insertions(+)" in sandbox.ok("diff", session_id, "--stat")
    found = json.loads(sandbox.ok("diff", session_id, "--json"))
    assert [commit["subject"] for commit in found["commits"]] == ["Own"]
    assert found["files"][2] == {"path": "ü b", "insertions": 1, "deletions": 0}
    assert found["dirty"] is True
    after = (subprocess.check_output(["git", "status", "--porcelain"], cwd=path), (path / "README").read_text())
    assert after == before


def test_show_and_ls_have_the_numbers(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, ALL_KINDS)
    expected = {"ahead": 1, "dirty": True, "files": 3, "insertions": 3, "deletions": 0}
    (listed,) = json.loads(sandbox.ok("ls", "--json"))
    assert expected.items() <= listed["worktree"].items()
    (path_of(sandbox, session_id) / "late").write_text("x\n")
    assert sandbox.show(session_id)["worktree"]["files"] == 4
    assert "1 commit, 4 files changed, +4 -0, uncommitted changes" in sandbox.ok("show", session_id)


def test_diff_of_a_removed_worktree_shows_what_is_kept(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "echo x > new")
    sandbox.ok("land", session_id)
    assert "+x" in sandbox.ok("diff", session_id)


def test_diff_without_a_worktree_shows_recorded_edits(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Write {"file_path": "new", "content": "one\\ntwo\\n"}\n\nsay Done.')
    session_id = sandbox.launch("Go", "--allowed-tools", "Write")
    sandbox.wait_for_end(session_id)
    done = sandbox.run("diff", session_id)
    assert "recorded edits" in done.stderr
    assert done.stdout.splitlines()[1:] == ["+one", "+two"]
    assert json.loads(sandbox.ok("diff", session_id, "--json"))["files"][0]["insertions"] == 2


def test_work_lands_as_one_commit_and_the_worktree_goes(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, ALL_KINDS, "--title", "Add things")
    tip = repository.git("rev-parse", f"hldctl/{session_id[:8]}")
    done = sandbox.run("land", session_id)
    assert done.returncode == 0, done.stderr
    assert "in main: 3 files changed" in done.stderr
    assert done.stdout.strip() == repository.git("rev-parse", "main")
    assert log(repository) == ["First", "Add things"]
    assert repository.git("log", "-1", "--format=%b") == "Said."
    assert repository.git("log", "-1", "--format=%an") == "Ada"
    assert (repository.path / "README").read_text() == "one\nthree\n"
    assert repository.git("status", "--porcelain") == ""
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]
    # The single commits, and what git ignores, are kept.
    kept = f"refs/hldctl/{session_id}"
    assert repository.git("merge-base", "--is-ancestor", tip, kept) == ""
    assert repository.git("show", f"{kept}:x.secret") == "i"
    assert sandbox.run("continue", session_id, "More").returncode == 4


@pytest.mark.parametrize(
    ("option", "subjects"),
    [
        ("--squash", ["First", "Other", "Title"]),
        ("--merge", ["First", "Other", "One", "Two", "Title"]),
        ("--rebase", ["First", "Other", "One", "Two"]),
    ],
)
def test_branch_that_has_moved_gets_the_work(
    sandbox: Sandbox, repository: Repository, option: str, subjects: list[str]
) -> None:
    session_id = work(sandbox, f"echo a > a; {COMMIT} One; echo b > b; {COMMIT} Two", "--title", "Title")
    repository.write("other", "x\n")
    repository.commit("Other")
    sandbox.ok("land", session_id, option)
    assert sorted(log(repository)) == sorted(subjects)
    assert {"a", "b", "other"} <= {path.name for path in repository.path.iterdir()}
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]


@pytest.mark.parametrize("option", ["--squash", "--merge", "--rebase"])
def test_conflicts_are_named_and_change_nothing(sandbox: Sandbox, repository: Repository, option: str) -> None:
    session_id = work(sandbox, f"echo theirs > README; echo p > sub/part; {COMMIT} Theirs")
    path = path_of(sandbox, session_id)
    repository.write("README", "ours\n")
    repository.commit("Ours")
    before = repository.fingerprint(), repository.git("for-each-ref"), sorted(path.rglob("*"))
    done = sandbox.run("land", session_id, option)
    assert (done.returncode, done.stdout) == (4, "")
    assert "Conflicts with main in README; nothing was changed." in done.stderr
    assert (repository.fingerprint(), repository.git("for-each-ref"), sorted(path.rglob("*"))) == before
    assert repository.worktrees() == [str(path)]


def test_checkout_with_changes_is_left_alone(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, f"echo x > new; {COMMIT} New")
    repository.write("README", "in progress\n")
    done = sandbox.run("land", session_id)
    assert done.returncode == 4
    assert "uncommitted changes, such as in README" in done.stderr
    repository.git("checkout", "--", "README")
    repository.write("new", "mine\n")
    assert "could not be changed in its checkout" in sandbox.run("land", session_id).stderr
    assert (repository.path / "new").read_text() == "mine\n"
    assert log(repository) == ["First"]
    # Another branch does not matter to the checkout.
    repository.write("README", "in progress\n")
    repository.git("branch", "other")
    (repository.path / "new").unlink()
    before = repository.fingerprint()
    sandbox.ok("land", session_id, "--into", "other", "--message", "Mine")
    assert log(repository, "other") == ["First", "Mine"]
    assert repository.fingerprint() == before


def test_sparse_worktree_lands_without_deleting_what_it_leaves_out(sandbox: Sandbox, repository: Repository) -> None:
    repository.write("apart/file", "three\n")
    repository.commit("Apart")
    command = "git sparse-checkout set sub; echo x > sub/new; echo more >> sub/part; mkdir -p apart; echo y > apart/new"
    session_id = work(sandbox, command)
    assert not (path_of(sandbox, session_id) / "apart/file").exists()
    sandbox.ok("land", session_id)
    changed = repository.git("diff", "--name-status", "HEAD^", "HEAD").splitlines()
    assert changed == ["A\tapart/new", "A\tsub/new", "M\tsub/part"]


def test_filters_of_attributes_apply_both_ways(sandbox: Sandbox, repository: Repository) -> None:
    """As with Git LFS, which is such a filter: what is stored is not what is in the file."""
    repository.git("config", "filter.turn.clean", "rev")
    repository.git("config", "filter.turn.smudge", "rev")
    repository.write(".gitattributes", "*.big filter=turn\n")
    repository.write("old.big", "abc\n")
    repository.commit("Filtered")
    assert repository.git("show", "HEAD:old.big") == "cba"
    session_id = work(sandbox, "cat old.big; echo xyz > new.big; git status --porcelain old.big")
    assert sandbox.show(session_id)["result_content"] == "abc"
    sandbox.ok("land", session_id)
    assert repository.git("show", "HEAD:new.big") == "zyx"
    assert (repository.path / "new.big").read_text() == "xyz\n"


def test_commit_is_signed_if_the_user_signs(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    for name, value in {"gpg.format": "ssh", "user.signingKey": str(key), "commit.gpgSign": "true"}.items():
        repository.git("config", name, value)
    sandbox.ok("land", work(sandbox, "echo x > new"))
    assert "BEGIN SSH SIGNATURE" in repository.git("cat-file", "commit", "HEAD")


@pytest.mark.parametrize("option", ["--squash", "--merge", "--rebase"])
def test_more_work_lands_after_a_landing_that_kept_the_worktree(
    sandbox: Sandbox, repository: Repository, option: str
) -> None:
    session_id = work(sandbox, f"echo second > README; {COMMIT} One")
    sandbox.ok("land", session_id, option, "--keep")
    landed = sandbox.show(session_id)["worktree"]["landed"]
    assert landed == {"branch": "main", "commit": repository.git("rev-parse", "main")}
    assert "landed in main" in sandbox.ok("show", session_id)
    repository.write("other", "x\n")
    repository.commit("Other")
    path = path_of(sandbox, session_id)
    (path / "README").write_text("third\n")
    repository.git("commit", "--quiet", "--all", "--message", "Two", cwd=path)
    (path / "new").write_text("x\n")
    sandbox.ok("land", session_id, option, "--message", "Rest")
    assert (repository.path / "README").read_text() == "third\n"
    assert {"new", "other"} <= {path.name for path in repository.path.iterdir()}
    assert (repository.worktrees(), repository.branches()) == ([], ["main"])


def test_landing_again_without_more_work_only_removes_the_worktree(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, f"echo x > new; {COMMIT} One")
    sandbox.ok("land", session_id, "--keep")
    commit = repository.git("rev-parse", "main")
    again = sandbox.run("land", session_id)
    assert (again.returncode, again.stdout.strip()) == (0, commit)
    assert f"main had everything of {session_id[:8]} already" in again.stderr
    assert (repository.worktrees(), repository.git("rev-parse", "main")) == ([], commit)


def test_worktree_can_be_kept(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "echo x > new")
    sandbox.ok("land", session_id, "--keep", "--merge")
    assert (path_of(sandbox, session_id) / "new").exists()
    assert repository.worktrees() != []


def test_bare_repository_gets_the_work(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repository.git("clone", "--quiet", "--bare", ".", str(bare))
    session_id = work(sandbox, f"echo x > new; {COMMIT} New", "-C", str(bare), "--title", "Landed")
    sandbox.ok("land", session_id)
    assert repository.git("log", "-1", "--format=%s", "main", cwd=bare) == "Landed"


def test_impossible_landings_are_refused(sandbox: Sandbox, repository: Repository) -> None:
    apart = sandbox.wait_for_end(sandbox.launch("true"))["id"]
    assert "has no worktree" in sandbox.run("land", apart).stderr
    idle = work(sandbox, "true")
    assert "There is nothing to land" in sandbox.run("land", idle).stderr
    repository.git("checkout", "--quiet", "--detach")
    detached = work(sandbox, "echo x > new")
    refused = sandbox.run("land", detached)
    assert refused.returncode == 2
    assert "choose one with --into BRANCH" in refused.stderr
    running = sandbox.launch("--worktree", "echo x > new; sleep 1000")
    eventually(lambda: (path_of(sandbox, running) / "new").exists(), "the file")
    refused = sandbox.run("land", running, "--into", "main")
    assert refused.returncode == 4
    assert "has not ended" in refused.stderr
    assert sandbox.run("land", detached, "--merge", "--rebase").returncode == 2


def test_many_landings_at_once_follow_each_other(sandbox: Sandbox, repository: Repository) -> None:
    ids = [sandbox.launch("--worktree", f"echo {n} > file-{n}; {COMMIT} {n}") for n in range(6)]
    sandbox.ok("wait", *ids)
    landings = [sandbox.popen("land", session_id, "--rebase") for session_id in ids]
    assert [landing.wait() for landing in landings] == [0] * 6
    assert sorted(log(repository)[1:]) == [str(n) for n in range(6)]
    assert repository.git("status", "--porcelain") == ""
    assert repository.worktrees() == []


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_files_that_the_index_hides_land(sandbox: Sandbox, repository: Repository, flag: str) -> None:
    session_id = work(sandbox, f"git update-index {flag} README; echo three > README")
    assert sandbox.show(session_id)["worktree"]["files"] == 1
    assert "+three" in sandbox.ok("diff", session_id)
    sandbox.ok("land", session_id)
    assert (repository.path / "README").read_text() == "three\n"
    assert repository.worktrees() == []


def test_work_inside_and_outside_a_sparse_checkout_lands(sandbox: Sandbox, repository: Repository) -> None:
    repository.write("other/part", "x\n")
    repository.write("other/rest", "x\n")
    repository.commit("Other")
    repository.git("sparse-checkout", "set", "sub")
    session_id = work(sandbox, "mkdir other; for name in part new; do echo three | tee sub/$name > other/$name; done")
    assert sandbox.show(session_id)["worktree"]["files"] == 4
    sandbox.ok("land", session_id)
    changed = repository.git("diff", "--name-only", "main~1", "main").splitlines()
    assert changed == ["other/new", "other/part", "sub/new", "sub/part"]
    assert repository.git("status", "--porcelain") == ""


@pytest.mark.parametrize("place", ["nested", "build/nested"])
def test_another_repository_stops_a_landing(sandbox: Sandbox, repository: Repository, place: str) -> None:
    session_id = work(sandbox, f"echo x > new; git init --quiet {place}; cd {place}; echo y > y; {COMMIT} Y")
    refused = sandbox.run("land", session_id)
    assert refused.returncode == 4
    assert f"{place} is another repository, which cannot land" in refused.stderr
    assert log(repository) == ["First"]
    assert (path_of(sandbox, session_id) / place / "y").exists()


def test_full_disk_changes_nothing(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "head -c 3000000 /dev/urandom > big; echo more >> README")
    before = repository.fingerprint(), repository.git("for-each-ref")
    # A limit on the size of files acts as a disk without room: the object cannot be written.
    limited = ["/bin/sh", "-c", 'ulimit -f 2000; exec "$@"', "sh", sys.executable, "-m", "hldctl", "land", session_id]
    assert subprocess.run(limited, env=sandbox.environment, capture_output=True, check=False).returncode != 0
    assert (repository.fingerprint(), repository.git("for-each-ref")) == before
    sandbox.ok("land", session_id)
    assert (repository.path / "big").stat().st_size == 3_000_000
    assert (repository.path / "README").read_text() == "one\nmore\n"
