"""`hldctl land`."""

from __future__ import annotations

from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.errors import BadUsage
from hldctl.paths import StateDirectory
from hldctl.sessions.worktrees import landing
from hldctl.worktrees.git import user_umask
from hldctl.worktrees.land import Method


def command(
    ctx: typer.Context,
    session: Annotated[str, typer.Argument(metavar="ID", help="The session whose work to land.")],
    squash: Annotated[bool, typer.Option("--squash", help="As one commit. The default.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="As a merge commit.")] = False,
    rebase: Annotated[bool, typer.Option("--rebase", help="As its single commits, on top of the branch.")] = False,
    into: Annotated[
        str | None,
        typer.Option(metavar="BRANCH", help="The branch. Default: the one that the worktree was started from."),
    ] = None,
    message: Annotated[
        str | None,
        typer.Option("--message", "-m", metavar="TEXT", help="The commit message. Default: its title and result."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the worktree and its branch.")] = False,
) -> None:
    """Bring what a session did in its worktree into a branch, and remove the worktree.

    Uncommitted and untracked files land, too. If there are conflicts, or the branch is checked out with uncommitted
    changes, nothing is changed.
    """
    chosen = [method for method, given in zip(Method, (squash, merge, rebase), strict=True) if given]
    if len(chosen) > 1:
        raise BadUsage(f"Use either --{chosen[0]} or --{chosen[1]}, not both.")
    if message is not None and not message.strip():
        raise BadUsage("The message is empty; leave --message out to use the session's title and result.")
    state = StateDirectory.from_environment()
    method = chosen[0] if chosen else Method.SQUASH
    with user_umask(ctx.obj["umask"]):
        landed = landing.land(state, session, method, into=into, message=message, keep=keep)
    result = landed.landing
    output.print_data(result.commit)
    if result.files:
        files = f"{result.files} file{'' if result.files == 1 else 's'}"
        output.print_note(f"landed {landed.session_id[:8]} in {result.branch}: {files} changed")
    else:
        output.print_note(f"{result.branch} had everything of {landed.session_id[:8]} already")
    if landed.kept_ref is not None:
        output.print_note(f"what only its worktree had is kept in {landed.kept_ref}")
