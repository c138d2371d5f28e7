"""The predecessors of a session, as its supervisor sees them: whether it can still start, and what they hand over.

What is handed over is recorded before Claude Code starts, so that a later start gets the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY, replace_private
from hldctl.protocol.dependencies import failure_message
from hldctl.protocol.launch_request import LaunchRequest
from hldctl.protocol.query_references import Reference, ReferenceKind, replace_references
from hldctl.states import EndReason, Status
from hldctl.store import messages, sessions
from hldctl.store.admission import predecessors
from hldctl.store.admission.predecessors import Fault
from hldctl.store.session import Session
from hldctl.store.sessions import Ending
from hldctl.supervisor.input_files import save_request

MAX_RESULT_BYTES = 100_000
"""How much the results in a query may take up together; those beyond are handed over as files."""
_NO_RESULT = "(no result)"


class CannotStart(Exception):
    """Raised if a session cannot start because of another one."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.error_message)
        self.ending = ending


def find_failure(state: StateDirectory, session: Session) -> Ending | None:
    """Return the ending of a session that can never start because of a predecessor; None if it may start some day."""
    if session.after is None or session.status != Status.QUEUED:
        return None
    fault = predecessors.find_fault(predecessors.parse(session.after))
    # With its files there, the row was lost with the database, and will be restored.
    if fault is None or (fault.status is None and state.session(fault.id).directory.is_dir()):
        return None
    return _ending(failure_message(fault))


def complete_request(request: LaunchRequest, state: StateDirectory, files: SessionFiles) -> LaunchRequest:
    """Return the request with what the predecessors hand over: their results, and the conversation to continue.

    Raise CannotStart if one of them has been deleted, or has no conversation.
    """
    if request.continues_predecessor:
        request = replace(request, resume=_conversation_id(request), continues_predecessor=False)
        # The predecessor may be deleted before another start.
        save_request(request, files)
    if request.after is not None:
        request = replace(request, query=_replaced_query(request, files))
    if (results := files.results).is_dir():
        directories = (*request.settings.additional_directories, str(results))
        request = replace(request, settings=replace(request.settings, additional_directories=directories))
    return request


def _conversation_id(request: LaunchRequest) -> str:
    assert request.parent_session_id is not None, "it continues no session"
    parent = _get(request.parent_session_id)
    if parent.claude_session_id is None:
        raise CannotStart(
            _ending(f"Session {parent.id} ended before Claude Code began a conversation; there is nothing to continue.")
        )
    return parent.claude_session_id


def _replaced_query(request: LaunchRequest, files: SessionFiles) -> str:
    """Return the query with its references replaced, always the same."""
    text = messages.replaced_query(request.session_id)
    if text is None:
        text = _Replacement(request, files).text()
        if text != request.query:
            messages.replace_query(request.session_id, text)
    return text


class _Replacement:
    """The replacement of the references in one query."""

    def __init__(self, request: LaunchRequest, files: SessionFiles) -> None:
        self._request = request
        self._directory: Path = files.results
        self._bytes_left = MAX_RESULT_BYTES

    def text(self) -> str:
        return replace_references(self._request.query, self._text)

    def _text(self, reference: Reference) -> str:
        session = _get(self._request.references[reference.session_ref])
        if reference.kind is ReferenceKind.TITLE:
            return session.title or session.summary
        return self._result(session)

    def _result(self, session: Session) -> str:
        if not session.result_content:
            return _NO_RESULT
        data = session.result_content.encode("utf-8", "replace")
        if len(data) <= self._bytes_left:
            self._bytes_left -= len(data)
            return session.result_content
        self._directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        file = self._directory / f"result-{session.id}.txt"
        replace_private(file, data)
        return f"(in the file {file})"


def _get(session_id: str) -> Session:
    session = sessions.get(session_id)
    if session is None:
        raise CannotStart(_ending(failure_message(Fault(session_id))))
    return session


def _ending(message: str) -> Ending:
    return Ending(Status.FAILED, EndReason.DEPENDENCY_FAILED, message)
