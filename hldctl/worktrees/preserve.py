"""A commit of everything in a worktree, on a ref that is never deleted by hldctl."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from hldctl.errors import UnfitEnvironment, WrongState
from hldctl.private_files import PRIVATE_DIRECTORY, PRIVATE_FILE
from hldctl.worktrees.contents import Contents
from hldctl.worktrees.git import Git, text
from hldctl.worktrees.index import Variables, copied_index, empty_index
from hldctl.worktrees.record import Worktree

_IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "hldctl"), ("EMAIL", "hldctl@localhost"))
}
# Objects and refs are on the disk before anything is removed; git's default leaves loose objects to the system.
_DURABLE = ("-c", "core.fsync=loose-object,reference,derived-metadata")


def kept_ref(session_id: str) -> str:
    """Return the name of the ref that keeps what was in a session's worktree."""
    return f"refs/hldctl/{session_id}"


def preserve(worktree: Worktree, contents: Contents, session_id: str, kept_files: Path) -> str:
    """Commit everything that exists only in the worktree, and return the ref that holds it.

    Files of `[worktree] copy` that were changed are copied to the directory `kept_files` instead. The worktree itself
    is not changed. Raise WrongState or UnfitEnvironment if not all of it can be kept.
    """
    if contents.repositories:
        raise WrongState(
            f"{os.path.join(worktree.path, contents.repositories[0])} is another repository, which cannot be kept in "
            "this one; move it away, or delete it."
        )
    _keep_copies(worktree, contents, kept_files)
    ref = kept_ref(session_id)
    git = worktree.repository_git
    commit = _commit(worktree, contents, git.commit(ref))
    if git.commit(ref) != commit:
        git.read(*_DURABLE, "update-ref", "--create-reflog", ref, commit, git.commit(ref) or "")
    _verify(git, ref, commit, worktree)
    return ref


def _keep_copies(worktree: Worktree, contents: Contents, kept_files: Path) -> None:
    for path in contents.changed_copies:
        target = kept_files / path
        try:
            target.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            shutil.copy2(os.path.join(worktree.path, path), target, follow_symlinks=False)
            if not target.is_symlink():
                target.chmod(PRIVATE_FILE)
                with target.open("rb") as file:
                    os.fsync(file.fileno())
        except OSError as error:
            raise UnfitEnvironment(f"Cannot keep {path} in {target}: {error.strerror or error}.") from None


def _commit(worktree: Worktree, contents: Contents, former: str | None) -> str:
    """Return a commit from which everything is reachable, also what the ref has held so far."""
    files = (*contents.changed, *contents.untracked, *contents.ignored)
    head = contents.tips[0] if contents.tips else None
    tips = [*contents.tips, *contents.former_tips]
    if not files and len(tips) == 1 and former is None:
        return tips[0]
    git = worktree.git if files else worktree.repository_git
    base_tree = git.read("rev-parse", f"{head}^{{tree}}") if head else None
    tree = _tree(git, base_tree, _entries(worktree, files)) if files or base_tree is None else base_tree
    staged = _staged_tree(git) if contents.changed else tree
    if staged not in (tree, base_tree):
        # What was staged, and is different on the disk by now.
        tips.append(_new_commit(git, staged, tips[:1], "Staged"))
    if former is not None and _holds(git, former, tree, tips):
        return former
    return _new_commit(git, tree, [*tips, *([former] if former else [])], f"What was in {worktree.path}")


def _holds(git: Git, former: str, tree: str, tips: list[str]) -> bool:
    same_tree = git.read("rev-parse", f"{former}^{{tree}}") == tree
    return same_tree and git.read("rev-list", "--count", *tips, "--not", former) == "0"


def _new_commit(git: Git, tree: str, parents: Iterable[str], message: str) -> str:
    options = [word for parent in dict.fromkeys(parents) for word in ("-p", parent)]
    return git.read(*_DURABLE, "commit-tree", tree, *options, "-m", message, variables=_IDENTITY)


def _tree(git: Git, base: str | None, entries: Iterable[bytes]) -> str:
    with empty_index() as variables:
        git.read("read-tree", base or "--empty", variables=variables)
        return _write_tree(git, entries, variables)


def _write_tree(git: Git, entries: Iterable[bytes], variables: Variables) -> str:
    git.read(
        *("update-index", "--add", "--replace", "-z", "--index-info"), input=b"\0".join(entries), variables=variables
    )
    return git.read(*_DURABLE, "write-tree", variables=variables)


def _staged_tree(git: Git) -> str:
    with copied_index(git, hidden=()) as variables:
        done = git.run(*_DURABLE, "write-tree", variables=variables)
    # Git writes no tree of an index with conflicts.
    return text(done.stdout).strip() if done.returncode == 0 else _tree(git, None, _staged(git))


def _staged(git: Git) -> Iterator[bytes]:
    """Yield the entries of the index, without those of conflicts, whose content is in the commits that conflict."""
    for entry in git.paths("ls-files", "--stage", "-z"):
        fields, _, path = entry.partition("\t")
        mode, name, stage = fields.split()
        if stage == "0":
            yield os.fsencode(f"{mode} {name}\t{path}")


def _entries(worktree: Worktree, paths: Iterable[str]) -> Iterator[bytes]:
    """Yield the entry of each file as `update-index --index-info` reads it, deletions first."""
    files: list[tuple[str, int]] = []
    links: list[tuple[str, int]] = []
    gone: list[tuple[str, int]] = []
    for path in dict.fromkeys(paths):
        mode = _mode(os.path.join(worktree.path, path))
        kind = files if stat.S_ISREG(mode) else links if stat.S_ISLNK(mode) else gone
        kind.append((path, mode))
    for path, _ in gone:
        yield os.fsencode(f"0 {'0' * len(worktree.base_commit)}\t{path}")
    git = worktree.git
    for (path, mode), name in zip(files, _write_files(git, [path for path, _ in files]), strict=True):
        yield os.fsencode(f"{'100755' if mode & stat.S_IXUSR else '100644'} {name}\t{path}")
    for path, _ in links:
        target = os.fsencode(Path(worktree.path, path).readlink())
        name = git.read(*_DURABLE, "hash-object", "-w", "--stdin", input=target)
        yield os.fsencode(f"120000 {name}\t{path}")


def _mode(path: str) -> int:
    """Return the mode of a file; 0 if it does not exist."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _write_files(git: Git, paths: list[str]) -> list[str]:
    """Write the content of the files, byte for byte and without filters, and return the names of the objects."""
    if not paths:
        return []
    lines = b"".join(b'"%s"\n' % _quote(path) for path in paths)
    return git.read(*_DURABLE, "hash-object", "-w", "--no-filters", "--stdin-paths", input=lines).split("\n")


def _quote(path: str) -> bytes:
    """Quote a path as C does: a line break is possible in it."""
    return os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def _verify(git: Git, ref: str, commit: str, worktree: Worktree) -> None:
    """Raise UnfitEnvironment unless the ref exists and all its objects do."""
    others = (f"--exclude={ref}", f"--exclude={worktree.branch_ref}", "--glob=refs/*")
    listed = git.run("rev-list", "--objects", "--quiet", commit, "--not", *others)
    if git.commit(ref) != commit or listed.returncode != 0:
        raise UnfitEnvironment(f"{ref} in {worktree.repository} is not complete; nothing was removed.")
