"""`hldctl interrupt`."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Annotated

import typer

from hldctl.cli import elsewhere, output
from hldctl.cli.params import seconds_parser
from hldctl.errors import BadUsage, WrongState
from hldctl.paths import StateDirectory
from hldctl.protocol.interrupt import GRACE_SECONDS
from hldctl.sessions import interrupt, lookup, send, supervisors
from hldctl.states import InputKind, Status
from hldctl.store.database import open_database
from hldctl.store.session import Session


def command(
    sessions: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="The sessions to stop.")] = None,
    all_of_them: Annotated[bool, typer.Option("--all", help="All running sessions.")] = False,
    timeout: Annotated[
        float,
        typer.Option(parser=seconds_parser, metavar="DURATION", help="How long to wait before using force."),
    ] = str(int(GRACE_SECONDS)),  # type: ignore[assignment]  # typer parses defaults too
    turn: Annotated[
        bool, typer.Option("--turn", help="Stop only the current turn; the session continues with what is pending.")
    ] = False,
    tree: Annotated[
        bool, typer.Option("--tree", help="Also all sessions that were launched within these and have not ended.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return without waiting for the end.")] = False,
) -> None:
    """Stop sessions and all processes they started."""
    if bool(sessions) == all_of_them:
        raise BadUsage(
            "Give either the ids of the sessions to stop, or --all, not both."
            if sessions
            else "Give the ids of the sessions to stop, or --all."
        )
    if tree and turn:
        raise BadUsage("Use either --tree or --turn, not both.")
    state = StateDirectory.from_environment()
    refs = sessions or []
    if state.fleet.has_joined and not turn:
        refs = _interrupt_waiting(state, refs, await_end=not no_wait)
        if not refs and not all_of_them:
            return
    with open_database(state):
        if all_of_them:
            ids = supervisors.in_turn_here_ids() if turn else supervisors.running_here_ids()
        else:
            ids = [lookup.find_session(ref).id for ref in refs]
    if turn:
        _interrupt_turns(state, list(dict.fromkeys(ids)), skip_refused=all_of_them, await_each=not no_wait)
        return
    stop = interrupt.interrupt_trees if tree else interrupt.interrupt_sessions
    stopped = stop(state, ids, grace_seconds=timeout, await_end=not no_wait)
    _print_stopped(stopped)
    if not (tree or all_of_them):
        _offer_launched(state, ids, timeout, await_end=not no_wait)
    already_ended = set(ids) - {session.id for session in stopped}
    # With --tree, the sessions that an ended one launched may have been meant.
    if already_ended and not all_of_them and not (tree and stopped):
        raise WrongState(f"{' and '.join(sorted(already_ended))}: already ended; nothing to interrupt.")


def _print_stopped(stopped: Iterable[Session]) -> None:
    for session in stopped:
        output.print_data(f"{session.id} {session.status}{_force_suffix(session)}")


def _offer_launched(state: StateDirectory, ids: list[str], timeout: float, *, await_end: bool) -> None:
    """Say how many sessions are left that these have launched; at a terminal, offer to stop them."""
    if not (left := interrupt.running_descendants(state, ids, except_for=ids)):
        return
    # Imported here: few sessions launch others.
    from hldctl.cli.commands.prune import can_ask, confirm

    subject = "1 session launched within it is" if len(left) == 1 else f"{len(left)} sessions launched within it are"
    if not can_ask():
        output.print_note(f"{subject} still running; `hldctl interrupt --tree {' '.join(ids)}` stops all")
    elif confirm(f"{subject} still running. Interrupt, too?"):
        _print_stopped(interrupt.interrupt_trees(state, left, grace_seconds=timeout, await_end=await_end))


def _interrupt_waiting(state: StateDirectory, refs: list[str], *, await_end: bool) -> list[str]:
    """Interrupt the sessions that no machine has yet; return the other references."""
    missing = elsewhere.missing(state, refs)
    for ref in missing:
        # Imported here: most sessions run where they were launched.
        from hldctl.cli.placing.interrupt import interrupt_waiting

        if (session_id := interrupt_waiting(ref, await_end=await_end)) is not None:
            output.print_data(f"{session_id} {Status.INTERRUPTED}")
            refs = [each for each in refs if each != ref]
    return refs


def _interrupt_turns(state: StateDirectory, ids: list[str], *, skip_refused: bool, await_each: bool) -> None:
    """End the current turn of each session; with `skip_refused`, print a note about one that is ending or opened."""
    requested = []
    for session_id in ids:
        try:
            requested.append(send.request(state, session_id, InputKind.INTERRUPT))
        except WrongState as error:
            if not skip_refused:
                raise
            output.print_note(str(error))
    # All are requested first, so that no session waits for another one.
    for message in requested if await_each else ():
        try:
            send.wait_until_acknowledged(state, message)
        except WrongState:
            # Its end is the end of the turn, too.
            if not skip_refused:
                raise


def _force_suffix(session: Session) -> str:
    """Return the signal that ended the session as " by SIGTERM"; empty if SIGINT was enough."""
    if session.status != Status.INTERRUPTED:
        return ""
    return {128 + signal.SIGTERM: " by SIGTERM", -signal.SIGTERM: " by SIGTERM", -signal.SIGKILL: " by SIGKILL"}.get(
        session.exit_code or 0, ""
    )
