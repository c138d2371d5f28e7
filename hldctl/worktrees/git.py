"""Runs git, as the user would in a repository, whatever the variables of the caller say about another one."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hldctl.errors import UnfitEnvironment, WrongState

# Those of `git rev-parse --local-env-vars`, as a git hook sets them.
_ABOUT_A_REPOSITORY = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
_SETTINGS = {
    # Messages are recognised and shown.
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    # Looking at a checkout does not change its index.
    "GIT_OPTIONAL_LOCKS": "0",
}
# What git says of a full disk.
_FULL = re.compile("No space left on device|Out of diskspace|Disk quota exceeded")
# With less, a failure of git is put down to the disk.
_SCARCE_BYTES = 64 << 10
# Lines of git's output that an error shows.
_MAX_LINES = 5


@contextlib.contextmanager
def user_umask(umask: int) -> Iterator[None]:
    """Write files as the user does in the block: hldctl's own are private."""
    own = os.umask(umask)
    try:
        yield
    finally:
        os.umask(own)


class GitError(WrongState):
    """A git command that failed; the message has its output."""

    def __init__(self, arguments: Sequence[str], code: int, output: str) -> None:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        self.code = code
        self.output = "; ".join(lines[-_MAX_LINES:])
        name = next((argument for argument in arguments if not argument.startswith("-")), "")
        super().__init__(f"`git {name}` failed: {self.output or f'exit code {code}'}")


class DiskFull(UnfitEnvironment):
    """A git command that failed since it could not write."""


class Git:
    """Runs git in one place: a checkout, or the git directory of a repository."""

    def __init__(self, directory: str | Path, *, is_git_dir: bool = False) -> None:
        # With --git-dir git looks at no checkout; with -C alone it would find one above a missing directory.
        self._directory = str(directory)
        self._options = ("--git-dir", str(directory)) if is_git_dir else ("-C", str(directory))

    def command(self, *arguments: str) -> list[str]:
        return ["git", *self._options, *arguments]

    def run(
        self, *arguments: str, input: bytes | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git and return what it wrote, whatever its exit code; raise UnfitEnvironment without git."""
        try:
            return subprocess.run(
                self.command(*arguments),
                input=input,
                stdin=subprocess.DEVNULL if input is None else None,
                capture_output=True,
                env=environment() | dict(variables or {}),
                check=False,
            )
        except FileNotFoundError:
            raise UnfitEnvironment("git was not found on PATH; install it to use worktrees.") from None
        except OSError as error:
            raise UnfitEnvironment(f"git cannot be run: {error.strerror or error}.") from None

    def read(self, *arguments: str, input: bytes | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Return what git printed, without the last newline; raise GitError if it failed, DiskFull on a full disk."""
        done = self.run(*arguments, input=input, variables=variables)
        if done.returncode != 0:
            raise self.failure(arguments, done)
        return text(done.stdout).removesuffix("\n")

    def failure(self, arguments: Sequence[str], done: subprocess.CompletedProcess[bytes]) -> GitError | DiskFull:
        """Return the error for a command that has failed."""
        error = GitError(arguments, done.returncode, text(done.stderr or done.stdout))
        if _FULL.search(error.output) or _is_full(self._directory):
            return DiskFull(f"{str(error).rstrip('.')}; the disk of {self._directory} is full. Free some space.")
        return error

    def paths(self, *arguments: str, variables: Mapping[str, str] | None = None) -> list[str]:
        """Return the paths that git printed with -z; raise GitError if it failed."""
        return [path for path in self.read(*arguments, variables=variables).split("\0") if path]

    def find(self, *arguments: str) -> str | None:
        """Return what git printed, None if it failed or printed nothing: the thing does not exist."""
        done = self.run(*arguments)
        return text(done.stdout).removesuffix("\n") or None if done.returncode == 0 else None

    def commit(self, name: str) -> str | None:
        """Return the hash of the commit that a name means; None if there is none."""
        return self.find("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def _is_full(directory: str) -> bool:
    """Return whether the file system is full: for some files that git cannot write, it does not say why."""
    try:
        disk = os.statvfs(directory)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _SCARCE_BYTES


def environment() -> dict[str, str]:
    """Return the environment for git: the caller's, without what it says about a repository."""
    return without_repository(os.environ) | _SETTINGS


def without_repository(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables except those that would make git use another repository than that of its directory."""
    return {
        name: value
        for name, value in variables.items()
        if name not in _ABOUT_A_REPOSITORY and not name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))
    }


def text(data: bytes) -> str:
    """Decode output of git; a path that is not UTF-8 survives a round trip."""
    return data.decode("utf-8", "surrogateescape")
