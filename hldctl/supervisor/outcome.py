"""How a session has ended: decided here and nowhere else, once its process is gone.

From three things together, since each alone tells a lie in some case: what was intended, how the process exited, and
what its last `result` line said.
"""

from __future__ import annotations

import signal

from hldctl.claude import login
from hldctl.claude.events import Outcome
from hldctl.ingest.state import FoldState
from hldctl.states import EndReason, Status
from hldctl.store.sessions import Ending
from hldctl.supervisor.claude_process import Exit

_BY_SUBTYPE = {
    "error_max_turns": EndReason.MAX_TURNS,
    "error_max_budget_usd": EndReason.BUDGET,
}
_LIMITS = {
    EndReason.TIMEOUT: "It had not ended within its --timeout, and was stopped.",
    EndReason.IDLE_TIMEOUT: "Nothing had happened for as long as its --idle-timeout, and it was stopped.",
}
_LONGEST_MESSAGE = 2000
_NO_EXIT = Exit(None)
_KILLING = (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL)


def decide(
    exit: Exit,
    fold: FoldState,
    errors: str,
    *,
    stop_reason: EndReason | None,
    signalled: bool,
    fail_on_denial: bool = False,
) -> Ending:
    """`errors` is the end of standard error, `stop_reason` why the session was to be stopped, `signalled` whether this
    supervisor sent the process a signal, `fail_on_denial` whether it has failed if a tool call was denied.
    """
    ending = _decide(exit, fold, errors, stop_reason, signalled)
    if fail_on_denial and ending.status is Status.COMPLETED and fold.permission_denials:
        return _failed(EndReason.ERROR, exit, _denied(fold))
    return ending


def _denied(fold: FoldState) -> str:
    tools = [str(denial.get("tool_name")) for denial in fold.permission_denials]
    return f"It was denied {len(tools)} tool call{'s' * (len(tools) > 1)}: {', '.join(dict.fromkeys(tools))}."


def _decide(exit: Exit, fold: FoldState, errors: str, stop_reason: EndReason | None, signalled: bool) -> Ending:
    outcome = fold.outcome
    if stop_reason is not None and (signalled or not _succeeded(exit, outcome)):
        return stopped(stop_reason, exit)
    if exit.signal in _KILLING:
        return _failed(EndReason.KILLED, exit, f"Claude Code was ended by {signal.Signals(exit.signal).name}.")
    if _was_interrupted(exit, outcome, fold):
        return Ending(Status.INTERRUPTED, EndReason.INTERRUPTED, exit_code=exit.code)
    # What was said after a result nobody has concluded; where nobody saw the exit either, it was cut off.
    if outcome is None or (exit.code is None and fold.spoken_since_result):
        return _without_result(exit, errors)
    return _by_result(exit, outcome, fold.result_content, errors)


def stopped(reason: EndReason, exit: Exit = _NO_EXIT) -> Ending:
    """On purpose: by a limit, or because somebody asked for it; `exit` of a process, if one ran."""
    if reason in _LIMITS:
        return _failed(reason, exit, _LIMITS[reason])
    return Ending(Status.INTERRUPTED, EndReason.INTERRUPTED, exit_code=exit.code)


def _succeeded(exit: Exit, outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.subtype == "success" and not outcome.is_error and exit.code in (0, None)


def _was_interrupted(exit: Exit, outcome: Outcome | None, fold: FoldState) -> bool:
    """By a SIGINT that somebody else sent: Claude Code exits with 0 then, with or without a `result`."""
    if exit.signal == signal.SIGINT or fold.interrupted:
        return True
    return outcome is not None and outcome.terminal_reason.startswith("aborted")


def _without_result(exit: Exit, errors: str) -> Ending:
    if exit.code is None:
        return _failed(EndReason.LOST, exit, "Claude Code ended while nothing supervised it, and left no result.")
    if exit.code != 0:
        return _failed(EndReason.ERROR, exit, errors or f"Claude Code exited with {exit.code} and said nothing.")
    return _failed(EndReason.NO_RESULT, exit, errors or "Claude Code exited with 0 and left no result.")


def _by_result(exit: Exit, outcome: Outcome, result: str | None, errors: str) -> Ending:
    if _succeeded(exit, outcome):
        return Ending(Status.COMPLETED, EndReason.SUCCESS, exit_code=exit.code)
    message = "; ".join(outcome.errors) or result or errors or None
    if outcome.subtype in _BY_SUBTYPE:
        return _failed(_BY_SUBTYPE[outcome.subtype], exit, message)
    if login.is_missing(result, outcome.api_error_status) and outcome.is_error:
        return _failed(EndReason.API_ERROR, exit, f"{message}. {login.ADVICE}")
    if outcome.subtype == "success" and outcome.is_error:
        return _failed(EndReason.API_ERROR, exit, message)
    if outcome.subtype == "success":
        return _failed(EndReason.ERROR, exit, errors or f"Claude Code exited with {exit.code} after its result.")
    return _failed(EndReason.ERROR, exit, message)


def _failed(reason: EndReason, exit: Exit, message: str | None) -> Ending:
    return Ending(Status.FAILED, reason, message and message[:_LONGEST_MESSAGE], exit.code)
