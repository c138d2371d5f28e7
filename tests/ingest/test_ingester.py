from __future__ import annotations

import json

import psutil

from tests.helpers.restarts import skip_delay, wait_for_restart
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox

FOLDED = "SELECT * FROM conversation_events WHERE session_id = ? ORDER BY sequence"


def test_replay_from_the_beginning_gives_the_same_rows(sandbox: Sandbox) -> None:
    """If rows and counters are deleted, a new supervisor recreates them from the journal."""
    sandbox.serve_script('think Hm.\nsay One.\ncall Bash {"command": "echo out"}\n\nfail 529 x1 busy\n\nsay Two.')
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    before = sandbox.wait_for_end(session_id)
    rows = sandbox.sql(FOLDED, session_id)
    forget_journal(sandbox, session_id)
    after = sandbox.show(session_id)
    assert sandbox.sql(FOLDED, session_id) == rows
    recalculated = {"completed_at", "last_activity_at", "exit_code", "supervisor_pid"}
    assert {name: value for name, value in after.items() if name not in recalculated} == {
        name: value for name, value in before.items() if name not in recalculated
    }


def test_message_that_only_the_transcript_has_follows_the_note_of_the_restart(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash", "--retries", "1")
    sandbox.wait_for_journal(session_id, "go-on")
    psutil.Process(sandbox.show(session_id)["pid"]).kill()
    wait_for_restart(sandbox, session_id)
    found = json.dumps([{"id": "m", "text": "Found"}])
    sandbox.sql("UPDATE sessions SET restarts = json_set(restarts, '$[0].messages', json(?))", found)
    skip_delay(sandbox, session_id)
    sandbox.release()
    sandbox.wait_for_end(session_id)
    rows = sandbox.sql(FOLDED, session_id)
    kinds = [(event["role"], event["content"]) for event in sandbox.events(session_id)]
    note = next(number for number, (_, content) in enumerate(kinds) if "restarts in" in (content or ""))
    assert kinds[note + 1] == ("user", "Found")
    forget_journal(sandbox, session_id)
    sandbox.show(session_id)
    assert sandbox.sql(FOLDED, session_id) == rows


def forget_journal(sandbox: Sandbox, session_id: str) -> None:
    """Delete what follows from the journal of a session that has ended."""
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


def empty_fold() -> str:
    from hldctl.ingest.state import ReducerState

    return json.dumps(ReducerState().as_json())
