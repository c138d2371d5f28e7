"""The part of `launch` and `continue` after the start: print the id, or wait, or follow."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

import typer

from hldctl.cli import output, standard_streams
from hldctl.cli.launch_options import AttachOptions
from hldctl.cli.terminal.signals import exit_on_signal
from hldctl.errors import ExitCode
from hldctl.paths import StateDirectory
from hldctl.protocol import link
from hldctl.sessions.launch import Doubt, LaunchResult
from hldctl.states import WaitReason
from hldctl.store.database import open_for_reading

if TYPE_CHECKING:
    from hldctl.worktrees.create import NewWorktree

# A job should not keep its slot for a server that cannot be reached.
_DELIVERY_SECONDS = 30.0
# Greater than any event id.
_AFTER_ALL_EVENTS = 2**53

_OBSTACLE_ENDS = {
    WaitReason.PREDECESSORS: "the sessions before it have ended",
    WaitReason.NAME: "its name is free",
    WaitReason.SLOT: "a slot is free",
}
"""When a queued session starts."""


class _Stopped(BaseException):
    """Ctrl-C or SIGTERM arrived while waiting for the session."""


class _Signals:
    """Handlers of Ctrl-C and SIGTERM, installed before the start, so that no signal is lost before the wait."""

    def __init__(self) -> None:
        self._arrived = False
        self._raises = False

    def catch(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def deliver(self) -> None:
        """Raise _Stopped at the first signal from now on, or at once if one has already arrived."""
        self._raises = True
        if self._arrived:
            raise _Stopped

    def _handle(self, number: int, frame: FrameType | None) -> None:
        is_first, self._arrived = not self._arrived, True
        # Only once: a second Ctrl-C must not abort the interruption of the session halfway.
        if is_first and self._raises:
            raise _Stopped


def start_and_finish(
    state: StateDirectory, start: Callable[[], LaunchResult], options: AttachOptions, *, delivers: bool = False
) -> None:
    """Start a session. With `--wait` or `--follow`, end the command with the session's exit code.

    If the command `delivers`, it first waits until the fleet's record has the end, too: what is left of a job, for
    example, is killed when the command ends.
    """
    # A failure to write does not change the session's result. With a terminal that is gone, though, the command ends.
    if not options.is_drawn:
        standard_streams.tolerate_write_errors(
            output.print_write_error if options.wait or options.follow else _ignore,
            reader_may_leave=options.follow and not options.wait,
        )
    if not options.wait and not options.follow:
        launched = start()
        if launched.replaces:
            _await_start(state, launched)
        elif launched.doubt is not None:
            _require_first_sign(state, launched)
        print_launched(state, launched, options)
        if not options.quiet:
            _warn(state, launched)
            _warn_about_ci_runner()
            print_next_command(launched, options)
        return
    signals = _Signals()
    signals.catch()
    launched = start()
    session_id = launched.session_id
    if not options.quiet:
        _warn(state, launched)
    if not launched.is_new and not launched.is_repeat:
        # Without a result. The id of another session must not pass for one; an object says what it is.
        if options.as_json:
            print_launched(state, launched, options)
        return
    code = _finish(state, session_id, options, signals, lambda: _stop(state, session_id, options))
    if delivers and state.fleet.has_joined:
        _deliver(state, session_id)
    raise typer.Exit(code)


def _deliver(state: StateDirectory, session_id: str) -> None:
    with contextlib.suppress(_Stopped), open_for_reading(state):
        if not link.await_delivery(state, _DELIVERY_SECONDS):
            output.print_note(
                f"warning: the fleet's record does not have the end of {session_id} yet; the next session or command "
                "on this machine delivers it"
            )


def finish_elsewhere(state: StateDirectory, session_id: str, options: AttachOptions, stop: Callable[[], None]) -> None:
    """Wait for a session of another machine, in a replica, and end the command with its exit code.

    `stop` is called after Ctrl-C; it interrupts the session, or raises typer.Exit.
    """
    if not options.is_drawn:
        standard_streams.tolerate_write_errors(
            output.print_write_error, reader_may_leave=options.follow and not options.wait
        )
    signals = _Signals()
    signals.catch()
    raise typer.Exit(_finish(state, session_id, options, signals, stop))


def _finish(
    state: StateDirectory, session_id: str, options: AttachOptions, signals: _Signals, stop: Callable[[], None]
) -> ExitCode:
    """Wait for the end of a session, print its result, and return its exit code."""
    with contextlib.ExitStack() as stack:
        try:
            signals.deliver()
            # One connection to the end: each one costs some milliseconds.
            stack.enter_context(open_for_reading(state))
            # On SIGHUP, leave the session running and restore the terminal.
            with exit_on_signal(signal.SIGHUP):
                _attend(state, session_id, options)
        except BrokenPipeError:
            output.print_note(f"the reader of the output is gone; session {session_id} continues")
            raise
        except _Stopped:
            stack.close()
            stop()
        return _print_result(state, session_id, options)


def _ignore(failure: OSError) -> None:
    """Do nothing: `print_launched` reports the failure together with the id."""


def _stop(state: StateDirectory, session_id: str, options: AttachOptions) -> None:
    from hldctl.sessions import interrupt, wait

    if wait.has_ended(state, session_id):
        # The session has ended, but maybe not its on_end command: there is nothing to interrupt.
        if wait.has_pending_on_end(state, session_id):
            output.print_note(f"no longer waiting for the on_end command of {session_id}")
        return
    output.print_note(f"interrupting {session_id}")
    interrupt.interrupt_sessions(state, [session_id])
    if options.is_drawn:
        from hldctl.cli.views import follow_rich

        with contextlib.redirect_stdout(options.conversation_stream):
            follow_rich.print_end(state, session_id)
    wait.wait_for_on_end(state, session_id)


def _warn(state: StateDirectory, launched: LaunchResult) -> None:
    if launched.is_repeat:
        output.print_note(f"session {launched.session_id} was launched before")
    elif not launched.is_new:
        output.print_note(f"skipped: session {launched.session_id} is already running")
    if launched.waiting_for is WaitReason.BUDGET:
        _note_budget(state, launched)
    elif launched.waiting_for is not None and not launched.replaces:
        output.print_note(_queue_note(launched.waiting_for, launched.limit_until))
    if launched.ignored is not None:
        # Imported here: few sessions need it.
        from hldctl.cli.render import ignored_settings

        output.print_note(ignored_settings.note(launched.ignored))
    if launched.reduced:
        output.print_note(f"limited by the launching session: {', '.join(launched.reduced)}")
    if launched.new_worktree is not None:
        _note_worktree(launched.new_worktree)
    if launched.sharing:
        others = ", ".join(session_id[:8] for session_id in launched.sharing)
        output.print_note(
            f"warning: also running in the same directory: {others}; use --worktree or -C to keep sessions apart"
        )


def _note_worktree(made: NewWorktree) -> None:
    """Print what is in the checkout and not in the worktree."""
    parts = {"uncommitted change": made.left_behind.uncommitted, "untracked file": made.left_behind.untracked}
    counts = [f"{count} {name}{'' if count == 1 else 's'}" for name, count in parts.items() if count]
    if counts:
        output.print_note(
            f"not in the worktree: {' and '.join(counts)} of the checkout; --with-changes takes such work along"
        )


def _queue_note(waiting_for: WaitReason, limit_until: int | None) -> str:
    if waiting_for is WaitReason.LIMIT:
        # Imported here: few launches meet a limit.
        from hldctl.cli.render.format import time_of_day

        return f"queued: usage limit{'' if limit_until is None else f' until {time_of_day(limit_until)}'}"
    if waiting_for is WaitReason.LOGIN:
        return "queued: the login of its account is refused; log in, then run `hldctl doctor --fix`"
    return f"queued: the session starts when {_OBSTACLE_ENDS[waiting_for]}"


def _note_budget(state: StateDirectory, launched: LaunchResult) -> None:
    from hldctl.cli.render.activity import describe_wait
    from hldctl.store import sessions
    from hldctl.store.budgets.waits import BudgetWait
    from hldctl.store.database import open_for_reading

    with open_for_reading(state):
        session = sessions.get(launched.session_id)
    wait = None if session is None else BudgetWait.from_stored(session.waiting_budget)
    if wait is not None:
        # Otherwise it has started in the meantime.
        output.print_note(f"queued: waiting for budget: {describe_wait(wait)}")


def _await_start(state: StateDirectory, launched: LaunchResult) -> None:
    """Wait until the session runs; on Ctrl-C, print which session will start."""
    from hldctl.sessions import wait

    try:
        wait.wait_for_replaced(state, launched.session_id)
    except KeyboardInterrupt:
        output.print_note(f"session {launched.session_id} starts when the session that it replaces has ended")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _require_first_sign(state: StateDirectory, launched: LaunchResult) -> None:
    """Wait until it is certain that Claude Code has not ended at once; on Ctrl-C, print which session was started."""
    from hldctl.sessions import wait

    try:
        wait.wait_for_first_sign(state, launched.session_id, until_reply=launched.doubt is Doubt.LOGIN)
    except KeyboardInterrupt:
        output.print_note(f"session {launched.session_id} was started, and continues")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _warn_about_ci_runner() -> None:
    if os.environ.get("CI", "").lower() not in ("", "0", "false"):
        output.print_note("hint: CI runners kill background processes when the job ends; add --wait")


def print_next_command(launched: LaunchResult, options: AttachOptions) -> None:
    """Print how to follow the session, if a person sees it together with the id."""
    if sys.stdout.isatty() and sys.stderr.isatty() and not options.as_json:
        output.print_note(f"next: hldctl tail -f {launched.session_id[:8]}")


def print_launched(state: StateDirectory, launched: LaunchResult, options: AttachOptions) -> None:
    """Print the id of the session, or with --json the session."""
    session_id = launched.session_id
    if options.as_json:
        from hldctl.sessions import lookup
        from hldctl.store.json_view import session_object

        with open_for_reading(state):
            output.print_json(session_object(lookup.find_session(session_id)))
    else:
        output.print_data(session_id)
    if failure := standard_streams.flush():
        state_text = "was started" if launched.is_new or launched.is_repeat else "is running"
        output.print_note(f"session {session_id} {state_text}, but its id could not be written: {failure.strerror}")


def _attend(state: StateDirectory, session_id: str, options: AttachOptions) -> None:
    # What prints the result is loaded during the wait, which is longer.
    import hldctl.cli.render.ending
    import hldctl.store.json_view  # noqa: F401
    from hldctl.sessions import wait

    if not options.quiet and not options.as_json:
        output.print_note(f"session {session_id}")
    if options.follow:
        from hldctl.cli.views.follow import print_events

        with contextlib.redirect_stdout(options.conversation_stream):
            as_json = options.as_json and not options.wait
            print_events(state, [session_id], follow=True, as_json=as_json, quiet=options.quiet)
    elif not options.quiet:
        _await_end(state, session_id)
    wait.wait_for_sessions(state, [session_id])
    wait.wait_for_on_end(state, session_id)


def _await_end(state: StateDirectory, session_id: str) -> None:
    """Print permission requests until the session ends: the caller may be the one to answer them.

    At a terminal, also show what the session does.
    """
    from hldctl.cli.render.events.plain import approval_line
    from hldctl.cli.views.progress import progress_line
    from hldctl.sessions.inspect import follow
    from hldctl.states import ApprovalKind, ApprovalStatus
    from hldctl.store.approvals import Approval

    with progress_line([session_id]) as progress:
        for update in follow.updates(state, [session_id], follow.EventRange(after=_AFTER_ALL_EVENTS)):
            for item in update.events:
                if isinstance(item, Approval) and item.status == ApprovalStatus.PENDING:
                    is_question = item.kind is ApprovalKind.QUESTION
                    allow = f"answer {item.id[:8]} CHOICE" if is_question else f"approve {item.id[:8]}"
                    answers = f"answer with `hldctl {allow}` or `hldctl deny …`"
                    progress.print_note(f"{approval_line(item)}; {answers}")
            progress.draw()


def _print_result(state: StateDirectory, session_id: str, options: AttachOptions) -> ExitCode:
    from hldctl.cli.render import ending
    from hldctl.sessions import wait
    from hldctl.store.json_view import session_object

    (session,) = wait.wait_for_sessions(state, [session_id])
    if options.wait and options.as_json:
        output.print_json(session_object(session))
    elif options.wait and session.structured_output is not None:
        output.print_json(session.structured_output)
    elif options.wait and session.json_schema is not None:
        # A script that reads JSON must not get a text.
        pass
    elif options.wait and session.result_content is not None and not (options.is_drawn and sys.stdout.isatty()):
        # Otherwise the conversation on the same terminal ends with it.
        output.print_data(output.escape_at_terminal(session.result_content))
    # A conversation that was followed ends with it.
    is_reported = options.follow and (options.wait or not options.as_json)
    if not is_reported and (message := ending.problem(session)):
        output.print_note(message)
    if not is_reported and (message := ending.undelivered(session)):
        output.print_note(message)
    if not options.quiet and (message := ending.denials(session)):
        output.print_note(message)
    return wait.worst_exit_code([session])
