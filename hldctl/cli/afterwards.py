"""What `launch` and `continue` do once Claude Code runs: print the id, or wait, or follow."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from types import FrameType

import typer

from hldctl.cli import output
from hldctl.errors import BadUsage
from hldctl.host.paths import StateDirectory


@dataclass(frozen=True)
class Afterwards:
    wait: bool
    follow: bool
    as_json: bool
    quiet: bool

    def __post_init__(self) -> None:
        if self.follow and self.as_json and self.wait:
            raise BadUsage("--follow prints events and --wait --json the session; choose one of them.")


class _Stopped(BaseException):
    """Ctrl-C or SIGTERM, while the session is waited for."""


def finish(state: StateDirectory, session_id: str, what: Afterwards) -> None:
    """Ends the command with the session's exit code if it waits."""
    if not what.wait and not what.follow:
        _print_launched(state, session_id, what)
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        _attend(state, session_id, what)
    except _Stopped:
        from hldctl.sessions import stopping

        output.note(f"interrupting {session_id}")
        stopping.interrupt(state, [session_id])
    _print_result(state, session_id, what)


def _stop(number: int, frame: FrameType | None) -> None:
    # A second Ctrl-C must not tear the interrupt of the session in two.
    for caught in (signal.SIGINT, signal.SIGTERM):
        signal.signal(caught, signal.SIG_IGN)
    raise _Stopped


def _print_launched(state: StateDirectory, session_id: str, what: Afterwards) -> None:
    if what.as_json:
        from hldctl.sessions import lookup
        from hldctl.sessions.view import session_object
        from hldctl.store.database import opened

        with opened(state):
            output.json_value(session_object(lookup.find(session_id)))
    else:
        output.data(session_id)


def _attend(state: StateDirectory, session_id: str, what: Afterwards) -> None:
    from hldctl.sessions import waiting

    if what.follow:
        from hldctl.cli import tail

        tail.print_events(state, [session_id], follow=True, as_json=what.as_json)
    elif not what.quiet and not what.as_json:
        output.note(f"session {session_id}")
    waiting.wait(state, [session_id])


def _print_result(state: StateDirectory, session_id: str, what: Afterwards) -> None:
    from hldctl.sessions import waiting
    from hldctl.sessions.view import session_object

    (session,) = waiting.wait(state, [session_id])
    if what.wait and what.as_json:
        output.json_value(session_object(session))
    elif what.wait and not what.follow and session.result_content is not None:
        output.data(session.result_content)
    if session.error_message and not what.quiet:
        output.note(output.harmless(session.error_message))
    raise typer.Exit(waiting.exit_code([session]))
