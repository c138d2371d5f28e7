"""Following a Claude Code until it has ended: the long middle of a supervisor's life."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing

from hldctl.ingest import session_record
from hldctl.ingest.ingester import Recorder
from hldctl.paths import SessionFiles, StateDirectory, make, touch
from hldctl.protocol.restart import Restart, load_restarts
from hldctl.states import EndReason
from hldctl.store import sessions
from hldctl.store.database import opened
from hldctl.store.session import Session
from hldctl.supervisor import retry_policy
from hldctl.supervisor.claude_process import ClaudeProcess, Exit, SpawnedProcess
from hldctl.supervisor.outcome import decide
from hldctl.supervisor.pending_hooks import expire_unheard, waiting_hooks
from hldctl.supervisor.record_outcome import conclude
from hldctl.supervisor.retry_loop import persist
from hldctl.supervisor.termination import GRACE_SECONDS, Stop, descendants, end_descendants, reap
from hldctl.supervisor.timeouts import Limits
from hldctl.system import cgroup, malloc
from hldctl.system.clock import now
from hldctl.system.processes import ProcessIdentity, identify, is_running
from hldctl.system.watcher import Wakeup

_ERRORS_KEPT = 4000
"""Bytes from the end of standard error that an error message may quote."""
_DISORDERLY = frozenset(
    {EndReason.INTERRUPTED, EndReason.KILLED, EndReason.LOST, EndReason.TIMEOUT, EndReason.IDLE_TIMEOUT}
)
_LOOK_SECONDS = 5.0
"""How often to look for requests without a wake-up: a command may be killed between its commit and its touch."""
_SECOND = 1_000_000_000


class Supervision:
    def __init__(self, state: StateDirectory, session_id: str, process: ClaudeProcess) -> None:
        self._state = state
        self._session_id = session_id
        self._process = process
        self._files: SessionFiles = state.session(session_id)
        self._stop = Stop(process, session_id)
        self._interrupt: sessions.Interrupt | None = None
        self._hooks: dict[str, ProcessIdentity] = {}
        self._wake = str(self._files.wake_signal)
        self._heard = str(self._files.wake_answer)
        self._woken_at = -1
        self._look_due = 0.0

    def run(self, when_following: Callable[[], None] = lambda: None) -> None:
        """Records until the process has ended, then ends the session, or has it started again.

        A fault of the machine, such as a full disk or a database locked for too long, is waited out: nothing is lost,
        since Claude Code writes to its journal meanwhile. Whoever waits to be told that all is recorded does not wait
        for as long as the fault lasts.
        """
        persist(self._files, lambda: self._record_until_the_end(when_following), when_stuck=when_following)

    def _record_until_the_end(self, when_following: Callable[[], None]) -> None:
        with opened(self._state):
            # One that was deleted has nothing left to record.
            if sessions.get(self._session_id) is not None:
                self._close(self._follow(when_following))

    def _follow(self, when_following: Callable[[], None]) -> Exit:
        self._record_process()
        self._set_limits()
        with closing(self._recorder()) as recorder:
            # What it took to start.
            malloc.give_back()
            while True:
                with closing(self._wakeup()) as wakeup:
                    exit = self._record(recorder, wakeup, when_following)
                if exit is not None:
                    return exit

    def _wakeup(self) -> Wakeup:
        processes = [self._process.identity, *self._hooks.values()]
        return Wakeup([self._files.journal, self._files.wake_signal], [process.pid for process in processes])

    def _record(self, recorder: Recorder, wakeup: Wakeup, when_following: Callable[[], None]) -> Exit | None:
        """Until the process has ended, or there are others to be watched."""
        watched = self._hooks
        while True:
            # In this order: what the process wrote before its end is then in the journal.
            exit = self._process.poll()
            reap(self._process)
            recorder.catch_up()
            if exit is not None:
                recorder.finish()
                self._look_for_requests()
                return exit
            self._look_for_requests()
            self._look_after_hooks()
            when_following()
            if self._hooks != watched:
                return None
            self._heed_limits()
            wakeup.wait(self._patience())

    def _record_process(self) -> None:
        """Once more, should it have failed when the process was spawned."""
        session = sessions.get(self._session_id)
        is_seen = isinstance(self._process, SpawnedProcess) and self._process.look_again()
        if session is not None and (session.pid is None or is_seen) and self._process.identity.pid:
            sessions.started(self._session_id, self._process.identity, now())

    def _set_limits(self) -> None:
        self._limits = Limits(self._session(), self._files, self._process)

    def _session(self) -> Session:
        session = sessions.get(self._session_id)
        assert session is not None, "the session was deleted while it ran"
        return session

    def _recorder(self) -> Recorder:
        # One that somebody has removed would be waited for without end.
        make(self._files.journal)
        return Recorder(self._session(), self._files)

    def _look_for_requests(self) -> None:
        """To stop, and for permission; asks the database after a touch of `wake`, and every few seconds."""
        woken_at = os.stat(self._wake).st_mtime_ns
        # Where files have whole seconds, two touches may leave the same time.
        is_exact = woken_at % _SECOND != 0
        if woken_at == self._woken_at and is_exact and time.monotonic() < self._look_due:
            return
        self._look_due = time.monotonic() + _LOOK_SECONDS
        self._take_hooks()
        self._take_interrupt()
        if woken_at != self._woken_at:
            # Last: what has failed before is looked for again, and shows as unheard.
            self._woken_at = woken_at
            touch(self._heard, woken_at)

    def _take_hooks(self) -> None:
        """Notes who waits for an answer; wakes those that have one, since the command that gave it may have died."""
        hooks = waiting_hooks(self._session_id)
        for approval_id, hook in self._hooks.items():
            if approval_id not in hooks and is_running(hook):
                touch(self._files.answer(approval_id))
        self._hooks = hooks

    def _take_interrupt(self) -> None:
        self._interrupt = sessions.interrupt_request(self._session_id)
        if self._interrupt is not None:
            self._stop.grace_seconds = self._interrupt.grace_ms / 1000

    def _heed_limits(self) -> None:
        """The intent is recorded first, as for any other who wants the session to stop."""
        if self._interrupt is None and (reason := self._limits.reached()) is not None:
            sessions.request_interrupt(self._session_id, now(), int(GRACE_SECONDS * 1000), reason)
            touch(self._files.change_signal)
            self._take_interrupt()

    def _patience(self) -> float:
        left = self._limits.seconds_left() if self._interrupt is None else self._stop.advance()
        return _LOOK_SECONDS if left is None else min(left, _LOOK_SECONDS)

    def _look_after_hooks(self) -> None:
        """One that was killed has told nobody."""
        if not all(map(is_running, self._hooks.values())):
            expire_unheard(self._state, self._session_id)
            self._hooks = waiting_hooks(self._session_id)

    def _close(self, exit: Exit) -> None:
        with closing(self._recorder()) as recorder:
            fold = recorder.state
        session = self._session()
        ending = decide(
            exit,
            fold,
            self._end_of_errors(),
            stop_reason=None if self._interrupt is None else self._interrupt.reason,
            signalled=self._stop.signalled,
            fail_on_denial=session.fail_on_denial,
        )
        again = retry_policy.after(session, ending, fold, exit, now())
        # What Claude Code left running after an orderly end is the user's; after any other it is a stray.
        if again is not None or ending.reason in _DISORDERLY:
            end_descendants(self._process, self._session_id)
            left_running = []
        else:
            left_running = self._left_running()
        cgroup.release(self._session_id, self._files.cgroup)
        if again is None:
            conclude(self._state, session, ending, left_running)
        else:
            self._start_again(session, again)

    def _start_again(self, session: Session, again: Restart) -> None:
        self._end_last_line()
        restarts = [*load_restarts(session), again]
        sessions.restart(self._session_id, [each.as_json() for each in restarts], now())
        session_record.keep_current(self._session_id, self._files)
        with closing(self._recorder()) as recorder:
            recorder.catch_up()
        touch(self._files.change_signal)

    def _end_last_line(self) -> None:
        """What the next run writes is not to be taken for the rest of what a crash has cut off."""
        with open(self._files.journal, "r+b") as journal:
            if journal.seek(0, os.SEEK_END) and (journal.seek(-1, os.SEEK_END), journal.read(1))[1] != b"\n":
                journal.write(b"\n")

    def _left_running(self) -> list[ProcessIdentity]:
        pids = descendants(self._process, self._session_id)
        return [identity for pid in pids if (identity := identify(pid)) is not None]

    def _end_of_errors(self) -> str:
        try:
            with open(self._files.errors, "rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - _ERRORS_KEPT))
                return file.read().decode("utf-8", errors="replace").strip()
        except FileNotFoundError:
            return ""
