"""Checks that each session's row agrees with its files and its processes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Container

from hldctl.contract.finding import Level
from hldctl.doctor.check import Finding, Findings, ok_finding
from hldctl.doctor.machine import is_network_file_system
from hldctl.errors import HldctlError, UnfitEnvironment
from hldctl.ingest import session_record
from hldctl.ingest.replay import rebuild
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.sessions import supervisor_health, supervisors
from hldctl.store import sessions
from hldctl.store.database import open_database, open_for_reading
from hldctl.store.recovery import integrity
from hldctl.store.session import Session
from hldctl.supervisor.processes import other_namespaces
from hldctl.system import file_lock
from hldctl.system.processes import is_in_another_namespace

# How long a supervisor may take to respond.
_RESPONSE_SECONDS = 10.0
# A directory younger than this may have no row yet: its session is being launched.
_LAUNCH_SECONDS = 60.0


def examine(state: StateDirectory) -> Findings:
    closed = {session_id for session_id in supervisors.ids_with_files(state) if _is_closed(state.session(session_id))}
    if closed:
        yield Finding(
            "session directories",
            Level.ERROR,
            f"{_count_and_ids(sorted(closed))} in directories that belong to another user or are not accessible",
            f"Run `chown -R` and `chmod -R u+rwX` on them in {state.sessions}.",
        )
    try:
        with open_for_reading(state):
            findings = [*_check_supervisors(state, closed), *_check_responses(state, closed), *_check_hosts(state)]
            findings += [
                *_check_containers(state, closed),
                *_check_journals(state, closed),
                *_check_rows(state, closed),
            ]
            count = len(list(integrity.progress()))
    except (HldctlError, ValueError, TypeError, LookupError, AttributeError):
        # The database is damaged, which has a finding of its own.
        return
    yield from findings or [ok_finding("sessions", f"{count} recorded, consistent with their journals")]
    yield from _check_logs(state, closed)


def _is_closed(files: SessionFiles) -> bool:
    """Return whether the session's directory belongs to another user or is not accessible."""
    try:
        files.require_own_directory()
    except (HldctlError, OSError):
        return True
    return not os.access(files.directory, os.R_OK | os.W_OK | os.X_OK)


def _check_supervisors(state: StateDirectory, closed: Container[str]) -> Findings:
    ids = [
        session.id
        for session in sessions.live_sessions(sessions.live_ids())
        if session.id not in closed
        and supervisors.is_running_here(session)
        and file_lock.is_free(state.session(session.id).lock)
    ]
    if ids:
        yield Finding(
            "supervisors",
            Level.ERROR,
            f"{_count_and_ids(ids)} not ended but without a supervisor",
            "The next hldctl command that reads sessions starts one.",
            lambda: _adopt(state, ids),
        )


def _check_responses(state: StateDirectory, closed: Container[str]) -> Findings:
    alive = [session_id for session_id in supervisors.running_here_ids() if session_id not in closed]
    ids = supervisor_health.unresponsive_ids(state, alive, _RESPONSE_SECONDS)
    if ids:
        yield Finding(
            "supervisors",
            Level.ERROR,
            f"{_count_and_ids(ids)} with a supervisor that does not respond: it is stopped, hangs or cannot write",
            "Run `hldctl doctor --fix`: it replaces the supervisor and does not touch Claude Code.",
            lambda: _replace(state, ids),
        )


