from __future__ import annotations

from typing import Any

import pytest

from hldctl.claude.events import ResultMessage
from hldctl.claude.login import ADVICE
from hldctl.ingest.state import ReducerState
from hldctl.settings.run_policy import RunPolicy
from hldctl.states import EndReason, Status
from hldctl.store.sessions import Ending
from hldctl.supervisor.claude_process import Exit
from hldctl.supervisor.outcome import _MAX_MESSAGE_LENGTH, decide

SUCCESS = ResultMessage("success", False, "completed", None, (), 1, 10, [])
ABORTED = SUCCESS._replace(subtype="error_during_execution", is_error=True, terminal_reason="aborted_streaming")


def decide_status(code: int | None, outcome: ResultMessage | None = None, **how: Any) -> tuple[Status, EndReason]:
    values = {"stop_reason": None, "signalled": False} | how
    state = ReducerState(last_result=None if outcome is None else tuple(outcome), interrupted=values.pop("said", False))
    ending = decide(Exit(code), state, "", **values)
    return ending.status, ending.reason


@pytest.mark.parametrize(
    ("code", "outcome", "expected"),
    [
        (0, SUCCESS, (Status.COMPLETED, EndReason.SUCCESS)),
        (None, SUCCESS, (Status.COMPLETED, EndReason.SUCCESS)),
        (1, SUCCESS._replace(is_error=True), (Status.FAILED, EndReason.API_ERROR)),
        (1, SUCCESS, (Status.FAILED, EndReason.ERROR)),
        (1, SUCCESS._replace(subtype="error_max_turns", is_error=True), (Status.FAILED, EndReason.MAX_TURNS)),
        (1, SUCCESS._replace(subtype="error_max_budget_usd", is_error=True), (Status.FAILED, EndReason.BUDGET)),
        (1, SUCCESS._replace(subtype="error_during_execution", is_error=True), (Status.FAILED, EndReason.ERROR)),
        (
            1,
            SUCCESS._replace(subtype="error_max_structured_output_retries", is_error=True),
            (Status.FAILED, EndReason.SCHEMA_MISMATCH),
        ),
        (0, ABORTED, (Status.INTERRUPTED, EndReason.INTERRUPTED)),
        (0, None, (Status.FAILED, EndReason.NO_RESULT)),
        (1, None, (Status.FAILED, EndReason.ERROR)),
        (None, None, (Status.FAILED, EndReason.LOST)),
        (143, None, (Status.FAILED, EndReason.KILLED)),
        (-9, None, (Status.FAILED, EndReason.KILLED)),
        (137, SUCCESS, (Status.FAILED, EndReason.KILLED)),
        (-2, None, (Status.INTERRUPTED, EndReason.INTERRUPTED)),
        (130, None, (Status.INTERRUPTED, EndReason.INTERRUPTED)),
        (0, SUCCESS._replace(subtype="news", is_error=False), (Status.FAILED, EndReason.ERROR)),
    ],
)
def test_outcome_without_an_intent(
    code: int | None, outcome: ResultMessage | None, expected: tuple[Status, EndReason]
) -> None:
    assert decide_status(code, outcome) == expected


def test_final_interrupt_message_without_a_result_is_an_interrupt() -> None:
    assert decide_status(0, said=True) == (Status.INTERRUPTED, EndReason.INTERRUPTED)


def test_answer_cut_off_after_the_last_result_is_lost() -> None:
    state = ReducerState(last_result=tuple(SUCCESS), spoken_since_result=True)
    assert decide(Exit(None), state, "", stop_reason=None, signalled=False).reason is EndReason.LOST
    assert decide(Exit(0), state, "", stop_reason=None, signalled=False).reason is EndReason.SUCCESS


@pytest.mark.parametrize("code", [0, 1, 143, -9, -2, None])
@pytest.mark.parametrize("outcome", [None, ABORTED])
def test_session_with_an_intent_is_interrupted(code: int | None, outcome: ResultMessage | None) -> None:
    assert decide_status(code, outcome, stop_reason=EndReason.INTERRUPTED, signalled=True)[0] is Status.INTERRUPTED


def test_late_intent_does_not_undo_a_success() -> None:
    assert decide_status(0, SUCCESS, stop_reason=EndReason.INTERRUPTED)[0] is Status.COMPLETED
    assert decide_status(0, SUCCESS, stop_reason=EndReason.INTERRUPTED, signalled=True)[0] is Status.INTERRUPTED


