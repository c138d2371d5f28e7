"""One session with everything that belongs to it."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from hldctl.paths import SessionFiles, StateDirectory
from hldctl.sessions import lookup, supervisors
from hldctl.sessions.inspect.terminals import Opened, find_opened
from hldctl.store import approvals, mcp_servers, messages, sessions
from hldctl.store import file_snapshots as snapshot_store
from hldctl.store.admission.predecessors import PredecessorState, load_states, parse
from hldctl.store.approvals import Approval
from hldctl.store.connection import current_connection
from hldctl.store.database import open_for_reading
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.mcp_servers import McpServerRow
from hldctl.store.messages import Message
from hldctl.store.session import Session
from hldctl.supervisor import worktree_state
from hldctl.supervisor.processes import other_namespaces
from hldctl.system.processes import command_line, is_running, recorded_identity


class LeftoverProcess(NamedTuple):
    """A process that Claude Code left running when it exited normally, and that is still running."""

    pid: int
    command: str


class CommandFailure(NamedTuple):
    """A command of the user that has failed."""

    setting: str
    exit_code: str


class SessionDetails(NamedTuple):
    """A session and everything that `hldctl show` prints about it."""

    session: Session
    child_ids: list[str]
    launched_ids: list[str]
    """The sessions that its commands launched or continued."""
    predecessors: list[PredecessorState]
    """The sessions that it starts after."""
    sent_query: str | None
    """The text that was sent in place of the query, with references replaced; None if the query was sent as it is."""
    mcp_servers: list[McpServerRow]
    left_running: list[LeftoverProcess]
    pending_requests: list[Approval]
    """The pending permission requests."""
    rules: list[dict[str, Any]]
    """The rules that hold for the rest of the session; see `rules.as_object`."""
    failed_commands: list[CommandFailure]
    undelivered: list[Message]
    """The messages that are not part of the conversation."""
    namespace_advice: str
    """Where it runs and what can be done from here, if it runs in another PID namespace; otherwise empty."""
    opened: Opened | None
    """The `hldctl open` that has it open in a terminal."""


def load_details(state: StateDirectory, ref: str) -> SessionDetails:
    """Return the session and its details; raise NoSuchSession if `ref` does not name exactly one session."""
    with open_for_reading(state):
        session_id = lookup.find_session(ref).id
        supervisors.adopt_lost(state, [session_id])
        session = worktree_state.add_current_state(lookup.find_session(session_id))
        return SessionDetails(
            session,
            sessions.children(session_id),
            sessions.launched(session_id),
            load_states(parse(session.after)) if session.after else [],
            messages.replaced_query(session_id) if session.after else None,
            mcp_servers.session_servers(session_id),
            _left_running(session),
            approvals.pending_approvals(current_connection(), session_id),
            _rules(session_id),
            _failed_commands(state.session(session_id)),
            messages.list_undelivered(session_id) if session.pending_messages else [],
            other_namespaces.advice(session, state.session(session_id)),
            find_opened(state, [session_id]).get(session_id),
        )


def _rules(session_id: str) -> list[dict[str, Any]]:
    if not (rows := approvals.rules(current_connection(), session_id)):
        return []
    # Imported here: most sessions have no rules, and commands that only read load no other code about Claude Code.
    from hldctl.claude.permission_hook import Rule
    from hldctl.sessions.permissions import rules

    return [rules.rule_json(Rule._make(row)) for row in rows]


def _left_running(session: Session) -> list[LeftoverProcess]:
    identities = [recorded_identity(pid, session.boot_id, started) for pid, started in session.left_running or ()]
    return [LeftoverProcess(process.pid, command_line(process.pid)) for process in identities if is_running(process)]


def _failed_commands(files: SessionFiles) -> list[CommandFailure]:
    failures = {"on_end": files.on_end_failure, "on_approval": files.on_approval_failure}
    failed = []
    for setting, file in failures.items():
        with contextlib.suppress(OSError):
            failed.append(CommandFailure(setting, file.read_text(errors="replace").strip()))
    return failed


def load_file_snapshots(state: StateDirectory, session_id: str) -> list[SnapshotRow]:
    with open_for_reading(state):
        return snapshot_store.session_snapshots(session_id)
