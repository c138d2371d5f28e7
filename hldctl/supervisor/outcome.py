"""The outcome of a session, decided only here, once its process has exited.

It follows from the request to stop, the exit of the process and its last `result` line together: each alone is
misleading in some case.
"""

from __future__ import annotations

import signal

from hldctl import durations
from hldctl.claude import login
from hldctl.claude.events import ResultMessage
from hldctl.ingest.state import ReducerState
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import EndReason, Status
from hldctl.store.sessions import Ending
from hldctl.supervisor.claude_process import Exit

_REASON_BY_SUBTYPE = {
    "error_max_turns": EndReason.MAX_TURNS,
    "error_max_budget_usd": EndReason.BUDGET,
    "error_max_structured_output_retries": EndReason.SCHEMA_MISMATCH,
}
_MAX_MESSAGE_LENGTH = 2000
_NO_EXIT = Exit(None)
_NO_OUTPUT = "The model ended its turn without a result that fits --json-schema."
_NO_LIMITS = RunPolicy()
_KILL_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL)


def decide(
    exit: Exit,
    state: ReducerState,
    errors: str,
    *,
    stop_reason: EndReason | None,
    signalled: bool,
    policy: RunPolicy = _NO_LIMITS,
    needs_output: bool = False,
) -> Ending:
    """Return how the session has ended.

    `errors` is the end of standard error, `stop_reason` the reason of a request to stop, `signalled` whether this
    supervisor sent the process a signal, `policy` the session's own, `needs_output` whether the result has to fit a
    JSON Schema.
    """
    if stop_reason is not None and (signalled or not _is_success(exit, state.outcome)):
        return ending_for_stop(stop_reason, policy, exit)
    ending = _decide(exit, state, errors)
    if needs_output and ending.status is Status.COMPLETED and not state.has_structured_output:
        # For Claude Code, that is a success (2.1.332).
        return _failure(EndReason.SCHEMA_MISMATCH, exit, _NO_OUTPUT)
    if policy.fail_on_denial and ending.status is Status.COMPLETED and state.permission_denials:
        return _failure(EndReason.ERROR, exit, _denial_message(state))
    return ending


def _denial_message(state: ReducerState) -> str:
    tools = [str(denial.get("tool_name")) for denial in state.permission_denials]
    calls = "1 tool call was" if len(tools) == 1 else f"{len(tools)} tool calls were"
    return f"{calls} denied: {', '.join(dict.fromkeys(tools))}."


def _decide(exit: Exit, state: ReducerState, errors: str) -> Ending:
    outcome = state.outcome
    if exit.signal in _KILL_SIGNALS:
        return _failure(EndReason.KILLED, exit, f"Claude Code was killed by {signal.Signals(exit.signal).name}.")
    if _was_interrupted(exit, outcome, state):
        return Ending(Status.INTERRUPTED, EndReason.INTERRUPTED, exit_code=exit.code)
    # Messages after a result have no result of their own. If nobody saw the exit either, the run was cut off.
    if outcome is None or (exit.code is None and state.spoken_since_result):
        return _ending_without_result(exit, errors)
    return _ending_with_result(exit, outcome, state, errors)


def ending_for_stop(reason: EndReason, policy: RunPolicy, exit: Exit = _NO_EXIT) -> Ending:
    """Return the ending of a session stopped on purpose, by a timeout or a request.

    `policy` is the session's own, with its timeouts; `exit` is that of its process, if any.
    """
    if reason is EndReason.TIMEOUT:
        return _failure(
            reason, exit, f"Stopped: still running after --timeout {durations.to_text(policy.timeout_ms or 0)}."
        )
    if reason is EndReason.IDLE_TIMEOUT:
        idle_time = durations.to_text(policy.idle_timeout_ms or 0)
        return _failure(reason, exit, f"Stopped: no activity for --idle-timeout {idle_time}.")
    if reason is EndReason.STALLED:
        stall = durations.to_text(policy.stall_ms or 0)
        return _failure(reason, exit, f"Stopped: no output from Claude Code for --stall {stall}.")
    if reason is EndReason.BUDGET:
        message = "Stopped: the --max-budget-usd of this session, or of one that launched it, is spent."
        return _failure(reason, exit, message)
    return Ending(Status.INTERRUPTED, EndReason.INTERRUPTED, exit_code=exit.code)


def _is_success(exit: Exit, outcome: ResultMessage | None) -> bool:
    return outcome is not None and outcome.subtype == "success" and not outcome.is_error and exit.code in (0, None)


def _was_interrupted(exit: Exit, outcome: ResultMessage | None, state: ReducerState) -> bool:
    """Return whether somebody else sent SIGINT: Claude Code then exits with 0, with or without a `result`."""
    if exit.signal == signal.SIGINT or state.interrupted:
        return True
    return outcome is not None and outcome.terminal_reason.startswith("aborted")


def _ending_without_result(exit: Exit, errors: str) -> Ending:
    if exit.code is None:
        return _failure(EndReason.LOST, exit, "Claude Code ended without a result while it had no supervisor.")
    if exit.code != 0:
        return _failure(
            EndReason.ERROR, exit, errors or f"Claude Code exited with code {exit.code} and no error message."
        )
    return _failure(EndReason.NO_RESULT, exit, errors or "Claude Code exited with code 0 and no result.")


def _ending_with_result(exit: Exit, outcome: ResultMessage, state: ReducerState, errors: str) -> Ending:
    if _is_success(exit, outcome):
        return Ending(Status.COMPLETED, EndReason.SUCCESS, exit_code=exit.code)
    result, error = state.result_content, state.api_error
    message = "; ".join(outcome.errors) or result or errors or None
    if outcome.subtype in _REASON_BY_SUBTYPE:
        return _failure(_REASON_BY_SUBTYPE[outcome.subtype], exit, message)
    if outcome.is_error and login.is_login_refused(error, outcome.api_error_status, result):
        return _failure(EndReason.AUTH, exit, login.add_advice(message or ""))
    if outcome.subtype == "success" and outcome.is_error:
        return _failure(EndReason.API_ERROR, exit, message)
    if outcome.subtype == "success":
        return _failure(EndReason.ERROR, exit, errors or f"Claude Code exited with code {exit.code} after its result.")
    return _failure(EndReason.ERROR, exit, message)


def _failure(reason: EndReason, exit: Exit, message: str | None) -> Ending:
    return Ending(Status.FAILED, reason, message and message[:_MAX_MESSAGE_LENGTH], exit.code)
