"""What `launch` and `continue` do once Claude Code runs: print the id, or wait, or follow."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType

import typer

from hldctl.cli import output, standard_streams
from hldctl.cli.launch_options import AttachOptions
from hldctl.cli.terminal.signals import left_by_signal
from hldctl.errors import ExitCode
from hldctl.paths import StateDirectory
from hldctl.sessions.launch import Launched

_NO_EVENTS = 2**53
"""A number that no event reaches."""


class _Stopped(BaseException):
    """Ctrl-C or SIGTERM, while the session is waited for."""


class _Signals:
    """Ctrl-C and SIGTERM belong to the session from before it exists: no id is lost between its start and its wait."""

    def __init__(self) -> None:
        self._came = False
        self._raises = False

    def catch(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._note)

    def deliver(self) -> None:
        """From here on a signal stops what goes on; one that came before does so at once."""
        self._raises = True
        if self._came:
            raise _Stopped

    def _note(self, number: int, frame: FrameType | None) -> None:
        first, self._came = not self._came, True
        # Only the first: a second Ctrl-C must not tear the interrupt of the session in two.
        if first and self._raises:
            raise _Stopped


def start_and_finish(state: StateDirectory, start: Callable[[], Launched], what: AttachOptions) -> None:
    """Starts a session, and ends the command with the session's exit code if it is to be waited for."""
    # What comes of the session is not decided by whether it can be written; a terminal that is gone is left, though.
    if not what.is_drawn:
        standard_streams.keep_going(
            output.note_unwritable if what.wait or what.follow else _ignore, reader_may_leave=what.follow
        )
    if not what.wait and not what.follow:
        launched = start()
        if launched.replaces:
            _await_turn(state, launched)
        _print_launched(state, launched, what)
        if not what.quiet:
            _warn(launched)
            _warn_of_runner()
        return
    signals = _Signals()
    signals.catch()
    launched = start()
    session_id = launched.session_id
    if not launched.is_new:
        _print_launched(state, launched, what)
        _warn(launched)
        return
    if not what.quiet:
        _warn(launched)
    try:
        signals.deliver()
        # Whose terminal is closed leaves the session alone, and the terminal as it was.
        with left_by_signal(signal.SIGHUP):
            _attend(state, session_id, what)
    except BrokenPipeError:
        output.note(f"nobody reads the output any more; session {session_id} goes on")
        raise
    except _Stopped:
        _stop(state, session_id, what)
    _print_result(state, session_id, what)


def _ignore(failure: OSError) -> None:
    """Do nothing: `_print_launched` says it together with the id."""


def _stop(state: StateDirectory, session_id: str, what: AttachOptions) -> None:
    from hldctl.sessions import interrupt, wait

    if wait.has_ended(state, session_id):
        # Between the session's end and that of its command there is nothing to interrupt.
        if wait.has_on_end_left(state, session_id):
            output.note(f"not waiting for the on_end command of {session_id} any longer")
        return
    output.note(f"interrupting {session_id}")
    interrupt.interrupt(state, [session_id])
    if what.is_drawn:
        from hldctl.cli.views import follow_rich

        follow_rich.print_end(state, session_id)
    wait.until_all_is_done(state, session_id)


def _warn(launched: Launched) -> None:
    if not launched.is_new:
        output.note(f"skipped: {launched.session_id} runs already")
    if launched.is_queued and not launched.replaces:
        output.note("queued: it starts when its name and a slot are free")
    if launched.sharing:
        others = ", ".join(session_id[:8] for session_id in launched.sharing)
        output.note(f"warning: not alone in its directory, with {others}; -C and git worktrees keep sessions apart")


def _await_turn(state: StateDirectory, launched: Launched) -> None:
    """Until it runs. Whoever leaves before is told what to look for."""
    from hldctl.sessions import wait

    try:
        wait.until_replaced(state, launched.session_id)
    except KeyboardInterrupt:
        output.note(f"{launched.session_id} starts when the one that it replaces has ended")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _warn_of_runner() -> None:
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        output.note("hint: this looks like a CI job, whose runner ends what stays behind; --wait waits for the end")


def _print_launched(state: StateDirectory, launched: Launched, what: AttachOptions) -> None:
    session_id = launched.session_id
    if what.as_json:
        from hldctl.sessions import lookup
        from hldctl.store.database import opened
        from hldctl.store.json_view import session_object

        with opened(state):
            output.json_value(session_object(lookup.find_session(session_id)))
    else:
        output.data(session_id)
    if failure := standard_streams.flush():
        done = "was started" if launched.is_new else "runs"
        output.note(f"session {session_id} {done}, but its id could not be written: {failure.strerror}")


def _attend(state: StateDirectory, session_id: str, what: AttachOptions) -> None:
    from hldctl.sessions import wait

    if what.follow:
        from hldctl.cli.views.follow import print_events

        print_events(state, [session_id], follow=True, as_json=what.as_json)
    elif not what.quiet:
        if not what.as_json:
            output.note(f"session {session_id}")
        _tell_what_waits(state, session_id)
    wait.wait(state, [session_id])
    wait.until_all_is_done(state, session_id)


def _tell_what_waits(state: StateDirectory, session_id: str) -> None:
    """Until the session has ended: who waits for it may be the one that it waits for."""
    from hldctl.cli.render.events_plain import approval_line
    from hldctl.sessions import follow
    from hldctl.states import ApprovalStatus
    from hldctl.store.approvals import Approval

    for news in follow.with_approvals(state, [session_id], after=_NO_EVENTS):
        if isinstance(news, Approval) and news.status == ApprovalStatus.PENDING:
            output.note(f"{approval_line(news)}; answer with `hldctl approve {news.id[:8]}` or `hldctl deny …`")


def _print_result(state: StateDirectory, session_id: str, what: AttachOptions) -> None:
    from hldctl.sessions import wait
    from hldctl.store.json_view import session_object

    (session,) = wait.wait(state, [session_id])
    if what.wait and what.as_json:
        output.json_value(session_object(session))
    elif what.wait and not what.follow and session.result_content is not None:
        output.data(output.for_reader(session.result_content))
    # A drawing has shown it.
    if session.error_message and not what.quiet and not what.is_drawn:
        output.note(output.harmless(session.error_message))
    raise typer.Exit(wait.exit_code([session]))
