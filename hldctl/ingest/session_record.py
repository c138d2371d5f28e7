"""The row of a session: created from its launch request, and restored from the session's own files if it is lost."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from hldctl.errors import UnfitEnvironment
from hldctl.ingest.state import ReducerState
from hldctl.paths import SessionFiles
from hldctl.private_files import replace_private
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.settings.option import column_values
from hldctl.states import EndReason, EventType, Status
from hldctl.store import sessions
from hldctl.store.admission.scheduler import NewSession
from hldctl.store.session import COLUMNS, OUTCOME_COLUMNS, TRUSTED_COLUMNS
from hldctl.system.clock import current_time_ms
from hldctl.system.error_log import log_exception
from hldctl.system.processes import pid_scope

# Columns that follow from other rows and from the journal.
_DERIVED_COLUMNS = {"journal_offset": 0, "pending_approvals": 0, "pending_messages": 0, "is_closing": False}

Row = dict[str, Any]


def row_from_request(request: LaunchRequest) -> Row:
    """Return the row of a session to be launched now."""
    created_at = current_time_ms()
    return dict.fromkeys(COLUMNS) | {
        **column_values(request.settings),
        **column_values(request.permissions),
        **column_values(request.run_policy),
        "id": request.session_id,
        "run_id": request.run_id,
        "parent_session_id": request.parent_session_id,
        "status": str(Status.STARTING),
        "query": request.query,
        "summary": request.summary,
        "title": request.title,
        "model": request.settings.requested_model,
        "name": request.name,
        "pending_approvals": 0,
        "on_end_pending": False,
        "is_closing": False,
        "pending_messages": 0,
        "was_queued": False,
        "rehearsed": request.rehearsal is not None,
        "worktree": request.worktree,
        "launched_by": request.launched_by,
        "launchers": request.launchers,
        "launched_within": request.launched_within,
        "after": request.after,
        "account": request.account,
        "archived": False,
        "created_at": created_at,
        "last_activity_at": created_at,
        "permission_denials": [],
        "host": os.uname().nodename,
        "boot_id": pid_scope(),
        "claude_path": request.claude_path,
        "supervisor_pid": os.getpid(),
        "journal_offset": 0,
        "fold_state": ReducerState().as_json(),
    }


def save(row: Row, files: SessionFiles) -> None:
    """Write the row beside the journal: both together can replace all that a lost database had of the session."""
    # The query has its own file, and may be long; the reducer's state is computed again from the journal.
    replace_private(files.session_record, json.dumps({**row, "query": None, "fold_state": None}).encode())


def save_current(session_id: str, files: SessionFiles) -> None:
    """Save the current row after a change that is not in the journal, such as the outcome; only log a write error."""
    try:
        save_from_database(session_id, files)
    except OSError:
        log_exception()


def save_from_database(session_id: str, files: SessionFiles) -> None:
    """Save the row as it is in the database; raise OSError if the file cannot be written."""
    if (row := sessions.get_row(session_id)) is not None:
        save(row, files)


def new_session(row: Row, mcp_config: dict[str, Any] | None) -> NewSession:
    """Return the rows of a new or restored session."""
    query = query_event(row["id"], row["query"], row["created_at"])
    return NewSession(row, query, [] if mcp_config is None else _parse_servers(mcp_config))


def _parse_servers(mcp_config: dict[str, Any]) -> list[dict[str, Any]]:
    # Imported here: most sessions have none, and it takes 5 ms.
    from hldctl.claude import mcp

    return [asdict(server) for server in mcp.parse_servers(mcp_config)]


def create(new: NewSession) -> None:
    """Insert a session without checking names and slots."""
    sessions.create(new.row, new.query_event, new.mcp_servers)


def query_event(session_id: str, query: str, created_at: int) -> dict[str, Any]:
    """Return the first event of a conversation, which Claude Code does not repeat in its stream."""
    return {
        "session_id": session_id,
        "sequence": 1,
        "event_type": str(EventType.MESSAGE),
        "role": "user",
        "content": query,
        "is_error": False,
        "is_completed": False,
        "created_at": created_at,
    }


def restore(files: SessionFiles, known: Row | None = None, doubtful: Row | None = None) -> bool:
    """Insert the saved row, completed by `known` values; return False if there is not enough to restore it.

    The journal is left to the supervisor that adopts the session, or to its rebuild: it is replayed from the beginning.
    `doubtful` values are used only for columns without a saved value.
    """
    saved = _read_saved_row(files)
    row = {
        **saved,
        **{name: value for name, value in (doubtful or {}).items() if saved.get(name) is None},
        **(known or {}),
    }
    row |= {name: saved[name] for name in TRUSTED_COLUMNS if name in saved}
    if saved.get("completed_at") is not None:
        row |= {name: saved[name] for name in OUTCOME_COLUMNS if name in saved}
    try:
        row["query"] = files.prompt.read_bytes().decode("utf-8", errors="replace")
    except OSError:
        if row.get("query") is None:
            row["query"] = row.get("summary")
    if row.get("id") != files.directory.name or row["query"] is None:
        return False
    row = {**_default_columns(files, row), **row, **_DERIVED_COLUMNS, "fold_state": ReducerState().as_json()}
    row |= _consistent_status(row)
    if row["status"] == Status.WAITING_INPUT:
        # No hook is waiting any more; one that is will set this again.
        row["status"] = str(Status.RUNNING)
    if row.get("was_queued") and row.get("completed_at") is None and files.request.exists():
        # It may have left the queue since; if not, it must not start before those ahead of it.
        row["status"] = str(Status.QUEUED)
    create(new_session(row, _read_mcp_config(files)))
    return True


def _default_columns(files: SessionFiles, row: Row) -> Row:
    """Return defaults for required columns that are neither in the files nor in the database."""
    created_at = row.get("created_at") or row.get("completed_at") or current_time_ms()
    return {
        **{name: [] for name in ("additional_directories", "allowed_tools", "disallowed_tools", "extra_arguments")},
        **dict.fromkeys(
            ("fresh_system_prompt", "auto_accept_edits", "dangerously_skip_permissions", "archived"), False
        ),
        "run_id": files.directory.name,
        "summary": row["query"],
        "working_dir": str(files.directory),
        "permission_denials": [],
        "created_at": created_at,
        "last_activity_at": row.get("completed_at") or created_at,
        "host": os.uname().nodename,
        "claude_path": "claude",
    }


def _consistent_status(row: Row) -> Row:
    """Return a status and time of end that agree, if one of them is lost; adoption corrects the rest."""
    status, completed_at = row.get("status"), row.get("completed_at")
    if status is not None and Status(status).has_ended:
        return {"completed_at": row["last_activity_at"] if completed_at is None else completed_at}
    if completed_at is None:
        return {"status": status or str(Status.RUNNING)}
    reason = row.get("end_reason") or str(EndReason.LOST)
    statuses = {EndReason.SUCCESS: Status.COMPLETED, EndReason.INTERRUPTED: Status.INTERRUPTED}
    return {"status": str(statuses.get(EndReason(reason), Status.FAILED)), "end_reason": reason}


def can_restore(files: SessionFiles) -> bool:
    """Return whether the row can be restored from the files."""
    return _read_saved_row(files).get("id") == files.directory.name and os.path.exists(files.prompt)


def _read_saved_row(files: SessionFiles) -> Row:
    try:
        files.require_own()
        row = json.loads(files.session_record.read_bytes())
    except (OSError, ValueError, UnfitEnvironment):
        return {}
    return row if isinstance(row, dict) else {}


def _read_mcp_config(files: SessionFiles) -> dict[str, Any] | None:
    try:
        config = json.loads(files.mcp_config.read_bytes())
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None
