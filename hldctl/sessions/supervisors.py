"""Starting supervisors, for new sessions and for those that have lost theirs."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hldctl.errors import HldctlError, UnfitEnvironment, error_for
from hldctl.paths import StateDirectory, is_session_id
from hldctl.protocol.launch_report import Report
from hldctl.sessions import spawn
from hldctl.store import sessions
from hldctl.store.connection import is_read_only
from hldctl.store.database import UNWRITABLE
from hldctl.store.session import Session
from hldctl.supervisor import other_namespaces
from hldctl.system import file_lock
from hldctl.system.processes import is_this_machine

if TYPE_CHECKING:
    from hldctl.protocol.launch_request import LaunchRequest


_DEATH_SECONDS = 10


def launch(state: StateDirectory, request: LaunchRequest) -> Report:
    """Returns once Claude Code runs, or is to run later; raises what the supervisor reports if it cannot."""
    process = _started(spawn.for_launch)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(request.to_bytes())
    return _report(state, process, request.session_id)


def adopt_lost(state: StateDirectory, ids: Iterable[str]) -> None:
    """Starts a supervisor for each of these that has lost its own before all was done.

    Waits until each has caught up with its journal, so that what is read afterwards is current. One that cannot be
    supervised stays as it is, with the reason in its log: what is recorded of it can be read all the same. Raise
    UnfitEnvironment for one whose directory belongs to another user.
    """
    ids = list(ids)
    for session_id in ids:
        state.session(session_id).require_own_directory()
    if is_read_only():
        # A supervisor could record nothing; the next command that can write starts it.
        return
    orphans = [session_id for session_id in ids if file_lock.is_free(state.session(session_id).lock)]
    if not orphans:
        return
    unattended = sessions.unattended(orphans)
    lost = [
        session
        for session in unattended
        if is_here(session) or other_namespaces.may_conclude(session, state.session(session.id))
    ]
    for session in lost:
        if not state.session(session.id).directory.is_dir():
            # Only here: it brings half of a supervisor.
            from hldctl.supervisor.record_outcome import conclude_without_files

            with contextlib.suppress(*UNWRITABLE):
                conclude_without_files(state, session)
    _adopt(state, [session.id for session in lost if state.session(session.id).directory.is_dir()])


def restore(state: StateDirectory, ids: Iterable[str]) -> None:
    """Has the rows of these made again from their files, and all that goes with adoption done."""
    _adopt(state, ids)


def _adopt(state: StateDirectory, ids: Iterable[str]) -> None:
    started = [(session_id, _started(spawn.for_adoption, session_id)) for session_id in ids]
    for session_id, process in started:
        if process.stdin is not None:
            process.stdin.close()
        with contextlib.suppress(HldctlError):
            _report(state, process, session_id)


def adopt_all_lost(state: StateDirectory) -> None:
    """For commands that show many sessions: looks at those that have not ended, by an index of only these.

    A session whose directory belongs to another user is passed over, so that the others are shown.
    """
    ids = sessions.to_be_attended()
    adopt_lost(state, [session_id for session_id in ids if state.session(session_id).is_own_directory()])


def ids_with_files(state: StateDirectory) -> list[str]:
    """The sessions that have a directory; what else somebody has put there is not ours."""
    try:
        return sorted(path.name for path in state.sessions.iterdir() if is_session_id(path.name) and path.is_dir())
    except FileNotFoundError:
        return []


def end_all(state: StateDirectory) -> None:
    """Kills what of sessions has the database open. For the supervisors others are started by whoever comes next; what
    waits for permission is denied, since Claude Code takes a hook that is gone for that.
    """
    _kill_holders({str(state.database.resolve())}, ("hldctl.supervisor", "hldctl/permission_hook/__main__.py"))


def end(state: StateDirectory, ids: Iterable[str]) -> list[int]:
    """Kills the supervisors of these sessions, which harms nothing; returns the pids of those that do not die."""
    return _kill_holders({str(state.session(session_id).lock.resolve()) for session_id in ids}, ("hldctl.supervisor",))


def is_stopped(session_id: str) -> bool:
    """Whether the session's supervisor, by its recorded pid, has got SIGSTOP."""
    import psutil

    session = sessions.get(session_id)
    if session is None or session.supervisor_pid is None:
        return False
    try:
        return psutil.Process(session.supervisor_pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


def replace(state: StateDirectory, ids: Iterable[str]) -> None:
    """Kills the supervisors of these sessions, which harms nothing, and starts others.

    Raises UnfitEnvironment for one that survives SIGKILL: it is stuck in the kernel, as on a dead network file system.
    """
    ids = list(ids)
    if alive := end(state, ids):
        pids = " and ".join(map(str, alive))
        raise UnfitEnvironment(f"The supervisor with pid {pids} neither answers nor can be killed; see what blocks it.")
    adopt_lost(state, ids)


def _kill_holders(paths: set[str], programs: tuple[str, ...]) -> list[int]:
    """Kills the processes of these programs that have one of these files open; returns those that do not die."""
    import psutil

    killed = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            is_ours = any(word.endswith(programs) for word in process.cmdline())
            if is_ours and any(file.path in paths for file in process.open_files()):
                # By pid and start: psutil refuses where the pid has become another's.
                process.kill()
                killed.append(process)
    _, alive = psutil.wait_procs(killed, timeout=_DEATH_SECONDS)
    return [process.pid for process in alive]


def alive_here() -> list[str]:
    """The sessions that have not ended and whose processes can be reached."""
    return [session.id for session in sessions.not_ended(sessions.alive()) if is_here(session)]


def is_here(session: Session) -> bool:
    """Whether the session's processes are this machine's, and this PID namespace's."""
    return is_this_machine(session.host, session.boot_id)


def _started(start: Callable[..., subprocess.Popen[bytes]], *arguments: str) -> subprocess.Popen[bytes]:
    try:
        return start(*arguments)
    except OSError as error:
        raise UnfitEnvironment(f"No supervisor can be started: {error.strerror or error}.") from error


def _report(state: StateDirectory, process: subprocess.Popen[bytes], session_id: str) -> Report:
    assert process.stdout is not None
    with process.stdout as pipe:
        line = pipe.readline()
    if not line:
        raise UnfitEnvironment(
            f"The supervisor of {session_id} ended before it could report; see {state.session(session_id).log}."
        )
    report = Report.from_bytes(line)
    if report.error is not None:
        raise error_for(report.exit_code, report.error)
    return report
