"""A new worktree: made by git, filled with what the user wants there, and removed again if a step fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hldctl.errors import BadUsage, HldctlError, UnfitEnvironment, WrongState
from hldctl.private_files import PRIVATE_DIRECTORY
from hldctl.system import file_lock
from hldctl.worktrees import carry, repository
from hldctl.worktrees.git import GitError, environment
from hldctl.worktrees.record import BRANCH_PREFIX, Worktree
from hldctl.worktrees.repository import Base, Checkout
from hldctl.worktrees.status import parse_status, read_status, status_command

# The longest time that other launches may take for their entries in the repository.
_LOCK_SECONDS = 60.0


class Plan(NamedTuple):
    """What the user wants of a new worktree."""

    name: str
    base: str | None
    """None for the commit that is checked out."""
    with_changes: bool
    directory: str | None
    """Where worktrees are made, instead of the state directory; relative to the root of the checkout."""
    copy: tuple[str, ...]
    """Patterns of files that git ignores and a session needs."""
    setup: str | None
    """A command for /bin/sh."""


class LeftBehind(NamedTuple):
    """How much of a checkout's work is not in a worktree made of it."""

    uncommitted: int
    untracked: int


class NewWorktree(NamedTuple):
    worktree: Worktree
    working_dir: str
    """The directory in it that corresponds to the one of the launch."""
    left_behind: LeftBehind


class SetupFailed(WrongState):
    """The setup command failed; `setup_output` is what it printed."""

    def __init__(self, command: str, code: int, output: str) -> None:
        super().__init__(
            f"The setup of the worktree failed with exit code {code}: {command}; nothing was launched, and the "
            "worktree was removed."
        )
        self.setup_output = output


def create(state_directory: Path, working_dir: str, plan: Plan) -> NewWorktree:
    """Make a worktree of the repository of a directory; raise an HldctlError, and leave nothing, if that fails."""
    checkout = repository.find_checkout(working_dir)
    base = repository.find_base(checkout, plan.base)
    _require_possible(checkout, base, plan)
    place = _place(state_directory, checkout, plan.directory) / plan.name.replace("/", "-")
    worktree = Worktree(str(place), f"{BRANCH_PREFIX}{plan.name}", base.name, base.commit, checkout.repository)
    _claim(worktree)
    with _undone_on_failure(worktree):
        left_behind = _add(worktree, checkout, plan)
        own_dir = os.path.join(worktree.path, checkout.prefix).rstrip("/")
        if not os.path.isdir(own_dir):
            raise BadUsage(f"{checkout.prefix.rstrip('/')} is not a directory in {base.name}; use -C with another one.")
        if plan.with_changes:
            carry.take_changes_along(checkout, worktree)
        worktree = worktree._replace(copied=carry.copy_files(checkout, worktree, plan.copy))
        if plan.setup is not None:
            _set_up(worktree, checkout, plan.setup)
            worktree = _note_prepared(worktree)
        return NewWorktree(worktree, own_dir, left_behind)


def _require_possible(checkout: Checkout, base: Base, plan: Plan) -> None:
    git = checkout.git
    if not repository.can_be_branch(git, f"{BRANCH_PREFIX}{plan.name}"):
        raise BadUsage(f"--worktree {plan.name!r}: git does not accept this name for a branch; choose another one.")
    if repository.has_submodules(git, base.commit):
        raise WrongState(
            f"{base.name} has submodules, whose commits a worktree would keep where nobody looks; "
            "use -C with a clone instead of --worktree."
        )
    if plan.with_changes and checkout.root is None:
        raise BadUsage(f"--with-changes needs a checkout; {checkout.repository} is a bare repository.")
    if plan.with_changes and git.commit("HEAD") != base.commit:
        raise BadUsage("--with-changes takes changes of the commit that is checked out along; leave --base out.")


def _place(state_directory: Path, checkout: Checkout, configured: str | None) -> Path:
    if configured is None:
        return state_directory / "worktrees" / checkout.label
    return Path(checkout.root or checkout.repository, os.path.expanduser(configured), checkout.label)


