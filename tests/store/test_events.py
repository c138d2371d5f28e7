from __future__ import annotations

import json
from pathlib import Path

import pytest

from hldctl.paths import StateDirectory
from hldctl.states import ApprovalStatus, EventType
from hldctl.store import approvals, events
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection, execute, transaction
from hldctl.store.database import open_database
from hldctl.store.events import COLUMNS, Step
from tests.helpers.seed_database import seed_sessions

UNUSUAL_ID = 'toolu_"1"\\\n\x00\x1f\u2028\U0001f600'


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"role": "assistant", "tool_id": UNUSUAL_ID, "tool_name": UNUSUAL_ID, "parent_tool_use_id": UNUSUAL_ID},
        {"role": "", "tool_result_for_id": "toolu_1", "tool_result_content": "made"},
    ],
)
def test_feed_has_all_fields_of_an_event_except_its_text(tmp_path: Path, known: dict[str, str]) -> None:
    (session_id,) = seed_sessions(tmp_path, 1, 1)
    expected = {"sequence": 7, "event_type": str(EventType.TOOL_CALL), **known}
    rest = {"session_id": session_id, "is_error": False, "is_completed": False, "created_at": 5}
    row = tuple((expected | rest).get(name) for name in COLUMNS)
    with open_database(StateDirectory(tmp_path)):
        events.record(session_id, "run", Step([row], [], [], [], {"journal_offset": 0}), 9)
        stored = execute("SELECT timestamp, data FROM feed ORDER BY id DESC LIMIT 1").fetchone()
    expected.pop("tool_result_content", None)
    assert (stored[0], json.loads(stored[1])) == (9, expected)


def test_requests_of_equal_calls_swap_calls_if_the_results_show_it(tmp_path: Path) -> None:
    """The hooks of equal calls may run in another order than the calls."""
    (session_id,) = seed_sessions(tmp_path, 1, 1)
    tool_input = {"command": "make"}

    def event(sequence: int, **columns: object) -> tuple[object, ...]:
        rest = {"session_id": session_id, "sequence": sequence, "is_error": 0, "is_completed": 0, "created_at": 5}
        return tuple((rest | columns).get(name) for name in COLUMNS)

    def call(sequence: int, tool: str) -> tuple[object, ...]:
        columns = {
            "event_type": "tool_call",
            "tool_id": tool,
            "tool_name": "Bash",
            "tool_input": json.dumps(tool_input),
        }
        return event(sequence, **columns)

    def end(sequence: int, tool: str, *, allowed: bool) -> None:
        row = event(sequence, event_type="tool_result", tool_result_for_id=tool)
        events.record(session_id, "run", Step([row], [tool], [], [], {"journal_offset": 0}, {tool: allowed}), 9)

    def request(approval_id: str) -> Approval:
        values = (
            approval_id,
            session_id,
            "run",
            None,
            "Bash",
            json.dumps(tool_input),
            None,
            "pending",
            None,
            None,
            None,
        )
        return Approval(*values, 6, None, 0, 0, "")

    def answer(approval_id: str, status: ApprovalStatus) -> None:
        with transaction() as connection:
            approvals.resolve(connection, approval_id, status, now=7, answered_by="ada", answer="{}")

    with open_database(StateDirectory(tmp_path)):
        execute("UPDATE sessions SET status = 'running', completed_at = NULL")
        events.record(session_id, "run", Step([call(7, "a"), call(8, "b")], [], [], [], {"journal_offset": 0}), 5)
        with transaction() as connection:
            for approval_id in ("first", "second"):
                approvals.record_request(connection, request(approval_id), "/")
        answer("first", ApprovalStatus.DENIED)
        end(9, "b", allowed=False)
        # The request stays pending, now for the other call.
        assert approvals.get(current_connection(), "second") == request("second")._replace(tool_use_id="a")
        answer("second", ApprovalStatus.APPROVED)
        end(10, "a", allowed=True)
        requests = {
            each.tool_use_id: (each.id, each.status, each.answered_by)
            for each in approvals.newest_approvals(current_connection(), 9)
        }
        assert requests == {"b": ("first", "denied", "ada"), "a": ("second", "approved", "ada")}
        marked = execute("SELECT tool_id, approval_id, approval_status FROM conversation_events WHERE tool_id > ''")
        assert {*marked} >= {("a", "second", "approved"), ("b", "first", "denied")}
