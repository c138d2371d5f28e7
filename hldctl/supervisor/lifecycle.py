"""A session from its first process to what is done after its end: all that its supervisor is there for."""

from __future__ import annotations

import os

from hldctl.errors import UnfitEnvironment
from hldctl.paths import SessionFiles, StateDirectory, touch
from hldctl.states import EndReason, Status
from hldctl.store import scheduler, sessions
from hldctl.store.database import opened
from hldctl.supervisor import input_files, on_end, queue
from hldctl.supervisor.claude_process import ClaudeProcess
from hldctl.supervisor.handshake import Answer
from hldctl.supervisor.launch import start_claude
from hldctl.supervisor.monitor import Supervision
from hldctl.supervisor.queue import Neighbours
from hldctl.supervisor.record_outcome import conclude
from hldctl.supervisor.retry_loop import persist
from hldctl.system import cgroup

_LOST_REQUEST = sessions.Ending(
    Status.FAILED, EndReason.LOST, "How Claude Code was to be started was lost with the session's files."
)

_PRIVATE = 0o077


class Life:
    def __init__(self, state: StateDirectory, session_id: str, answer: Answer) -> None:
        self._state = state
        self._session_id = session_id
        self._answer = answer
        self._files: SessionFiles = state.session(session_id)

    def go_on(self, process: ClaudeProcess | None) -> None:
        """From the process that runs, or from the moment when one is to be started, until nothing is left to do."""
        # After the launch has been answered: it takes some milliseconds.
        cgroup.leave_others()
        while process is not None or (process := persist(self._files, self._next, self._answer.accept)) is not None:
            if process.poll() is None:
                cgroup.enclose(process.identity.pid, self._session_id, self._files.cgroup)
            Supervision(self._state, self._session_id, process).run(self._answer.accept)
            # Nobody waits for a pause before the next run, nor for a command at the end.
            self._answer.accept()
            process = None
        persist(self._files, self._finish, self._answer.accept)

    def _next(self) -> ClaudeProcess | None:
        """The session's next process, once it may be started; None if there is to be none."""
        with opened(self._state):
            session = sessions.get(self._session_id)
            if session is None or session.completed_at is not None or not self._files.directory.is_dir():
                return None
            if (asked := input_files.load_request(self._files)) is None:
                conclude(self._state, session, _LOST_REQUEST)
                return None
        if not queue.wait(self._state, self._files):
            return None
        with opened(self._state):
            try:
                # An hldctl before an upgrade may have written other ones.
                input_files.write_settings(asked, self._files, self._state)
                process = start_claude(asked, self._state, self._files, session.claude_session_id)
            except UnfitEnvironment:
                # It is recorded, and whoever launched it was told that it waits.
                return None
        if not asked.is_needed_later:
            self._files.request.unlink(missing_ok=True)
        return process

    def _finish(self) -> None:
        with opened(self._state):
            session = sessions.get(self._session_id)
            # Should the last in the queue have died, nobody else has seen it.
            Neighbours(self._state).adopt_lost(scheduler.queued())
        if session is None or not session.on_end_pending:
            return
        asked = input_files.load_request(self._files)
        if asked is None:
            on_end.run(self._state, session, os.environ, _PRIVATE)
        else:
            on_end.run(self._state, session, asked.environment, asked.umask)
        self._files.request.unlink(missing_ok=True)
        with opened(self._state):
            sessions.on_end_done(self._session_id)
        touch(self._files.change_signal)