@pytest.mark.parametrize("reason", [EndReason.TIMEOUT, EndReason.IDLE_TIMEOUT])
def test_reached_limit_is_a_failure_of_its_own(reason: EndReason) -> None:
    for code in (0, 143, -9, None):
        assert decide_status(code, ABORTED, stop_reason=reason, signalled=True) == (Status.FAILED, reason)
    assert decide_status(0, SUCCESS, stop_reason=reason) == (Status.COMPLETED, EndReason.SUCCESS)


FAILED = SUCCESS._replace(subtype="error_during_execution", is_error=True)
NOT_LOGGED_IN = "Not logged in · Please run /login"


@pytest.mark.parametrize(
    ("code", "outcome", "result", "errors", "message"),
    [
        (1, FAILED._replace(errors=("one", "two")), "a result", "on stderr", "one; two"),
        (1, FAILED, "a result", "on stderr", "a result"),
        (1, FAILED, None, "on stderr", "on stderr"),
        (1, FAILED, "a result", "", "a result"),
        (1, FAILED, None, "", None),
        (1, FAILED, "x" * 5000, "", "x" * _MAX_MESSAGE_LENGTH),
        (1, SUCCESS, "a result", "on stderr", "on stderr"),
        (1, SUCCESS, "a result", "", "Claude Code exited with code 1 after its result."),
        (1, SUCCESS._replace(is_error=True), "API Error: 529", "on stderr", "API Error: 529"),
        (1, SUCCESS._replace(is_error=True), NOT_LOGGED_IN, "", f"Not logged in. {ADVICE}"),
        (0, SUCCESS._replace(subtype="news"), "a result", "on stderr", "a result"),
        (0, None, None, "", "Claude Code exited with code 0 and no result."),
        (0, None, None, "on stderr", "on stderr"),
        (3, None, None, "", "Claude Code exited with code 3 and no error message."),
        (3, None, None, "on stderr", "on stderr"),
        (None, None, None, "on stderr", "Claude Code ended without a result while it had no supervisor."),
        (-15, None, None, "on stderr", "Claude Code was killed by SIGTERM."),
        (0, SUCCESS, "a result", "on stderr", None),
    ],
)
def test_message_names_the_cause(
    code: int | None, outcome: ResultMessage | None, result: str | None, errors: str, message: str | None
) -> None:
    state = ReducerState(last_result=None if outcome is None else tuple(outcome), result_content=result)
    ending = decide(Exit(code), state, errors, stop_reason=None, signalled=False)
    assert (ending.error_message, ending.exit_code) == (message, code)


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        (["Bash"], "1 tool call was denied: Bash."),
        (["Bash", "Write"], "2 tool calls were denied: Bash, Write."),
        (["Bash", "Write", "Bash"], "3 tool calls were denied: Bash, Write."),
    ],
)
def test_denial_fails_a_success_only_with_fail_on_denial(tools: list[str], message: str) -> None:
    denials = [{"tool_name": tool} for tool in tools]

    def decide_ending(outcome: ResultMessage, *, fail_on_denial: bool, code: int = 0) -> Ending:
        state = ReducerState(last_result=tuple(outcome), permission_denials=denials)
        policy = RunPolicy(fail_on_denial=fail_on_denial)
        return decide(Exit(code), state, "", stop_reason=None, signalled=False, policy=policy)

    failed = decide_ending(SUCCESS, fail_on_denial=True)
    assert (failed.status, failed.reason, failed.error_message) == (Status.FAILED, EndReason.ERROR, message)
    assert decide_ending(SUCCESS, fail_on_denial=False).status is Status.COMPLETED
    assert decide_ending(SUCCESS._replace(is_error=True), fail_on_denial=True, code=1).reason is EndReason.API_ERROR


def test_session_without_denial_or_option_is_completed() -> None:
    state = ReducerState(last_result=tuple(SUCCESS))
    ending = decide(Exit(0), state, "", stop_reason=None, signalled=False, policy=RunPolicy(fail_on_denial=True))
    assert ending.status is Status.COMPLETED
    denied = ReducerState(last_result=tuple(SUCCESS), permission_denials=[{"tool_name": "Bash"}])
    assert decide(Exit(0), denied, "", stop_reason=None, signalled=False).status is Status.COMPLETED
