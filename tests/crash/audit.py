"""Audit of a recorded session against its journal: each line is recorded exactly once, in order."""

from __future__ import annotations

import json
from typing import Any

from hldctl.ingest.journal import JournalReader
from hldctl.ingest.reducer import Reducer
from hldctl.ingest.state import ReducerState
from hldctl.protocol.restart import FoundMessage, load_run_ends
from hldctl.states import Status
from hldctl.store.events import COLUMNS
from hldctl.store.session import Session
from tests.helpers.sandbox import Sandbox

_COMPARED = [name for name in COLUMNS if name not in ("created_at", "is_completed")]


def faults(sandbox: Sandbox, session_id: str) -> list[str]:
    """Return descriptions of the faults of an ended session; empty if it is correct."""
    expected, state = _replay(sandbox, session_id)
    recorded = sandbox.sql(
        f"SELECT {', '.join(_COMPARED)} FROM conversation_events WHERE session_id = ? ORDER BY sequence", session_id
    )
    problems = []
    if recorded[1:] != expected:
        problems.append(f"{len(recorded) - 1} events recorded, {len(expected)} in the journal, or different ones")
    if [row[1] for row in recorded] != list(range(1, len(recorded) + 1)):
        problems.append("a gap, or a duplicate sequence number")
    session = _session(sandbox, session_id)
    if not Status(session["status"]).has_ended or session["completed_at"] is None:
        problems.append(f"not ended: {session['status']}")
    if session["journal_offset"] != sandbox.files(session_id).journal.stat().st_size:
        problems.append("the journal is not recorded completely")
    columns = {name: value for name, value in state.columns().items() if name != "last_activity_at"}
    problems += [f"{name} is {session[name]}, not {value}" for name, value in columns.items() if session[name] != value]
    feed_count = sandbox.sql(
        "SELECT count(*) FROM feed WHERE session_id = ? AND type = 'conversation_updated'", session_id
    )
    if feed_count != [(len(recorded),)]:
        problems.append(f"{feed_count[0][0]} events in the feed for {len(recorded)}")
    return problems


def _session(sandbox: Sandbox, session_id: str) -> dict[str, Any]:
    names = [row[1] for row in sandbox.sql("PRAGMA table_info(sessions)")]
    (row,) = sandbox.sql("SELECT * FROM sessions WHERE id = ?", session_id)
    return dict(zip(names, row, strict=True))


def _replay(sandbox: Sandbox, session_id: str) -> tuple[list[tuple[Any, ...]], ReducerState]:
    denials = {
        (tool_id, tool_name): json.loads(answer)["message"]
        for tool_id, tool_name, answer in sandbox.sql(
            "SELECT tool_use_id, tool_name, answer FROM approvals WHERE session_id = ? AND status = 'denied'"
            " AND answer ->> 'interrupt' = 1",
            session_id,
        )
    }
    fold = Reducer(session_id, ReducerState(), lambda tool_id, tool_name: denials.get((tool_id, tool_name)))
    reader = JournalReader(sandbox.files(session_id).journal, 0)
    session = _session(sandbox, session_id)
    run_ends = load_run_ends(Session.from_columns({"restarts": json.loads(session["restarts"] or "[]")}))
    tries = json.loads(session["check_state"] or "{}").get("tries") or [None]
    last_check = tries[-1]

    def begin_runs(offset: int) -> None:
        while fold.state.restarts_told < len(run_ends) and run_ends[fold.state.restarts_told].offset <= offset:
            event = run_ends[fold.state.restarts_told]
            if isinstance(event, FoundMessage):
                fold.add_found_message(event)
            else:
                fold.begin_run(event)
        if fold.state.restarts_told == len(run_ends) and last_check is not None and last_check["offset"] <= offset:
            fold.end_check(last_check["note"], last_check["ended_at"], passed=last_check["passed"])

    begin_runs(0)
    while (batch := reader.next_batch() or reader.last_batch()) is not None:
        for end, line in batch.lines_with_ends():
            assert isinstance(line, bytes)
            fold.apply(line, arrived_at=0)
            begin_runs(end)
    reader.close()
    positions = [COLUMNS.index(name) for name in _COMPARED]
    rows = json.loads(json.dumps([[row[position] for position in positions] for row in fold.rows]))
    return [tuple(int(value) if isinstance(value, bool) else value for value in row) for row in rows], fold.state
