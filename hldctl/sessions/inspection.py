"""One session with all that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass

from hldctl.host.paths import StateDirectory
from hldctl.sessions import lookup, supervisors
from hldctl.store import mcp_servers, sessions, snapshots
from hldctl.store.database import opened
from hldctl.store.models import FileSnapshot, McpServerRow, Session


@dataclass(frozen=True)
class Inspection:
    session: Session
    children: list[str]
    mcp_servers: list[McpServerRow]


def inspect(state: StateDirectory, words: str) -> Inspection:
    with opened(state):
        session_id = lookup.find(words).id
        supervisors.adopt_lost(state, [session_id])
        return Inspection(lookup.find(session_id), sessions.children(session_id), mcp_servers.of_session(session_id))


def file_snapshots(state: StateDirectory, session_id: str) -> list[FileSnapshot]:
    with opened(state):
        return snapshots.of_session(session_id)
