"""Worktrees of new sessions: made before the launch, inherited by continuations."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hldctl.claude import command_line
from hldctl.config.schema import Configuration
from hldctl.errors import BadUsage, HldctlError, WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.sessions.options import SessionOptions
from hldctl.store.session import Session

if TYPE_CHECKING:
    from hldctl.worktrees.create import NewWorktree

# Characters of the session's id in the name of its worktree.
_ID_LENGTH = 8


def validate(options: SessionOptions) -> None:
    """Raise BadUsage for options that do not go together."""
    if options.worktree is None:
        if options.base is not None or options.with_changes:
            option = "--with-changes" if options.base is None else "--base"
            raise BadUsage(f"{option} is about a new worktree; add --worktree.")
        return
    if options.create_dir:
        raise BadUsage("--create-dir and --worktree cannot be combined: a worktree has the directories of its base.")
    if command_line.has_worktree_option(options.extra_arguments or ()):
        raise BadUsage("--worktree after -- makes a second worktree; leave one of them out.")


def refuse_in_continuation(options: SessionOptions) -> None:
    """Raise BadUsage for options that only a new conversation can have."""
    for option, value in {"worktree": options.worktree, "base": options.base}.items():
        if value is not None:
            raise BadUsage(f"continue stays where the session worked; --{option} is an option of launch.")
    if options.with_changes:
        raise BadUsage("continue stays where the session worked; --with-changes is an option of launch.")


@contextlib.contextmanager
def new_worktree(
    state: StateDirectory, request: LaunchRequest, options: SessionOptions, configuration: Configuration
) -> Iterator[tuple[LaunchRequest, NewWorktree]]:
    """Make a worktree and yield the request to work there; it is removed if no session was made in the block."""
    # Imported here: most sessions have no worktree.
    from hldctl.worktrees import create
    from hldctl.worktrees.git import user_umask

    state.prepare()
    table = configuration.worktree
    plan = create.Plan(
        options.worktree or _default_name(request),
        options.base,
        bool(options.with_changes),
        table.get("directory"),
        tuple(table.get("copy", ())),
        (table.get("setup") or "").strip() or None,
    )
    with user_umask(request.umask):
        made = create.create(state.root, request.settings.working_dir, plan)
    settings = replace(request.settings, working_dir=made.working_dir)
    try:
        yield replace(request, settings=settings, worktree=made.worktree.as_column()), made
    except HldctlError:
        # Any other exception, such as Ctrl-C, leaves open whether the session runs there by now.
        if not os.path.exists(state.session(request.session_id).directory):
            create.undo(made.worktree)
        raise


def undo(made: NewWorktree) -> None:
    """Remove a new worktree in which no session works."""
    from hldctl.worktrees import create

    create.undo(made.worktree)


def _default_name(request: LaunchRequest) -> str:
    identity = request.session_id[:_ID_LENGTH]
    return identity if request.name is None else f"{request.name}-{identity}"


def inherited(parent: Session, working_dir: str) -> dict[str, Any] | None:
    """Return the worktree of a session that continues another in this directory; None if it works elsewhere."""
    if parent.worktree is None or not Path(working_dir).is_relative_to(parent.worktree["path"]):
        return None
    return parent.worktree


def require_present(parent: Session) -> None:
    """Raise WrongState if the session's worktree is gone."""
    if parent.worktree is not None and not os.path.exists(os.path.join(parent.worktree["path"], ".git")):
        kept = f" What was in it is kept in {parent.worktree['kept']}." if parent.worktree.get("kept") else ""
        raise WrongState(
            f"The worktree of session {parent.id}, {parent.worktree['path']}, is gone.{kept} "
            "Use -C to continue in another directory."
        )
