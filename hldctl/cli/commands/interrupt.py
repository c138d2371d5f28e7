"""`hldctl interrupt`."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from hldctl.cli import output
from hldctl.cli.params import seconds
from hldctl.errors import BadUsage, WrongState
from hldctl.paths import StateDirectory
from hldctl.sessions import interrupt, lookup, supervisors
from hldctl.states import Status
from hldctl.store.database import opened
from hldctl.store.session import Session
from hldctl.supervisor.termination import GRACE_SECONDS


def command(
    sessions: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="The sessions to stop.")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All that run.")] = False,
    timeout: Annotated[
        float,
        typer.Option(parser=seconds, metavar="DURATION", help="How long it may take before force is used."),
    ] = str(int(GRACE_SECONDS)),  # type: ignore[assignment]  # typer parses defaults too
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return at once; the session ends by itself.")] = False,
) -> None:
    """Stop sessions, and all that they started."""
    if bool(sessions) == all_of_them:
        raise BadUsage("Name the sessions to stop, or say --all.")
    state = StateDirectory.from_environment()
    with opened(state):
        ids = supervisors.alive_here() if all_of_them else [lookup.find_session(words).id for words in sessions or []]
    stopped = interrupt.interrupt(state, ids, grace_seconds=timeout, await_end=not no_wait)
    for session in stopped:
        output.data(f"{session.id} {session.status}{_force(session)}")
    late = set(ids) - {session.id for session in stopped}
    if late and not all_of_them:
        raise WrongState(f"{' and '.join(sorted(late))}: already ended; there is nothing to interrupt.")


def _force(session: Session) -> str:
    """By which signal, if SIGINT was not enough."""
    if session.status != Status.INTERRUPTED:
        return ""
    return {128 + signal.SIGTERM: " by SIGTERM", -signal.SIGTERM: " by SIGTERM", -signal.SIGKILL: " by SIGKILL"}.get(
        session.exit_code or 0, ""
    )
