"""The lifecycle of a session in its supervisor: from its first process to the command that runs after its end."""

from __future__ import annotations

import os

from hldctl.errors import UnfitEnvironment
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import touch
from hldctl.protocol import link
from hldctl.states import EndReason, Status
from hldctl.store import sessions
from hldctl.store.admission import entries
from hldctl.store.database import open_database
from hldctl.supervisor import input_files, on_end, worktree_state
from hldctl.supervisor.claude_process import ClaudeProcess
from hldctl.supervisor.guard import Guard
from hldctl.supervisor.handshake import Handshake
from hldctl.supervisor.launch import start_claude
from hldctl.supervisor.monitor import ProcessMonitor
from hldctl.supervisor.queue import waiting
from hldctl.supervisor.queue.peers import QueuePeers
from hldctl.supervisor.record_outcome import conclude
from hldctl.supervisor.retry_loop import retry_until_success
from hldctl.system import cgroup
from hldctl.system.error_log import log, log_exception

_LOST_REQUEST = sessions.Ending(
    Status.FAILED, EndReason.LOST, "The request to start Claude Code was lost with the session's files."
)

_PRIVATE_UMASK = 0o077


class SessionLifecycle:
    """The run loop of one session: start or adopt a process, monitor it, restart it if needed, finish."""

    def __init__(
        self, state: StateDirectory, session_id: str, handshake: Handshake, *, is_guarded: bool = False
    ) -> None:
        """`is_guarded` is True if a guard has started this supervisor."""
        self._state = state
        self._session_id = session_id
        self._handshake = handshake
        self._is_guarded = is_guarded
        self._files: SessionFiles = state.session(session_id)

    def run(self, process: ClaudeProcess | None) -> None:
        """Run the session to its end, starting with `process`, or with a new one if it is None."""
        # After the reply to the launch: both take some milliseconds.
        cgroup.leave_foreign_cgroup()
        link.start_if_missing(self._state)
        guard = self._start_guard()
        try:
            self._run(process)
        finally:
            if guard is not None:
                guard.dismiss()

    def _start_guard(self) -> Guard | None:
        if self._is_guarded:
            return None
        try:
            return Guard(self._session_id, self._files)
        except OSError:
            # Without one, the next command starts an adopting supervisor.
            log_exception()
            return None

    def _run(self, process: ClaudeProcess | None) -> None:
        while (
            process is not None
            or (process := retry_until_success(self._files, self._next_process, self._handshake.accept)) is not None
        ):
            if process.poll() is None:
                cgroup.enclose(process.identity.pid, self._session_id, self._files.cgroup)
            ProcessMonitor(self._state, self._session_id, process).run(self._handshake.accept)
            # The launching command must not wait for a pause before the next run, nor for the command at the end.
            self._handshake.accept()
            process = None
        retry_until_success(self._files, self._finish, self._handshake.accept)
        link.start_if_missing(self._state)
        self._index()

    def _index(self) -> None:
        """Index for searches what was said. Here and not with each event, which would take five times as long."""
        # Imported here: the memory is needed at the end only.
        from hldctl.store.search.update import index_newest

        try:
            with open_database(self._state):
                index_newest(self._state)
        except UnfitEnvironment as error:
            log(str(error))

    def _next_process(self) -> ClaudeProcess | None:
        """Wait until Claude Code may start, start it and return its process; None if the session has ended."""
        with open_database(self._state):
            session = sessions.get(self._session_id)
            if session is None or session.completed_at is not None or not self._files.directory.is_dir():
                return None
            if (request := input_files.load_request(self._files)) is None:
                conclude(self._state, session, waiting.find_ending(self._state, session) or _LOST_REQUEST)
                return None
        if not waiting.wait_to_start(self._state, self._files):
            return None
        with open_database(self._state):
            try:
                # They may have been written by an older hldctl.
                input_files.write_settings(request, self._files, self._state)
                process = start_claude(request, self._state, self._files, session.claude_session_id)
            except UnfitEnvironment:
                # The failure is recorded; the launching command has already reported that the session waits.
                return None
        if not request.is_needed_later:
            self._files.request.unlink(missing_ok=True)
        return process

    def _finish(self) -> None:
        """Adopt sessions in the queue that have lost their supervisor, and run the command at the end."""
        self._files.input.unlink(missing_ok=True)
        with open_database(self._state):
            session = sessions.get(self._session_id)
            # If the supervisor of the last session in the queue has died, no other supervisor has noticed.
            QueuePeers(self._state).adopt_lost(entries.queued_ids())
            if session is not None:
                worktree_state.record(session)
        if session is None or not session.on_end_pending:
            return
        request = input_files.load_request(self._files)
        if request is None:
            on_end.run(self._state, session, os.environ, _PRIVATE_UMASK)
        else:
            on_end.run(self._state, session, request.environment, request.umask)
        self._files.request.unlink(missing_ok=True)
        with open_database(self._state):
            sessions.mark_on_end_done(self._session_id)
        touch(self._files.change_signal)
