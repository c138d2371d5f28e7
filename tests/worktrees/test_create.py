"""Sessions in worktrees of their own."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.helpers.git_repository import Repository, work
from tests.helpers.sandbox import Sandbox


def worktree_of(sandbox: Sandbox, session_id: str) -> Path:
    return Path(sandbox.show(session_id)["worktree"]["path"])


def assert_nothing_made(sandbox: Sandbox, repository: Repository) -> None:
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]
    assert not (sandbox.state.root / "worktrees").exists()
    assert not sandbox.state.sessions.exists() or not list(sandbox.state.sessions.iterdir())


def test_session_with_the_real_claude_code_works_in_its_worktree(sandbox: Sandbox) -> None:
    repository = Repository(sandbox)
    sandbox.serve_script('call Bash {"command": "pwd; echo three > new"}\n\nsay Done.')
    session_id = sandbox.launch("--worktree", "Go", "--allowed-tools", "Bash", "-C", "sub")
    session = sandbox.wait_for_end(session_id)
    assert session["status"] == "completed"
    path = Path(session["worktree"]["path"])
    assert (path / "sub" / "new").read_text() == "three\n"
    assert session["working_dir"] == f"{path}/sub"
    assert not (repository.path / "sub" / "new").exists()


def test_edits_are_accepted_in_the_own_worktree_only(sandbox: Sandbox) -> None:
    Repository(sandbox)
    other = f"{sandbox.state.root}/worktrees/other/one/new"
    own = "a"
    sandbox.serve_script(
        f'call Write {{"file_path": "{own}", "content": "x"}}\n\ncall Write {{"file_path": "{other}", "content": "x"}}'
        "\n\nsay Done."
    )
    options = ("--auto-accept-edits", "--approvals", "--approval-timeout", "1s=deny")
    session = sandbox.wait_for_end(sandbox.launch("--worktree", "Go", "-C", "sub", *options))
    assert Path(session["working_dir"], own).read_text() == "x"
    assert not Path(other).exists()
    assert len(session["permission_denials"]) == 1


def test_worktree_is_recorded(sandbox: Sandbox, repository: Repository) -> None:
    head = repository.git("rev-parse", "HEAD")
    session_id = sandbox.launch("--worktree=parser", "pwd")
    session = sandbox.wait_for_end(session_id)
    worktree = session["worktree"]
    assert worktree["path"].startswith(f"{sandbox.state.root}/worktrees/work-")
    assert worktree["path"].endswith("/parser")
    assert {name: worktree[name] for name in ("branch", "base", "base_commit")} == {
        "branch": "hldctl/parser",
        "base": "main",
        "base_commit": head,
    }
    assert session["result_content"] == worktree["path"]
    assert json.loads(sandbox.ok("ls", "--json"))[0]["worktree"]["path"] == worktree["path"]


def test_session_without_a_worktree_has_null(sandbox: Sandbox, repository: Repository) -> None:
    assert sandbox.wait_for_end(sandbox.launch("pwd"))["worktree"] is None


def test_query_is_never_taken_for_a_name(sandbox: Sandbox, repository: Repository) -> None:
    session_id = sandbox.launch("--name", "nightly", "--worktree", "pwd")
    session = sandbox.wait_for_end(session_id)
    assert session["query"] == "pwd"
    assert session["worktree"]["branch"] == f"hldctl/nightly-{session_id[:8]}"


@pytest.mark.parametrize(
    "words", [["--worktree=parser", "pwd"], ["--worktree", "parser", "pwd"], ["pwd", "--worktree", "parser"]]
)
def test_name_is_given_with_or_without_an_equals_sign(
    sandbox: Sandbox, repository: Repository, words: list[str]
) -> None:
    session = sandbox.wait_for_end(sandbox.launch(*words))
    assert (session["query"], session["worktree"]["branch"]) == ("pwd", "hldctl/parser")


def test_query_of_several_words_is_refused_with_a_worktree(sandbox: Sandbox, repository: Repository) -> None:
    refused = sandbox.run("launch", "--worktree", "fix", "the", "test")
    assert refused.returncode == 2
    assert "'fix the test' is more than one argument; quote the query" in refused.stderr


def test_base_is_any_commit(sandbox: Sandbox, repository: Repository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.write("README", "changed\n")
    repository.commit("Second")
    session_id = work(sandbox, "cat README", "--base", "main~1")
    session = sandbox.show(session_id)
    assert session["result_content"] == "one"
    assert session["worktree"]["base_commit"] == first


def test_work_left_behind_is_noted(sandbox: Sandbox, repository: Repository) -> None:
    repository.write("README", "changed\n")
    repository.write("new", "new\n")
    before = repository.fingerprint()
    done = sandbox.run("launch", "--worktree", "ls; cat README")
    assert "not in the worktree: 1 uncommitted change and 1 untracked file" in done.stderr
    assert "one" in sandbox.wait_for_end(done.stdout.strip())["result_content"]
    assert repository.fingerprint() == before


def test_changes_are_carried_over_and_the_checkout_stays(sandbox: Sandbox, repository: Repository) -> None:
    repository.write("README", "staged\n")
    repository.git("add", "README")
    repository.write("README", "later\n")
    repository.write("added/ä b", "new\n")
    (repository.path / "tool").write_text("#!/bin/sh\n")
    (repository.path / "tool").chmod(0o755)
    (repository.path / "link").symlink_to("README")
    (repository.path / "sub" / "part").unlink()
    before = repository.fingerprint()
    done = sandbox.run("launch", "--worktree", "true", "--with-changes")
    assert done.stderr == ""
    path = worktree_of(sandbox, done.stdout.strip())
    assert (path / "README").read_text() == "later\n"
    assert (path / "added" / "ä b").read_text() == "new\n"
    assert os.access(path / "tool", os.X_OK)
    assert (path / "link").readlink() == Path("README")
    assert not (path / "sub").exists()
    assert repository.fingerprint() == before


def test_configured_files_are_copied_and_set_up(sandbox: Sandbox, repository: Repository) -> None:
    repository.write("key.secret", "hush\n")
    repository.write("sub/other.secret", "hush\n")
    sandbox.configure(
        '[worktree]\ncopy = ["**/*.secret", "missing"]\nsetup = "mkdir build; cp key.secret build/made"\n'
    )
    session_id = work(sandbox, "cat build/made sub/other.secret; git status --porcelain")
    assert sandbox.show(session_id)["result_content"] == "hush\nhush"


def test_files_of_a_worktreeinclude_are_copied_if_git_ignores_them(sandbox: Sandbox, repository: Repository) -> None:
    repository.write(".worktreeinclude", "# as in .gitignore\n*.secret\n!b.secret\nplain\n")
    repository.commit("Include")
    for name in ("a.secret", "sub/c.secret", "b.secret", "plain"):
        repository.write(name, "x\n")
    session_id = work(sandbox, "find . -name '*.secret' -o -name plain | sort")
    assert sandbox.show(session_id)["result_content"].split() == ["./a.secret", "./sub/c.secret"]
    sandbox.ok("rm", session_id)
    assert repository.worktrees() == []


def test_file_that_git_would_commit_is_not_copied(sandbox: Sandbox, repository: Repository) -> None:
    repository.write("visible", "x")
    sandbox.configure('[worktree]\ncopy = ["visible"]\n')
    done = sandbox.run("launch", "--worktree", "true")
    assert done.returncode == 4
    assert "git does not ignore visible" in done.stderr
    assert_nothing_made(sandbox, repository)


def test_failed_setup_ends_the_launch_with_its_output(sandbox: Sandbox, repository: Repository) -> None:
    sandbox.configure('[worktree]\nsetup = "echo no such package; exit 3"\n')
    done = sandbox.run("launch", "--worktree", "true")
    assert (done.returncode, done.stdout) == (4, "")
    assert "hldctl: setup: no such package\n" in done.stderr
    assert "exit code 3" in done.stderr
    assert_nothing_made(sandbox, repository)


def test_configured_directory_holds_the_worktrees(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    sandbox.configure(f'[worktree]\ndirectory = "{tmp_path}/mit Umlaut ä"\n')
    assert worktree_of(sandbox, work(sandbox, "pwd")).parents[1] == tmp_path / "mit Umlaut ä"


def test_files_have_the_users_umask(sandbox: Sandbox, repository: Repository) -> None:
    path = worktree_of(sandbox, work(sandbox, "true"))
    assert stat.S_IMODE((path / "README").stat().st_mode) == stat.S_IMODE((repository.path / "README").stat().st_mode)


def test_variables_of_a_git_hook_do_not_matter(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    other = Repository(sandbox, tmp_path / "other")
    sandbox.environment |= {
        "GIT_DIR": f"{other.path}/.git",
        "GIT_INDEX_FILE": "index",
        "GIT_WORK_TREE": str(other.path),
    }
    done = sandbox.run("launch", "--worktree", "git rev-parse --show-toplevel")
    session = sandbox.wait_for_end(done.stdout.strip())
    assert session["result_content"] == session["worktree"]["path"]
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        del sandbox.environment[name]
    assert other.worktrees() == []


def test_bare_repository_needs_no_checkout(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    session_id = work(sandbox, "cat README", "-C", str(tmp_path / "bare.git"))
    assert sandbox.show(session_id)["result_content"] == "one"


def test_detached_head_is_a_base(sandbox: Sandbox, repository: Repository) -> None:
    repository.git("checkout", "--quiet", "--detach")
    worktree = sandbox.show(work(sandbox, "true"))["worktree"]
    assert worktree["base"] == worktree["base_commit"] == repository.git("rev-parse", "HEAD")


def test_locked_index_does_not_matter(sandbox: Sandbox, repository: Repository) -> None:
    (repository.path / ".git" / "index.lock").touch()
    assert sandbox.show(work(sandbox, "cat README"))["result_content"] == "one"


def test_sparse_checkout_works(sandbox: Sandbox, repository: Repository) -> None:
    repository.git("sparse-checkout", "set", "sub")
    assert sandbox.show(work(sandbox, "cat part; git status --porcelain", "-C", "sub"))["result_content"] == "two"


@pytest.mark.parametrize("name", ["two words", "Größe", "-dash", 'it\'s "quoted" $HOME'])
def test_any_path_works_to_the_end(sandbox: Sandbox, repository: Repository, tmp_path: Path, name: str) -> None:
    other = Repository(sandbox, tmp_path / name)
    session_id = work(sandbox, "echo new > new; echo more >> README", "-C", str(other.path))
    assert "+more" in sandbox.ok("diff", session_id)
    sandbox.ok("land", session_id)
    assert (other.path / "new").read_text() == "new\n"
    kept = work(sandbox, "echo PRECIOUS > new", "-C", str(other.path))
    sandbox.ok("rm", "--force", kept)
    assert other.has_text("PRECIOUS")
    assert (other.worktrees(), other.branches()) == ([], ["main"])


def test_worktree_can_be_made_from_a_worktree(sandbox: Sandbox, repository: Repository) -> None:
    first = worktree_of(sandbox, work(sandbox, "echo more > README; git commit --quiet --all --message More"))
    second = sandbox.show(work(sandbox, "cat README", cwd=first))
    assert second["result_content"] == "more"
    assert Path(second["worktree"]["path"]).parent == first.parent


REFUSED = {
    "no repository": (["-C", "{outside}"], 2, "needs a git repository"),
    "no such base": (["--base", "nope"], 2, "--base nope: there is no such commit"),
    "bad name": (["--worktree=a..b"], 2, "git does not accept this name"),
    "taken branch": (["--worktree=taken"], 4, "The branch hldctl/taken exists already"),
    "absent directory": (["-C", "build"], 2, "build is not a directory in main"),
    "create": (["--create-dir", "-C", "x"], 2, "--create-dir and --worktree cannot be combined"),
    "line break": (["-C", "line\nbreak"], 2, "a line break in its name"),
    "git directory": (["-C", ".git"], 2, "is inside the git directory"),
    "two worktrees": (["--", "-w"], 2, "leave one of them out"),
    "changes of another commit": (["--with-changes", "--base", "older"], 2, "leave --base out"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_impossible_worktree_is_refused_and_leaves_nothing(
    sandbox: Sandbox, repository: Repository, tmp_path: Path, case: str
) -> None:
    options, code, message = REFUSED[case]
    (tmp_path / "outside").mkdir()
    (repository.path / "line\nbreak").mkdir()
    repository.git("tag", "older")
    repository.write("README", "second\n")
    repository.commit("Second")
    repository.write("build/x", "ignored")
    repository.git("branch", "hldctl/taken")
    options = [option.format(outside=tmp_path / "outside") for option in options]
    done = sandbox.run("launch", "true", "--worktree", *options)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    repository.git("branch", "-D", "hldctl/taken")
    assert_nothing_made(sandbox, repository)


def test_options_about_a_worktree_need_one(sandbox: Sandbox, repository: Repository) -> None:
    for option in (["--base", "main"], ["--with-changes"]):
        done = sandbox.run("launch", "true", *option)
        assert done.returncode == 2
        assert "add --worktree" in done.stderr


def test_repository_without_a_commit_is_refused(sandbox: Sandbox, repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    repository.git("init", "--quiet", cwd=tmp_path / "empty")
    done = sandbox.run("launch", "--worktree", "true", "-C", str(tmp_path / "empty"))
    assert done.returncode == 4
    assert "has no commit yet" in done.stderr


def test_submodules_are_refused(sandbox: Sandbox, repository: Repository) -> None:
    repository.write(".gitmodules", '[submodule "x"]\n\tpath = x\n\turl = ../x\n')
    repository.commit("Submodule")
    done = sandbox.run("launch", "--worktree", "true")
    assert done.returncode == 4
    assert "has submodules" in done.stderr
    assert_nothing_made(sandbox, repository)


@pytest.mark.parametrize("obstacle", ["hook", "filter", "name in use"])
def test_failure_leaves_nothing(sandbox: Sandbox, repository: Repository, obstacle: str) -> None:
    options = ["--name", "one"]
    if obstacle == "hook":
        hook = repository.path / ".git" / "hooks" / "post-checkout"
        hook.write_text("#!/bin/sh\necho hook says no >&2\nexit 1\n")
        hook.chmod(0o755)
        message = "hook says no"
    elif obstacle == "filter":
        repository.write(".gitattributes", "README filter=lfs\n")
        repository.commit("Filter")
        repository.git("config", "filter.lfs.smudge", "git-lfs-is-missing")
        repository.git("config", "filter.lfs.required", "true")
        message = "smudge filter lfs failed"
    else:
        first = sandbox.launch("--name", "one", "until [ -e go-on ]; do sleep 0.05; done")
        message = "already running"
    done = sandbox.run("launch", "--worktree", "true", *options)
    assert (done.returncode, done.stdout) == (4, ""), done.stderr
    assert message in done.stderr
    if obstacle == "name in use":
        sandbox.release()
        sandbox.wait_for_end(first)
    assert repository.worktrees() == []
    assert repository.branches() == ["main"]
    assert not (sandbox.state.root / "worktrees").exists()


def test_continuation_stays_in_the_worktree(sandbox: Sandbox) -> None:
    Repository(sandbox)
    sandbox.serve_script("say One.\n\nsay Two.")
    first = sandbox.wait_for_end(sandbox.launch("--worktree", "Go", "-C", "sub"))
    second = sandbox.wait_for_end(sandbox.ok("continue", first["id"], "Again").strip())
    assert second["working_dir"] == first["working_dir"]
    assert second["worktree"] == first["worktree"]
    elsewhere = sandbox.wait_for_end(sandbox.ok("continue", first["id"], "Again", "-C", str(sandbox.work)).strip())
    assert elsewhere["worktree"] is None


def test_continuation_is_refused_when_the_worktree_is_gone(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "true")
    path = worktree_of(sandbox, session_id)
    repository.git("worktree", "remove", "--force", str(path))
    done = sandbox.run("continue", session_id, "Again")
    assert (done.returncode, done.stdout) == (4, "")
    assert f"{path}, is gone. Use -C" in done.stderr
    assert sandbox.run("continue", session_id, "x", "--worktree").returncode == 2


def test_lost_row_is_restored_with_its_worktree(sandbox: Sandbox, repository: Repository) -> None:
    session_id = work(sandbox, "true")
    before = sandbox.show(session_id)["worktree"]
    sandbox.state.database.write_bytes(b"not a database" * 100)
    sandbox.run("doctor", "--fix")
    assert sandbox.show(session_id)["worktree"] == before