def _claim(worktree: Worktree) -> None:
    """Make the directory and the branch, or nothing; of several launches with the same name one succeeds."""
    path = Path(worktree.path)
    try:
        for directory in (path.parent.parent, path.parent):
            directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        path.mkdir()
    except FileExistsError:
        raise WrongState(f"{path} exists already; choose another name for the worktree.") from None
    except OSError as error:
        raise UnfitEnvironment(f"Cannot make {path}: {error.strerror or error}.") from None
    try:
        worktree.repository_git.read("update-ref", worktree.branch_ref, worktree.base_commit, "")
    except HldctlError as error:
        _remove_directory(worktree)
        if worktree.repository_git.commit(worktree.branch_ref) is not None:
            message = f"The branch {worktree.branch} exists already; choose another name for the worktree."
            raise WrongState(message) from None
        if isinstance(error, GitError):
            raise WrongState(f"git could not make the branch {worktree.branch}: {error.output}.") from None
        raise


def _add(worktree: Worktree, checkout: Checkout, plan: Plan) -> LeftBehind:
    """Check the branch out, and count in the same time what is missing in it."""
    with _counting(checkout, plan) as count:
        try:
            # Also if the index of the checkout is locked: it is not touched.
            with _alone_in(worktree):
                checkout.git.read("worktree", "add", "--quiet", "--no-checkout", "--", worktree.path, worktree.branch)
            # Not alone: this is the long part. The user's post-checkout hook runs now.
            worktree.git.read("checkout", "--quiet", "--force", worktree.branch, "--")
        except GitError as error:
            raise WrongState(
                f"git could not make the worktree {worktree.path}: {error.output}; it was removed."
            ) from None
        return count()


@contextlib.contextmanager
def _alone_in(worktree: Worktree) -> Iterator[None]:
    """Wait until no other launch adds a worktree: git 2.39 fails if it sees one that another git is just adding."""
    descriptor = file_lock.acquire_quickly(Path(worktree.repository, "hldctl-add.lock"), _LOCK_SECONDS)
    if descriptor is None:
        raise WrongState(f"Another launch is adding a worktree to {worktree.repository}; try again.")
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _counting(checkout: Checkout, plan: Plan) -> Iterator[carry.Count[LeftBehind]]:
    """Look at the checkout in the background; yield a function that returns what will be missing."""
    if checkout.root is None or plan.with_changes:
        yield lambda: LeftBehind(0, 0)
        return
    process = subprocess.Popen(
        checkout.git.command(*status_command()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )

    def count() -> LeftBehind:
        entries = process.communicate()[0].decode("utf-8", "surrogateescape").split("\0")
        found = parse_status(entry for entry in entries if entry)
        return LeftBehind(len(found.changed), len(found.untracked))

    try:
        yield count
    finally:
        process.kill()
        with process:
            process.wait()


def _set_up(worktree: Worktree, checkout: Checkout, command: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=worktree.path,
        env=environment() | {"HLDCTL_CHECKOUT": checkout.root or checkout.repository},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        raise SetupFailed(command, done.returncode, done.stdout.decode(errors="replace"))


def _note_prepared(worktree: Worktree) -> Worktree:
    ignored = read_status(worktree.git, ignored=True).ignored
    # Sets the time of the change to now, by the clock of the file system.
    os.utime(worktree.path)
    now = os.stat(worktree.path).st_ctime_ns
    prepared = tuple(path for path in ignored if path not in worktree.copied)
    return worktree._replace(prepared=prepared, prepared_at_ns=now)


@contextlib.contextmanager
def _undone_on_failure(worktree: Worktree) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        undo(worktree)
        if isinstance(error, OSError) and not isinstance(error, HldctlError):
            where = error.filename or worktree.path
            raise UnfitEnvironment(f"Cannot make the worktree: {where}: {error.strerror or error}.") from None
        raise


def undo(worktree: Worktree) -> None:
    """Remove a worktree in which no session has worked, and its branch."""
    repository_git = worktree.repository_git
    repository_git.run("worktree", "remove", "--force", "--force", worktree.path)
    # Only if nothing was committed to it.
    repository_git.run("update-ref", "-d", worktree.branch_ref, worktree.base_commit)
    _remove_directory(worktree)


def _remove_directory(worktree: Worktree) -> None:
    shutil.rmtree(worktree.path, ignore_errors=True)
    for directory in list(Path(worktree.path).parents)[:2]:
        with contextlib.suppress(OSError):
            directory.rmdir()
