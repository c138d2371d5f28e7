from __future__ import annotations

import json

from tests.helpers.sandbox import Sandbox

FOLDED = "SELECT * FROM conversation_events WHERE session_id = ? ORDER BY sequence"


def test_replay_from_the_beginning_gives_the_same_rows(sandbox: Sandbox) -> None:
    """If rows and counters are deleted, a new supervisor recreates them from the journal."""
    sandbox.serve_script('think Hm.\nsay One.\ncall Bash {"command": "echo out"}\n\nfail 529 x1 busy\n\nsay Two.')
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    before = sandbox.wait_for_end(session_id)
    rows = sandbox.sql(FOLDED, session_id)
    sandbox.sql("DELETE FROM conversation_events WHERE session_id = ? AND sequence > 1", session_id)
    sandbox.sql(
        "UPDATE sessions SET status = 'running', end_reason = NULL, completed_at = NULL, exit_code = NULL,"
        " claude_session_id = NULL, model = NULL, model_id = NULL, num_turns = NULL, duration_ms = NULL,"
        " cost_usd = NULL, input_tokens = NULL, output_tokens = NULL, cache_creation_input_tokens = NULL,"
        " cache_read_input_tokens = NULL, effective_context_tokens = NULL, context_window = NULL,"
        " result_content = NULL, last_activity_at = created_at, journal_offset = 0, fold_state = ?"
        " WHERE id = ?",
        empty_fold(),
        session_id,
    )
    after = sandbox.show(session_id)
    assert sandbox.sql(FOLDED, session_id) == rows
    recalculated = {"completed_at", "last_activity_at", "exit_code", "supervisor_pid"}
    assert {name: value for name, value in after.items() if name not in recalculated} == {
        name: value for name, value in before.items() if name not in recalculated
    }


def empty_fold() -> str:
    from hldctl.ingest.state import ReducerState

    return json.dumps(ReducerState().as_json())
