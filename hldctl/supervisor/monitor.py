"""The monitor of one Claude Code process: ingest its journal, handle requests, enforce timeouts, record its end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing

from hldctl.claude import command_line
from hldctl.ingest import session_record
from hldctl.ingest.ingester import Ingester
from hldctl.ingest.state import ReducerState
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.private_files import ensure_exists, touch
from hldctl.protocol import link
from hldctl.protocol.interrupt import GRACE_SECONDS
from hldctl.protocol.restart import Restart, load_restarts
from hldctl.states import EndReason, GateKind, Status
from hldctl.store import messages, sessions
from hldctl.store.admission import limits
from hldctl.store.admission.limits import account_of
from hldctl.store.connection import transaction
from hldctl.store.database import open_database
from hldctl.store.session import Session
from hldctl.supervisor import retry_policy
from hldctl.supervisor.budgets.alerts import BudgetAlerts
from hldctl.supervisor.budgets.shared import SharedBudgets
from hldctl.supervisor.claude_process import ClaudeProcess, Exit, SpawnedProcess
from hldctl.supervisor.hooks.orphaned_requests import OrphanedRequests
from hldctl.supervisor.hooks.pending_hooks import expire_abandoned, waiting_hooks
from hldctl.supervisor.input_pipe import InputPipe
from hldctl.supervisor.message_sender import MessageSender
from hldctl.supervisor.outcome import decide
from hldctl.supervisor.processes.orphans import has_no_orphans
from hldctl.supervisor.queue.gate import GateWatcher
from hldctl.supervisor.queue.wake import wake_next
from hldctl.supervisor.record_outcome import conclude
from hldctl.supervisor.retry_loop import retry_until_success
from hldctl.supervisor.termination import StopSequence, descendants, end_descendants, reap
from hldctl.supervisor.timeouts import Timeouts
from hldctl.system import cgroup, malloc
from hldctl.system.clock import current_time_ms
from hldctl.system.processes import ProcessIdentity, identify, is_running
from hldctl.system.watcher import Wakeup

# Bytes from the end of standard error that an error message may quote.
_STDERR_TAIL_BYTES = 4000
_ABNORMAL_REASONS = frozenset(
    {
        EndReason.INTERRUPTED,
        EndReason.KILLED,
        EndReason.LOST,
        EndReason.TIMEOUT,
        EndReason.IDLE_TIMEOUT,
        EndReason.STALLED,
    }
)
# Interval of looking for requests without a wake-up: a command may be killed between its commit and its touch.
_POLL_SECONDS = 5.0
# Interval of looking whether the link to the fleet's record was killed.
_LINK_SECONDS = 30.0
# Interval of writing more of a message that is longer than the pipe.
_WRITE_SECONDS = 0.01
# Interval of checking whether a request has a hook.
_HOOK_SECONDS = 1.0
_NS_PER_SECOND = 1_000_000_000


class ProcessMonitor:
    """The monitor of one Claude Code process, until it has exited."""

    def __init__(self, state: StateDirectory, session_id: str, process: ClaudeProcess) -> None:
        self._state = state
        self._session_id = session_id
        self._process = process
        self._files: SessionFiles = state.session(session_id)
        self._stop = StopSequence(process, session_id)
        self._interrupt: sessions.Interrupt | None = None
        self._hooks: dict[str, ProcessIdentity] = {}
        self._wake_signal = str(self._files.wake_signal)
        self._wake_answer = str(self._files.wake_answer)
        self._woken_at_ns = -1
        self._next_poll = 0.0
        # The start of this process has looked already.
        self._next_link_look = time.monotonic() + _LINK_SECONDS

    def run(self, on_caught_up: Callable[[], None] = lambda: None) -> None:
        """Monitor the process until it has exited; then end the session, or record that it restarts.

        Retry after a system fault, such as a full disk or a database locked for too long: nothing is lost, since Claude
        Code writes its journal itself. `on_caught_up` is called each time that the journal has been ingested, and also
        after a fault, so that a caller that waits for it does not wait as long as the fault lasts.
        """
        retry_until_success(self._files, lambda: self._monitor_to_end(on_caught_up), on_failure=on_caught_up)

    def _monitor_to_end(self, on_caught_up: Callable[[], None]) -> None:
        with open_database(self._state):
            # A deleted session has nothing left to record.
            if sessions.get(self._session_id) is not None:
                self._end_session(self._wait_for_exit(on_caught_up), on_caught_up)

    def _wait_for_exit(self, on_caught_up: Callable[[], None]) -> Exit:
        self._record_process()
        self._start_timeouts()
        self._gate = GateWatcher(self._state, self._session())
        with closing(self._open_ingester()) as ingester, closing(self._take_pipe()) as pipe:
            self._sender = MessageSender(self._state, self._session(), pipe, is_new=self._is_pipe_new)
            self._alerts = BudgetAlerts(self._state, self._session())
            self._budgets = SharedBudgets(self._session())
            self._orphaned_requests = OrphanedRequests(self._session_id, self._process)
            # Memory that only the start needed.
            malloc.release_free_memory()
            while True:
                with closing(self._open_wakeup()) as wakeup:
                    exit = self._ingest_until_exit(ingester, wakeup, on_caught_up)
                if exit is not None:
                    return exit

    def _open_wakeup(self) -> Wakeup:
        processes = [self._process.identity, *self._hooks.values()]
        return Wakeup([self._files.journal, self._files.wake_signal], [process.pid for process in processes])

    def _ingest_until_exit(self, ingester: Ingester, wakeup: Wakeup, on_caught_up: Callable[[], None]) -> Exit | None:
        """Ingest the journal until the process has exited; return None earlier if the set of hooks has changed."""
        watched_hooks = self._hooks
        while True:
            # Poll before reading: after an exit, the journal then has all that the process wrote.
            exit = self._process.poll()
            reap(self._process)
            ingester.catch_up()
            if exit is not None:
                ingester.finish()
                self._gate.look(ingester.state)
                self._alerts.look(ingester.costs)
                self._handle_requests()
                return exit
            self._handle_requests()
            self._expire_hooks()
            self._gate.look(ingester.state)
            on_caught_up()
            self._alerts.look(ingester.costs)
            if self._interrupt is None:
                self._answer_orphaned_requests(ingester)
                self._sender.advance(ingester.state)
            if self._hooks != watched_hooks:
                return None
            self._enforce_limits(ingester.state)
            wakeup.wait(self._wait_timeout())

    def _take_pipe(self) -> InputPipe:
        """Return the pipe that the process was started with; after a fault, and after adoption, a new one."""
        process = self._process
        self._is_pipe_new = isinstance(process, SpawnedProcess) and process.input is not None
        if not isinstance(process, SpawnedProcess) or process.input is None:
            return InputPipe(self._files, process.identity.pid)
        pipe, process.input = process.input, None
        return pipe

    def _record_process(self) -> None:
        """Record the process again, in case that failed when it was spawned."""
        session = sessions.get(self._session_id)
        is_identified = isinstance(self._process, SpawnedProcess) and self._process.retry_identification()
        if session is not None and (session.pid is None or is_identified) and self._process.identity.pid:
            sessions.mark_started(self._session_id, self._process.identity, current_time_ms())

    def _start_timeouts(self) -> None:
        session = self._session()
        self._timeouts = Timeouts(session, self._files, self._process)

    def _session(self) -> Session:
        session = sessions.get(self._session_id)
        assert session is not None, "the session was deleted while it ran"
        return session

    def _open_ingester(self) -> Ingester:
        # Recreate a journal that was removed: waiting for it would never end.
        ensure_exists(self._files.journal)
        return Ingester(self._session(), self._files)

    def _handle_requests(self) -> None:
        """Query the database for requests to stop and for permission: after a wake signal, and every few seconds."""
        woken_at_ns = os.stat(self._wake_signal).st_mtime_ns
        # If the file system stores whole seconds, two touches may leave the same time.
        is_exact = woken_at_ns % _NS_PER_SECOND != 0
        if woken_at_ns == self._woken_at_ns and is_exact and time.monotonic() < self._next_poll:
            return
        now = time.monotonic()
        if now >= self._next_link_look:
            self._next_link_look = now + _LINK_SECONDS
            link.start_if_missing(self._state)
        self._next_poll = now + _POLL_SECONDS
        self._update_hooks()
        self._update_interrupt()
        if woken_at_ns != self._woken_at_ns:
            # Last, so that after a failure the signal counts as unanswered and is handled again.
            self._woken_at_ns = woken_at_ns
            touch(self._wake_answer, woken_at_ns)

    def _update_hooks(self) -> None:
        """Update the waiting hooks; wake those that have an answer, since the command that gave it may have died."""
        hooks = waiting_hooks(self._session_id)
        for approval_id, hook in self._hooks.items():
            if approval_id not in hooks and is_running(hook):
                touch(self._files.answer_signal(approval_id))
        self._hooks = hooks

    def _update_interrupt(self) -> None:
        self._interrupt = sessions.interrupt_request(self._session_id)
        if self._interrupt is not None:
            self._stop.grace_seconds = self._interrupt.grace_ms / 1000

    def _enforce_limits(self, state: ReducerState) -> None:
        """Stop the session if a timeout has expired or a shared budget is spent, by recording a request to stop, as a
        command would.
        """
        if self._interrupt is not None:
            return
        reason = self._timeouts.find_expired() or self._timeouts.find_stall(state, is_kept_idle=self._sender.is_idle)
        if reason is None and self._budgets.are_spent(state):
            reason = EndReason.BUDGET
        if reason is not None:
            if reason is EndReason.IDLE_TIMEOUT and self._sender.is_idle:
                # Its work is done, and nobody has anything to add.
                messages.close(self._session_id, current_time_ms())
                return
            sessions.request_interrupt(self._session_id, current_time_ms(), int(GRACE_SECONDS * 1000), reason)
            touch(self._files.change_signal)
            self._update_interrupt()

    def _wait_timeout(self) -> float:
        """Return the seconds to wait for an event."""
        if self._interrupt is not None:
            # First: nobody answers a request or writes a message any more, so waiting for that would never end.
            return min(self._stop.advance(), _POLL_SECONDS)
        if self._sender.is_writing:
            return _WRITE_SECONDS
        if self._orphaned_requests.is_checking:
            return _HOOK_SECONDS
        seconds_left = self._timeouts.seconds_left()
        return _POLL_SECONDS if seconds_left is None else min(seconds_left, _POLL_SECONDS)

    def _expire_hooks(self) -> None:
        """Expire the requests of hooks that were killed, which could not report it."""
        if not all(map(is_running, self._hooks.values())):
            expire_abandoned(self._state, self._session_id)
            self._hooks = waiting_hooks(self._session_id)

    def _answer_orphaned_requests(self, ingester: Ingester) -> None:
        """Answer the requests of hooks that were killed: Claude Code waits for an answer on its input, too."""
        for line in self._orphaned_requests.answer_lines(ingester.state.host_requests):
            self._sender.enqueue_line(line)

    def _end_session(self, exit: Exit, on_caught_up: Callable[[], None]) -> None:
        with closing(self._open_ingester()) as ingester:
            state = ingester.state
        session = self._session()
        ending = self._decide(exit, state, session)
        if session.check_command is not None and ending.status is Status.COMPLETED:
            # The check may take long.
            on_caught_up()
            self._check_work(session, ending, state.offset)
            return
        gate = limits.find(account_of(session.id, session.account))
        limit_until = gate.until if gate is not None and state.refusal is GateKind.USAGE else None
        restart = retry_policy.next_restart(session, ending, state, exit, current_time_ms(), limit_until)
        # Processes that Claude Code left running belong to the user after a normal end; after another they are killed.
        is_stopped = ending.reason is EndReason.BUDGET and session.stop_reason is not None
        if restart is not None or is_stopped or ending.reason in _ABNORMAL_REASONS:
            end_descendants(self._process, self._session_id)
            left_running = []
        else:
            left_running = self._running_descendants()
        cgroup.release(self._session_id, self._files.cgroup)
        if restart is None:
            conclude(self._state, session, ending, left_running)
        else:
            self._record_restart(session, restart)

    def _decide(self, exit: Exit, state: ReducerState, session: Session) -> sessions.Ending:
        if session.check_state is not None:
            # Imported here: few sessions have a check.
            from hldctl.supervisor.check import judge

            if (begun := judge.ending_under_check(session)) is not None:
                return begun
        return decide(
            exit,
            state,
            self._stderr_tail(),
            stop_reason=None if self._interrupt is None else self._interrupt.reason,
            signalled=self._stop.has_signalled,
            policy=session,
            needs_output=command_line.needs_structured_output(session.json_schema, session.extra_arguments),
        )

    def _check_work(self, session: Session, ending: sessions.Ending, offset: int) -> None:
        """Run the check of a session that would be completed; then end it, or record that it continues."""
        from hldctl.supervisor.check import judge

        verdict = judge.judge(self._state, session, ending, offset, self._process)
        if verdict is None:
            self._prepare_restart()
        else:
            self._ingest_notes()
            conclude(self._state, session, verdict.ending, verdict.left_running)

    def _record_restart(self, session: Session, restart: Restart) -> None:
        restarts = [*load_restarts(session), restart]
        account = account_of(session.id, session.account)
        with transaction():
            sessions.mark_restarting(self._session_id, [item.as_json() for item in restarts], current_time_ms())
            limits.hold(self._session_id, account)
        self._prepare_restart()
        # If it was the probe of its account, another session is.
        wake_next(self._state, account)

    def _prepare_restart(self) -> None:
        """Write down a restart that the database has recorded."""
        self._terminate_last_line()
        session_record.save_current(self._session_id, self._files)
        self._ingest_notes()
        touch(self._files.change_signal)

    def _ingest_notes(self) -> None:
        with closing(self._open_ingester()) as ingester:
            ingester.catch_up()

    def _terminate_last_line(self) -> None:
        """Add a newline if a crash has cut off the last line, so that it is not joined with the next run's output."""
        with open(self._files.journal, "r+b") as journal:
            if journal.seek(0, os.SEEK_END) and (journal.seek(-1, os.SEEK_END), journal.read(1))[1] != b"\n":
                journal.write(b"\n")

    def _running_descendants(self) -> list[ProcessIdentity]:
        if isinstance(self._process, SpawnedProcess) and has_no_orphans():
            # Without a look at all processes of the machine, which takes 10 ms.
            return []
        pids = descendants(self._process, self._session_id)
        return [identity for pid in pids if (identity := identify(pid)) is not None]

    def _stderr_tail(self) -> str:
        try:
            with open(self._files.errors, "rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - _STDERR_TAIL_BYTES))
                return file.read().decode("utf-8", errors="replace").strip()
        except FileNotFoundError:
            return ""
