"""Starting and killing supervisors, for new sessions and for sessions that have lost theirs."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hldctl.errors import HldctlError, UnfitEnvironment, error_from_exit_code
from hldctl.paths import StateDirectory, is_session_id
from hldctl.protocol import link
from hldctl.sessions import spawn
from hldctl.store import sessions
from hldctl.store.connection import is_read_only
from hldctl.store.database import UNWRITABLE
from hldctl.store.session import Session
from hldctl.supervisor.processes import other_namespaces
from hldctl.system import file_lock
from hldctl.system.processes import is_this_machine

if TYPE_CHECKING:
    from hldctl.protocol.launch_report import LaunchReport
    from hldctl.protocol.launch_request import LaunchRequest


POLL_SECONDS = 1.0
"""How often to check whether a supervisor has died, since nothing notifies us of that."""
# How long to wait for a process to exit after SIGKILL.
_KILL_WAIT_SECONDS = 10


def launch(state: StateDirectory, request: LaunchRequest) -> LaunchReport:
    """Start a supervisor for a new session and return its report once Claude Code runs or is queued.

    Raise the error that the supervisor reports if Claude Code cannot be started.
    """
    process = _start(spawn.spawn_for_launch, state)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(request.to_bytes())
    return _read_report(state, process, request.session_id)


def adopt_lost(state: StateDirectory, ids: Iterable[str]) -> None:
    """Start a supervisor for each of these sessions that has lost its own before its work was done.

    Wait until each supervisor has caught up with its journal, so that later reads are current. A session that cannot
    be supervised stays as it is, with the reason in its log; its recorded data remains readable. Raise
    UnfitEnvironment if a session's directory belongs to another user.
    """
    ids = list(ids)
    for session_id in ids:
        state.session(session_id).require_own_directory()
    _record_left_terminals(state, ids)
    if state.is_replica or is_read_only():
        # In the first case it is supervised elsewhere. In the second, a supervisor could not record anything; the next
        # command that can write starts it.
        return
    orphans = [session_id for session_id in ids if file_lock.is_free(state.session(session_id).lock)]
    if not orphans:
        return
    unattended = sessions.needing_supervisor(orphans)
    lost = [
        session
        for session in unattended
        if is_running_here(session) or other_namespaces.may_conclude(session, state.session(session.id))
    ]
    for session in lost:
        if not state.session(session.id).directory.is_dir():
            # Imported here: it loads about half of the supervisor's code.
            from hldctl.supervisor.record_outcome import conclude_without_files

            with contextlib.suppress(*UNWRITABLE):
                conclude_without_files(state, session)
    _adopt(state, [session.id for session in lost if state.session(session.id).directory.is_dir()])


def _record_left_terminals(state: StateDirectory, ids: Iterable[str]) -> None:
    """Record what was said in the terminals of `hldctl open` commands that were killed."""
    for session_id in ids:
        if os.path.exists(state.session(session_id).open_record) and not is_read_only():
            # Imported here: few sessions are ever opened.
            from hldctl.sessions import opened

            opened.record_left(state, session_id)


def restore_rows(state: StateDirectory, ids: Iterable[str]) -> None:
    """Start supervisors that recreate these sessions' rows from their files, and adopt the sessions."""
    _adopt(state, ids)


def _adopt(state: StateDirectory, ids: Iterable[str]) -> None:
    processes = [(session_id, _start(spawn.spawn_for_adoption, state, session_id)) for session_id in ids]
    for session_id, process in processes:
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(HldctlError):
            _read_report(state, process, session_id)


def adopt_all_lost(state: StateDirectory) -> None:
    """Call `adopt_lost` for all sessions that need a supervisor; a partial index holds only these.

    Sessions whose directory belongs to another user are skipped, so that commands can list the others.
    """
    ids = sessions.ids_needing_supervisor()
    adopt_lost(state, [session_id for session_id in ids if state.session(session_id).is_own_directory()])
    link.start_if_late(state)


