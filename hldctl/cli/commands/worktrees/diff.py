"""`hldctl diff`."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from hldctl.cli import output, standard_streams
from hldctl.cli.terminal.programs import run_in_foreground
from hldctl.errors import BadUsage, HldctlError
from hldctl.paths import StateDirectory
from hldctl.sessions.worktrees import landing
from hldctl.worktrees import compare


def command(
    session: Annotated[str, typer.Argument(metavar="ID", help="The session.")],
    stat: Annotated[bool, typer.Option("--stat", help="Only the number of changed lines of each file.")] = False,
    name_only: Annotated[bool, typer.Option("--name-only", help="Only the names of changed files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print its commits and changed files as JSON.")] = False,
) -> None:
    """Show what a session changed in its worktree, compared with the commit that it started from.

    Commits, uncommitted changes and untracked files are included. Colours and pager are those of git.
    """
    if stat + name_only + as_json > 1:
        raise BadUsage("Use one of --stat, --name-only and --json.")
    state = StateDirectory.from_environment()
    found, comparison = landing.load_comparison(state, session)
    if comparison is None:
        _show_edits(state, found.id, stat=stat, name_only=name_only, as_json=as_json)
        return
    if as_json:
        output.print_json(landing.comparison_object(found, comparison))
        return
    options = [*(["--stat"] if stat else []), *(["--name-only"] if name_only else [])]
    if (code := compare.run(comparison, options, _start)) not in (0, -13, 141):
        raise HldctlError(f"git diff failed with exit code {code}.")


def _start(command: list[str], variables: dict[str, str]) -> int:
    """Run git with this command's streams, so that it finds the terminal."""
    standard_streams.flush()
    if sys.stdout.isatty():
        return run_in_foreground(command, variables)
    return subprocess.run(command, stdout=sys.stdout, env=variables, check=False).returncode


def _show_edits(state: StateDirectory, session_id: str, *, stat: bool, name_only: bool, as_json: bool) -> None:
    """Print what the edits of a session without a worktree changed, as far as they are recorded."""
    # Imported here: most comparisons are git's.
    from hldctl.cli.render import recorded_edits
    from hldctl.sessions.inspect.edits import load_edits

    edits = load_edits(state, session_id)
    if as_json:
        files = recorded_edits.files(edits)
        nothing = dict.fromkeys(("branch", "base", "base_commit", "dirty"))
        output.print_json({"session_id": session_id, **nothing, "commits": [], "files": files})
        return
    output.print_note("this session has no worktree; these are its recorded edits, without what its commands changed")
    lines = recorded_edits.stat_lines(edits) if stat else recorded_edits.diff_lines(edits)
    for line in (each["path"] for each in recorded_edits.files(edits)) if name_only else lines:
        output.print_data(line)
