"""A git repository for a test, and sessions that work in worktrees of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.helpers.sandbox import Sandbox, eventually

_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
}

_IN_MEMORY = Path("/dev/shm")

DOING = """
import subprocess
query = json.loads(sys.stdin.readline())["message"]["content"]
def say(**line):
    print(json.dumps({"session_id": sys.argv[sys.argv.index("--session-id") + 1] if "--session-id" in sys.argv
        else "00000000-0000-4000-8000-000000000000", **line}), flush=True)
say(type="system", subtype="init", model="m", tools=[], mcp_servers=[], permissionMode="default", cwd=os.getcwd())
done = subprocess.run(["/bin/sh", "-c", query], capture_output=True, text=True)
say(type="result", subtype="success", is_error=False, result=(done.stdout + done.stderr).strip() or "Done.",
    duration_ms=1, duration_api_ms=1, num_turns=1, total_cost_usd=0.0, usage={})
"""
"""A stand-in for Claude Code that runs its query as a shell command: what matters here is what is in the worktree."""


class Repository:
    """A git repository with one commit, in which commands are run as the user would."""

    def __init__(self, sandbox: Sandbox, path: Path | None = None, *, files: Path | None = None) -> None:
        """Make it at a path; `files` is where this process finds the same directory, if that is elsewhere."""
        self.path = path or sandbox.work
        self._files = files or self.path
        self.path.mkdir(parents=True, exist_ok=True)
        sandbox.environment |= _IDENTITY
        self._environment = sandbox.environment
        self._prefix = sandbox.prefix
        self.git("init", "--quiet", "--initial-branch", "main")
        self.write("README", "one\n")
        self.write("sub/part", "two\n")
        self.write(".gitignore", "*.secret\nbuild/\n")
        self.commit("First")

    def git(self, *arguments: str, cwd: Path | str | None = None) -> str:
        done = subprocess.run(
            [*self._prefix, "git", "-C", str(cwd or self.path), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr}"
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        file = self._files / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def commit(self, message: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def commit_many_files(self, count: int) -> None:
        """Commit and check out this many empty files, 200 in each directory."""
        # Without `git add`, which would look at each file.
        stream = "blob\nmark :1\ndata 0\n"
        stream += "commit refs/heads/main\ncommitter Ada <ada@example.org> 1700000000 +0000\ndata 4\nMany"
        stream += "\nfrom refs/heads/main^0\n"
        stream += "".join(f"M 100644 :1 {many_file(number)}\n" for number in range(count))
        subprocess.run(["git", "fast-import", "--quiet"], input=stream.encode(), cwd=self.path, check=True)
        self.git("reset", "--quiet", "--hard", "main")

    def branches(self) -> list[str]:
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()

    def worktrees(self) -> list[str]:
        """Return the paths of all worktrees except the main one."""
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")][1:]

    def fingerprint(self) -> tuple[str, bytes, str]:
        """Return what must not change in the checkout: its status, its index and its branch."""
        # Before git looks, which could refresh the index.
        index = (self.path / ".git" / "index").read_bytes()
        return (
            self.git("--no-optional-locks", "status", "--porcelain", "--ignored"),
            index,
            self.git("rev-parse", "HEAD"),
        )

    def has_text(self, text: str) -> bool:
        """Return whether an object that a ref reaches contains the text: what git will never delete."""
        names = self.git("rev-list", "--objects", "--no-object-names", "--glob=refs/*")
        done = subprocess.run(
            [*self._prefix, "git", "-C", str(self.path), "cat-file", "--batch"],
            input=names.encode() + b"\n",
            env=self._environment,
            capture_output=True,
            check=True,
        )
        return text.encode() in done.stdout


def many_file(number: int) -> str:
    """Return the path of one of many files."""
    return f"d{number // 200:03}/f{number % 200:03}"


@contextlib.contextmanager
def room_for_files(count: int, otherwise: Path) -> Iterator[Path]:
    """Yield an empty directory in which this many files are made and removed quickly: in memory, if it has the room.

    For a minute after many files were deleted, ext4 makes new ones up to twenty times slower.
    """
    with contextlib.ExitStack() as stack:
        try:
            room = os.statvfs(_IN_MEMORY)
            parent = _IN_MEMORY if room.f_favail > 2 * count and room.f_bavail * room.f_bsize > 1 << 30 else otherwise
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="hldctl-", dir=parent))
        except OSError:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="hldctl-", dir=otherwise))
        yield Path(place)


def work(sandbox: Sandbox, command: str, *options: str, cwd: Path | None = None) -> str:
    """Run a session in a new worktree that executes a shell command, and return its id after its end."""
    session_id = sandbox.ok("launch", "--worktree", command, *options, cwd=cwd).strip()
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    eventually(lambda: not sandbox.supervisors(), "the supervisor to exit")
    return session_id


def is_on_disk(directory: Path, text: str) -> bool:
    """Return whether a file below the directory, apart from git's, contains the text."""
    return any(
        text.encode() in (Path(parent) / name).read_bytes()
        for parent, _, names in os.walk(directory)
        for name in names
        if (Path(parent) / name).is_file()
    )


_GIT_THAT_KILLS = """#!/bin/sh
# Kill the command that runs git when it reaches its Nth change, before or after the change.
case " $* " in
*" update-ref "*|*" worktree remove "*|*" write-tree "*|*" commit-tree "*|*" hash-object "*|*" merge"*)
    count=$(($(cat "$COUNT_FILE" 2>/dev/null || echo 0) + 1)); echo $count > "$COUNT_FILE"
    if [ $count = $KILL_AT ] && [ $WHEN = before ]; then kill -9 $PPID; exit 1; fi
    "$REAL_GIT" "$@"; code=$?
    if [ $count = $KILL_AT ]; then kill -9 $PPID; fi
    exit $code;;
esac
exec "$REAL_GIT" "$@"
"""


def git_that_kills(sandbox: Sandbox, place: Path, step: int, when: str) -> dict[str, str]:
    """Return the variables with which git kills the command that runs it, `before` or `after` its Nth change."""
    real_git = shutil.which("git")
    assert real_git is not None
    (place / "bin").mkdir()
    program = place / "bin" / "git"
    program.write_text(_GIT_THAT_KILLS)
    program.chmod(0o755)
    return {
        "PATH": f"{place}/bin:{sandbox.environment['PATH']}",
        "REAL_GIT": real_git,
        "WHEN": when,
        "KILL_AT": str(step),
        "COUNT_FILE": str(place / "count"),
        # A command that is killed leaves its temporary files.
        "TMPDIR": str(place),
    }