def ids_with_files(state: StateDirectory) -> list[str]:
    """Return the ids of the sessions that have a directory; ignore files that hldctl did not create."""
    try:
        return sorted(path.name for path in state.sessions.iterdir() if is_session_id(path.name) and path.is_dir())
    except FileNotFoundError:
        return []


def kill_all(state: StateDirectory) -> None:
    """Kill the supervisors and permission hooks that have the database open.

    The next command starts new supervisors. Pending permission requests are denied: Claude Code treats a dead hook as
    a denial.
    """
    programs = ("hldctl.supervisor", "hldctl/permission_hook/__main__.py", link.LINK_MODULE)
    _kill_holders({str(state.database.resolve())}, programs)


def kill_supervisors(state: StateDirectory, ids: Iterable[str]) -> list[int]:
    """Kill the supervisors of these sessions, which is safe; return the pids of those that survive."""
    return _kill_holders({str(state.session(session_id).lock.resolve()) for session_id in ids}, ("hldctl.supervisor",))


def is_stopped(session_id: str) -> bool:
    """Return whether the process with the supervisor's recorded pid is stopped, as by SIGSTOP."""
    import psutil

    session = sessions.get(session_id)
    if session is None or session.supervisor_pid is None:
        return False
    try:
        return psutil.Process(session.supervisor_pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


def replace(state: StateDirectory, ids: Iterable[str]) -> None:
    """Kill the supervisors of these sessions, which is safe, and start new ones.

    Raise UnfitEnvironment if one survives SIGKILL: it is stuck in the kernel, as on a dead network file system.
    """
    ids = list(ids)
    if surviving := kill_supervisors(state, ids):
        pids = " and ".join(map(str, surviving))
        raise UnfitEnvironment(
            f"The supervisor with pid {pids} does not respond and cannot be killed; find out what blocks it."
        )
    adopt_lost(state, ids)


def _kill_holders(paths: set[str], programs: tuple[str, ...]) -> list[int]:
    """Kill the processes of these programs that have one of these files open; return the pids of those that survive."""
    import psutil

    targets = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_ours = any(argument.endswith(programs) for argument in process.cmdline())
            if is_ours and any(file.path in paths for file in process.open_files()):
                # psutil compares the start time, too, and refuses to kill another process that has the same pid by now.
                process.kill()
                targets.append(process)
    _, surviving = psutil.wait_procs(targets, timeout=_KILL_WAIT_SECONDS)
    return [process.pid for process in surviving]


def running_here_ids() -> list[str]:
    """Return the ids of the sessions that have not ended and whose processes can be reached from here."""
    return _here(sessions.live_ids())


def in_turn_here_ids() -> list[str]:
    """Return the ids of the sessions that are in a turn, and whose processes can be reached from here."""
    return _here(sessions.ids_in_turn())


def _here(session_ids: list[str]) -> list[str]:
    return [session.id for session in sessions.live_sessions(session_ids) if is_running_here(session)]


def is_running_here(session: Session) -> bool:
    """Return whether the session runs on this machine and in this PID namespace."""
    return is_this_machine(session.host, session.boot_id)


def _start(start: Callable[..., subprocess.Popen[bytes]], *arguments: Any) -> subprocess.Popen[bytes]:
    try:
        return start(*arguments)
    except OSError as error:
        raise UnfitEnvironment(f"Cannot start a supervisor: {error.strerror or error}.") from error


def _read_report(state: StateDirectory, process: subprocess.Popen[bytes], session_id: str) -> LaunchReport:
    # Imported here: commands that only read seldom start a supervisor.
    from hldctl.protocol.launch_report import LaunchReport

    assert process.stdout is not None
    with process.stdout as pipe:
        line = pipe.readline()
    if not line:
        raise UnfitEnvironment(
            f"The supervisor of {session_id} exited without a report; see {state.session(session_id).log}."
        )
    report = LaunchReport.from_bytes(line)
    if report.error is not None:
        raise error_from_exit_code(report.exit_code, report.error)
    return report
