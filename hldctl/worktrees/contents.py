"""What a worktree holds that exists nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from hldctl.worktrees import carry
from hldctl.worktrees.git import Git
from hldctl.worktrees.record import Worktree
from hldctl.worktrees.status import Status, full_status

# Ignored files up to this size are kept without a word; more needs a decision.
_QUIETLY_KEPT_BYTES = 32 << 20
_GITLINK = "160000"
_SPECIAL_HEADS = ("ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "AUTO_MERGE")

# Refs that each worktree has for itself.
_OWN_REFS = ("refs/worktree", "refs/bisect", "refs/rewritten")


class Contents(NamedTuple):
    """The work in a worktree that exists nowhere else; paths are relative to its root."""

    changed: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """Files that git ignores, without those that were there before the session began."""
    ignored_bytes: int = 0
    changed_copies: tuple[str, ...] = ()
    """Files of `[worktree] copy` that the session has changed."""
    repositories: tuple[str, ...] = ()
    """Directories that are repositories of their own, whose commits no ref of this one can hold."""
    tips: tuple[str, ...] = ()
    """The commits that are checked out or on the session's branch."""
    commits: int = 0
    """How many commits no other ref reaches."""
    former_tips: tuple[str, ...] = ()
    """Commits that no ref reaches any more, such as amended ones."""

    @property
    def needs_decision(self) -> bool:
        """True if the worktree must not be removed unless the user says so."""
        is_big = self.ignored_bytes > _QUIETLY_KEPT_BYTES
        return bool(
            self.changed or self.untracked or self.changed_copies or self.repositories or self.commits or is_big
        )

    @property
    def is_empty(self) -> bool:
        return not self.needs_decision and not self.ignored and not self.former_tips

    def description(self) -> str:
        """Return what needs a decision, as a list in words."""
        mebibytes = round(self.ignored_bytes / (1 << 20))
        parts = [
            *_count(len(self.changed), "uncommitted change"),
            *_count(len(self.untracked), "untracked file"),
            *_count(self.commits, "commit", " that no other branch has"),
            *_count(len(self.changed_copies), "changed file", " of [worktree] copy"),
            *([f"{mebibytes} MB of ignored files"] if self.ignored_bytes > _QUIETLY_KEPT_BYTES else []),
            *(f"another repository in {path}" for path in self.repositories),
        ]
        return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _count(number: int, name: str, more: str = "") -> Iterator[str]:
    if number:
        yield f"{number} {name}{'' if number == 1 else 's'}{more}"


def is_present(worktree: Worktree) -> bool:
    """Return whether the worktree exists, in its repository and on the disk.

    A session can write its link to the repository. If that leads elsewhere, git is not run there: the settings of
    another repository may run programs.
    """
    link = repository_link(worktree.path)
    return link is not None and link.parent == Path(worktree.repository).resolve() / "worktrees"


def repository_link(path: str) -> Path | None:
    """Return the directory of a worktree in its repository, to which its file `.git` leads; None without one."""
    try:
        line = Path(path, ".git").read_bytes()
    except OSError:
        return None
    prefix = b"gitdir: "
    link = Path(path, os.fsdecode(line.removeprefix(prefix).strip())).resolve()
    return link if line.startswith(prefix) and link.is_dir() else None


def has_repository(worktree: Worktree) -> bool:
    return os.path.isdir(worktree.repository)


def find_contents(worktree: Worktree) -> Contents:
    """Return what exists only in the worktree or on its branch."""
    repository_git = worktree.repository_git
    branch_tip = repository_git.commit(worktree.branch_ref)
    if not is_present(worktree):
        tips = tuple(tip for tip in (branch_tip,) if tip)
        return Contents(tips=tips, commits=_unreachable(worktree, tips))
    git = worktree.git
    status = full_status(git, ignored=True)
    ignored, repositories = _ignored_and_repositories(worktree, status)
    ignored_bytes = sum(os.lstat(os.path.join(worktree.path, path)).st_size for path in ignored)
    heads = [tip for tip in (git.commit("HEAD"), branch_tip) if tip]
    tips = tuple(dict.fromkeys(heads))
    return Contents(
        tuple(status.changed),
        tuple(path for path in status.untracked if not path.endswith("/") and path not in worktree.copied),
        tuple(ignored),
        ignored_bytes,
        tuple(_changed_copies(worktree)),
        tuple(repositories),
        tips,
        _unreachable(worktree, tips),
        _former_tips(worktree, tips),
    )