def _replace(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        supervisors.replace(state, ids)
        unresponsive = supervisor_health.unresponsive_ids(state, ids, _RESPONSE_SECONDS)
    if unresponsive:
        raise UnfitEnvironment(
            f"No supervisor of {_count_and_ids(unresponsive)} responds; see supervisor.log in their directories."
        )


def _adopt(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        supervisors.adopt_lost(state, ids)
        alone = [
            session.id for session in sessions.live_sessions(ids) if file_lock.is_free(state.session(session.id).lock)
        ]
    if alone:
        raise UnfitEnvironment(
            f"No supervisor keeps running for {_count_and_ids(alone)}; see supervisor.log in their directories."
        )


def _check_hosts(state: StateDirectory) -> Findings:
    alive = sessions.live_sessions(sessions.live_ids())
    others = [
        session
        for session in alive
        if not supervisors.is_running_here(session) and not is_in_another_namespace(session.boot_id)
    ]
    if not others:
        return
    ids = [session.id for session in others]
    message = f"{_count_and_ids(ids)} recorded as running on {others[0].host}"
    if is_network_file_system(state.root):
        yield Finding("hosts", Level.NOTE, message, f"Run `hldctl doctor` on {others[0].host}.")
    else:
        yield Finding(
            "hosts",
            Level.ERROR,
            f"{message}, but the state directory is local: the machine was renamed",
            "Run `hldctl doctor --fix`: it takes them over.",
            lambda: _take_over(state, others),
        )


def _check_containers(state: StateDirectory, closed: Container[str]) -> Findings:
    """Check sessions that were launched on this machine, but in another container, or outside this one."""
    alive = sessions.needing_supervisor(sessions.ids_needing_supervisor())
    others = [session for session in alive if session.id not in closed and is_in_another_namespace(session.boot_id)]
    finished = [session for session in others if other_namespaces.is_over(session, state.session(session.id))]
    if finished:
        yield Finding(
            "containers",
            Level.ERROR,
            f"{_count_and_ids([each.id for each in finished])} launched in another container, where nothing of it runs",
            "Run `hldctl doctor --fix` to take them over, with everything they still have to start; or "
            "`hldctl rm --force` to delete them.",
            lambda: _take_over(state, finished),
        )
    supervised = [session for session in others if other_namespaces.is_supervised(session, state.session(session.id))]
    if supervised:
        yield Finding(
            "containers",
            Level.NOTE,
            f"{_count_and_ids([session.id for session in supervised])} running in another container",
            "They can be answered and interrupted from here.",
        )
    if alone := [session.id for session in others if session not in [*finished, *supervised]]:
        yield Finding(
            "containers",
            Level.WARNING,
            f"{_count_and_ids(alone)} running in another container, without a supervisor",
            "Run any hldctl command there.",
        )


def _take_over(state: StateDirectory, others: list[Session]) -> None:
    with open_database(state):
        sessions.move_to_host([session.id for session in others], os.uname().nodename)
    _adopt(state, [session.id for session in others])


def _check_journals(state: StateDirectory, closed: Container[str]) -> Findings:
    inconsistent = [
        progress
        for progress in integrity.progress()
        if progress.session_id not in closed and _is_inconsistent(progress, state.session(progress.session_id))
    ]
    whole = [
        progress.session_id
        for progress in inconsistent
        if _journal_size(state, progress.session_id) >= progress.journal_offset
    ]
    if whole:
        yield Finding(
            "events",
            Level.ERROR,
            f"{_count_and_ids(whole)} inconsistent with the journal",
            "Run `hldctl doctor --fix`: it reads the journal again.",
            lambda: _rebuild(state, whole),
        )
    if truncated := [progress.session_id for progress in inconsistent if progress.session_id not in whole]:
        yield Finding(
            "journals",
            Level.WARNING,
            f"{_count_and_ids(truncated)} recorded from a journal that is now shorter",
            "Something has truncated the journals. The database has the only copy of the rest and stays unchanged.",
        )


def _is_inconsistent(progress: integrity.Progress, files: SessionFiles) -> bool:
    if not progress.events == progress.last_event == progress.sequence:
        return True
    # A session that has not ended may be recorded right now; one without files cannot be replayed.
    return progress.has_ended and files.journal.exists() and files.journal.stat().st_size != progress.journal_offset


def _journal_size(state: StateDirectory, session_id: str) -> int:
    try:
        return state.session(session_id).journal.stat().st_size
    except FileNotFoundError:
        return -1


def _rebuild(state: StateDirectory, ids: list[str]) -> None:
    with open_database(state):
        for session_id in ids:
            session, files = sessions.get(session_id), state.session(session_id)
            if session is None:
                continue
            if session.completed_at is None:
                raise UnfitEnvironment(f"Session {session_id} is still running; try again when it has ended.")
            lock_fd = file_lock.acquire(files.lock, timeout=2.0)
            if lock_fd is None:
                raise UnfitEnvironment(f"Session {session_id} is being recorded; try again.")
            try:
                rebuild(session, files)
            finally:
                os.close(lock_fd)


def _check_rows(state: StateDirectory, closed: Container[str]) -> Findings:
    unknown = [session_id for session_id in supervisors.ids_with_files(state) if sessions.get(session_id) is None]
    unknown = [session_id for session_id in unknown if session_id not in closed]
    unknown = [session_id for session_id in unknown if _age(state.session(session_id)) > _LAUNCH_SECONDS]
    restorable = [session_id for session_id in unknown if session_record.can_restore(state.session(session_id))]
    if restorable:
        yield Finding(
            "lost rows",
            Level.ERROR,
            f"{_count_and_ids(restorable)} not in the database",
            "Run `hldctl doctor --fix`: it recreates the rows from the files.",
            lambda: _restore(state, restorable),
        )
    others = [session_id for session_id in unknown if session_id not in restorable]
    if empty := [session_id for session_id in others if _is_empty(state.session(session_id))]:
        yield Finding(
            "left-overs",
            Level.WARNING,
            f"{_count_and_ids(empty)} with a directory and nothing else: the launch was killed",
            "Run `hldctl doctor --fix`: it deletes them.",
            lambda: _remove(state, empty),
        )
    if unrestorable := sorted(set(others) - set(empty)):
        directories = ", ".join(str(state.session(session_id).directory) for session_id in unrestorable)
        yield Finding(
            "lost rows",
            Level.WARNING,
            f"{_count_and_ids(unrestorable)} not in the database, and without a session.json to recreate the rows from",
            f"Their journals are readable; delete what you do not need: {directories}.",
        )


def _is_empty(files: SessionFiles) -> bool:
    """Return whether the directory holds only files that a launch prepares, and no launch is using them."""
    launch_files = {
        files.prompt,
        files.lock,
        files.journal,
        files.errors,
        files.log,
        files.wake_signal,
        files.change_signal,
    }
    launch_files |= {
        files.mcp_config,
        files.agents,
        files.claude_settings,
        files.settings_with_hook,
        files.environment,
        files.arrival_times,
    }
    launch_files |= {files.system_prompt, files.append_system_prompt, files.session_record}
    launch_files |= {files.request, files.rehearsal, files.settings_for_rehearsal}
    launch_files |= {files.wake_answer, files.cgroup, files.settings_with_marks, files.input}
    has_output = any(path.exists() and path.stat().st_size for path in (files.journal, files.errors))
    present = {path for path in files.directory.iterdir() if path.suffix != ".tmp"}
    return not has_output and present <= launch_files and file_lock.is_free(files.lock)


def _age(files: SessionFiles) -> float:
    return time.time() - files.directory.stat().st_mtime


def _remove(state: StateDirectory, ids: list[str]) -> None:
    for session_id in ids:
        files = state.session(session_id)
        lock_fd = file_lock.acquire(files.lock, timeout=2.0)
        if lock_fd is None:
            raise UnfitEnvironment(f"Session {session_id} is still being launched; it was not deleted.")
        shutil.rmtree(files.directory)
        os.close(lock_fd)


def _restore(state: StateDirectory, ids: list[str]) -> None:
    # A supervisor that is alive writes to a database that is gone.
    supervisors.kill_supervisors(state, ids)
    with open_database(state):
        supervisors.restore_rows(state, ids)
        unrestorable = [session_id for session_id in ids if sessions.get(session_id) is None]
    if unrestorable:
        raise UnfitEnvironment(
            f"{_count_and_ids(unrestorable)} could not be restored; see supervisor.log in their directories."
        )


def _check_logs(state: StateDirectory, closed: Container[str]) -> Findings:
    with_errors = [
        session_id
        for session_id in supervisors.ids_with_files(state)
        if session_id not in closed and (log := state.session(session_id).log).exists() and log.stat().st_size
    ]
    if with_errors:
        newest = max(with_errors, key=lambda session_id: state.session(session_id).log.stat().st_mtime)
        yield Finding(
            "supervisor.log",
            Level.NOTE,
            f"{len(with_errors)} supervisor{'s' if len(with_errors) > 1 else ''} logged errors",
            f"The newest log is {state.session(newest).log}.",
        )


def _count_and_ids(ids: list[str]) -> str:
    listed = ", ".join(session_id[:8] for session_id in ids[:5]) + (", …" if len(ids) > 5 else "")
    return f"{len(ids)} session{'s' if len(ids) > 1 else ''} ({listed})"