def find_repositories(worktree: Worktree, status: Status) -> list[str]:
    """Return the directories in the worktree that are repositories of their own; the status has ignored files."""
    return _ignored_and_repositories(worktree, status)[1]


def _ignored_and_repositories(worktree: Worktree, status: Status) -> tuple[list[str], list[str]]:
    repositories = [path.rstrip("/") for path in status.untracked if path.endswith("/")]
    repositories += _submodules(worktree.git, worktree)
    paths = _expanded(worktree, status.ignored, repositories)
    prepared = frozenset(worktree.prepared)
    return [path for path in paths if not _was_made_before(worktree, path, prepared)], repositories


def _was_made_before(worktree: Worktree, path: str, prepared: frozenset[str]) -> bool:
    """Return whether an ignored file was copied, or made by the setup and left as it was."""
    if path in worktree.copied:
        return True
    return _is_within(path, prepared) and (
        os.lstat(os.path.join(worktree.path, path)).st_ctime_ns <= worktree.prepared_at_ns
    )


def _changed_copies(worktree: Worktree) -> Iterator[str]:
    for path, digest in worktree.copied.items():
        file = Path(worktree.path, path)
        if os.path.lexists(file) and carry.content_hash(file) != digest:
            yield path


def _submodules(git: Git, worktree: Worktree) -> Iterator[str]:
    """Yield the directories of submodules that are checked out here."""
    for entry in git.paths("ls-files", "--stage", "-z"):
        path = entry.partition("\t")[2]
        if entry.startswith(_GITLINK) and os.path.exists(os.path.join(worktree.path, path, ".git")):
            yield path


def _expanded(worktree: Worktree, paths: Iterable[str], repositories: list[str]) -> Iterator[str]:
    """Yield the files of these paths, some of which are directories; add repositories among them to the list."""
    for path in paths:
        if not path.endswith("/"):
            yield path
            continue
        for parent, directories, names in os.walk(os.path.join(worktree.path, path)):
            below = os.path.relpath(parent, worktree.path)
            if ".git" in directories or ".git" in names:
                repositories.append(below)
                directories.clear()
                continue
            links = [name for name in directories if Path(parent, name).is_symlink()]
            for name in (*names, *links):
                yield os.path.join(below, name)


def _is_within(path: str, places: frozenset[str]) -> bool:
    """Return whether a file, or a directory that it is in, is one of these; directories end with a slash."""
    return path in places or any(f"{directory}/" in places for directory in Path(path).parents)


def _unreachable(worktree: Worktree, tips: Iterable[str]) -> int:
    """Return how many commits of these no ref reaches, other than the session's branch."""
    # In the repository and not in the worktree, whose own HEAD goes with it.
    if not (tips := tuple(tips)):
        return 0
    others = (f"--exclude={worktree.branch_ref}", "--glob=refs/*")
    return int(worktree.repository_git.read("rev-list", "--count", *tips, "--not", *others))


def is_reachable(worktree: Worktree, tip: str) -> bool:
    """Return whether a ref other than the session's branch reaches the commit."""
    return _unreachable(worktree, (tip,)) == 0


def _former_tips(worktree: Worktree, tips: tuple[str, ...]) -> tuple[str, ...]:
    """Return the commits that only the worktree's own logs and special heads name."""
    git = worktree.git
    named = {
        *(git.find("rev-list", "--walk-reflogs", "HEAD") or "").split(),
        *(worktree.repository_git.find("rev-list", "--walk-reflogs", worktree.branch_ref) or "").split(),
        *(commit for head in _SPECIAL_HEADS if (commit := git.commit(head))),
        *(
            git.find("for-each-ref", "--format=%(objectname)", "refs/worktree", "refs/bisect", "refs/rewritten") or ""
        ).split(),
    } - set(tips)
    if not named:
        return ()
    listed = git.read("cat-file", "--batch-check", input="\n".join(sorted(named)).encode() + b"\n")
    existing = [line.split()[0] for line in listed.splitlines() if " commit " in line]
    if not existing:
        return ()
    others = ("--not", *tips, "--glob=refs/*")
    unreached = set(worktree.repository_git.read("rev-list", *existing, *others).split())
    return tuple(sorted(unreached.intersection(existing)))
