"""Whether what is recorded of each session agrees with its files and its processes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Container

from hldctl.doctor.check import Finding, Findings, Level, fine
from hldctl.doctor.machine import is_of_network
from hldctl.errors import HldctlError, UnfitEnvironment
from hldctl.ingest import session_record
from hldctl.ingest.replay import rebuild
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.sessions import supervisor_health, supervisors
from hldctl.store import sessions
from hldctl.store.database import opened, reading
from hldctl.store.recovery import integrity
from hldctl.store.session import Session
from hldctl.supervisor import other_namespaces
from hldctl.system import file_lock
from hldctl.system.processes import is_of_another_namespace

_ANSWER_SECONDS = 10.0
"""How long a supervisor may take to answer."""
_YOUNG_SECONDS = 60.0
"""A directory may wait for its row so long: it is just being launched."""


def examine(state: StateDirectory) -> Findings:
    closed = {session_id for session_id in supervisors.ids_with_files(state) if _is_closed(state.session(session_id))}
    if closed:
        yield Finding(
            "session directories",
            Level.ERROR,
            f"{_named(sorted(closed))} in directories of another user, or closed to this one",
            f"Give them back: `chown -R` and `chmod -R u+rwX` in {state.sessions}.",
        )
    try:
        with reading(state):
            found = [*_unsupervised(state, closed), *_unanswering(state, closed), *_of_other_hosts(state)]
            found += [*_of_other_namespaces(state, closed), *_torn(state, closed), *_without_row(state, closed)]
            count = len(list(integrity.progress()))
    except (HldctlError, ValueError, TypeError, LookupError, AttributeError):
        # The database, of which more has been said.
        return
    yield from found or [fine("sessions", f"{count} recorded, as their journals say")]
    yield from _logs(state, closed)


def _is_closed(files: SessionFiles) -> bool:
    """Return whether the session's directory is another user's, or cannot be looked into."""
    try:
        files.require_own_directory()
    except (HldctlError, OSError):
        return True
    return not os.access(files.directory, os.R_OK | os.W_OK | os.X_OK)


def _unsupervised(state: StateDirectory, closed: Container[str]) -> Findings:
    ids = [
        session.id
        for session in sessions.not_ended(sessions.alive())
        if session.id not in closed
        and supervisors.is_here(session)
        and file_lock.is_free(state.session(session.id).lock)
    ]
    if ids:
        yield Finding(
            "supervisors",
            Level.ERROR,
            f"{_named(ids)} not ended and without a supervisor",
            "Any hldctl command that reads starts another.",
            lambda: _adopt(state, ids),
        )


def _unanswering(state: StateDirectory, closed: Container[str]) -> Findings:
    alive = [session_id for session_id in supervisors.alive_here() if session_id not in closed]
    ids = supervisor_health.unanswering(state, alive, _ANSWER_SECONDS)
    if ids:
        yield Finding(
            "supervisors",
            Level.ERROR,
            f"{_named(ids)} with a supervisor that does not answer: it is stopped, hangs or cannot write",
            "Run `hldctl doctor --fix`: it replaces the supervisor, which leaves Claude Code alone.",
            lambda: _replace(state, ids),
        )


def _replace(state: StateDirectory, ids: list[str]) -> None:
    with opened(state):
        supervisors.replace(state, ids)
        silent = supervisor_health.unanswering(state, ids, _ANSWER_SECONDS)
    if silent:
        raise UnfitEnvironment(f"No supervisor of {_named(silent)} answers; see supervisor.log in their directories.")


def _adopt(state: StateDirectory, ids: list[str]) -> None:
    with opened(state):
        supervisors.adopt_lost(state, ids)
        alone = [session.id for session in sessions.not_ended(ids) if file_lock.is_free(state.session(session.id).lock)]
    if alone:
        raise UnfitEnvironment(f"No supervisor stays with {_named(alone)}; see supervisor.log in their directories.")


def _of_other_hosts(state: StateDirectory) -> Findings:
    alive = sessions.not_ended(sessions.alive())
    others = [
        session
        for session in alive
        if not supervisors.is_here(session) and not is_of_another_namespace(session.boot_id)
    ]
    if not others:
        return
    ids = [session.id for session in others]
    message = f"{_named(ids)} recorded as running on {others[0].host}"
    if is_of_network(state.root):
        yield Finding("hosts", Level.NOTE, message, "Look after them there.")
    else:
        yield Finding(
            "hosts",
            Level.ERROR,
            f"{message}, but this directory is local: the machine was renamed",
            "Run `hldctl doctor --fix`: it takes them over.",
            lambda: _take_over(state, others),
        )


def _of_other_namespaces(state: StateDirectory, closed: Container[str]) -> Findings:
    """Of sessions that were launched on this machine, but in another container, or outside of this one."""
    alive = sessions.unattended(sessions.to_be_attended())
    others = [session for session in alive if session.id not in closed and is_of_another_namespace(session.boot_id)]
    over = [session for session in others if other_namespaces.is_over(session, state.session(session.id))]
    if over:
        yield Finding(
            "containers",
            Level.ERROR,
            f"{_named([session.id for session in over])} launched in another container, where nothing of it is left",
            "`hldctl doctor --fix` takes them over, with all that they have still to start; `hldctl rm --force` removes"
            " them.",
            lambda: _take_over(state, over),
        )
    supervised = [session for session in others if other_namespaces.is_supervised(session, state.session(session.id))]
    if supervised:
        yield Finding(
            "containers",
            Level.NOTE,
            f"{_named([session.id for session in supervised])} running in another container",
            "They can be answered and interrupted from here.",
        )
    if alone := [session.id for session in others if session not in [*over, *supervised]]:
        yield Finding(
            "containers",
            Level.WARNING,
            f"{_named(alone)} running in another container, without a supervisor",
            "Run any hldctl command there.",
        )


def _take_over(state: StateDirectory, others: list[Session]) -> None:
    with opened(state):
        sessions.move_to_host([session.id for session in others], os.uname().nodename)
    _adopt(state, [session.id for session in others])


def _torn(state: StateDirectory, closed: Container[str]) -> Findings:
    torn = [
        known
        for known in integrity.progress()
        if known.session_id not in closed and _is_torn(known, state.session(known.session_id))
    ]
    whole = [known.session_id for known in torn if _journal_size(state, known.session_id) >= known.journal_offset]
    if whole:
        yield Finding(
            "events",
            Level.ERROR,
            f"{_named(whole)} recorded otherwise than in the journal",
            "Run `hldctl doctor --fix`: it folds the journal again.",
            lambda: _rebuild(state, whole),
        )
    if cut := [known.session_id for known in torn if known.session_id not in whole]:
        yield Finding(
            "journals",
            Level.WARNING,
            f"{_named(cut)} recorded from more than their journals hold by now",
            "Something has cut the journals short; what is recorded is all that there is, and is left as it is.",
        )


def _is_torn(known: integrity.Progress, files: SessionFiles) -> bool:
    if not known.events == known.last_event == known.sequence:
        return True
    # One that has not ended may be being recorded at this moment; of one without files nothing can be folded again.
    return known.has_ended and files.journal.exists() and files.journal.stat().st_size != known.journal_offset


def _journal_size(state: StateDirectory, session_id: str) -> int:
    try:
        return state.session(session_id).journal.stat().st_size
    except FileNotFoundError:
        return -1


def _rebuild(state: StateDirectory, ids: list[str]) -> None:
    with opened(state):
        for session_id in ids:
            session, files = sessions.get(session_id), state.session(session_id)
            if session is None:
                continue
            if session.completed_at is None:
                raise UnfitEnvironment(f"Session {session_id} still runs; try again when it has ended.")
            held = file_lock.acquire(files.lock, timeout=2.0)
            if held is None:
                raise UnfitEnvironment(f"Session {session_id} is being recorded; try again.")
            try:
                rebuild(session, files)
            finally:
                os.close(held)


def _without_row(state: StateDirectory, closed: Container[str]) -> Findings:
    unknown = [session_id for session_id in supervisors.ids_with_files(state) if sessions.get(session_id) is None]
    unknown = [session_id for session_id in unknown if session_id not in closed]
    unknown = [session_id for session_id in unknown if _age(state.session(session_id)) > _YOUNG_SECONDS]
    known = [session_id for session_id in unknown if session_record.is_kept(state.session(session_id))]
    if known:
        yield Finding(
            "lost rows",
            Level.ERROR,
            f"{_named(known)} not in the database",
            "Run `hldctl doctor --fix`: it records them again from their files.",
            lambda: _restore(state, known),
        )
    others = [session_id for session_id in unknown if session_id not in known]
    if empty := [session_id for session_id in others if _is_empty(state.session(session_id))]:
        yield Finding(
            "left-overs",
            Level.WARNING,
            f"{_named(empty)} a directory and nothing else: the launch was killed",
            "Run `hldctl doctor --fix`: it removes them.",
            lambda: _remove(state, empty),
        )
    if lost := sorted(set(others) - set(empty)):
        directories = ", ".join(str(state.session(session_id).directory) for session_id in lost)
        yield Finding(
            "lost rows",
            Level.WARNING,
            f"{_named(lost)} not in the database, nor is there a session.json to record them from",
            f"Their journals can be read; remove what you do not need: {directories}.",
        )


def _is_empty(files: SessionFiles) -> bool:
    """Whether there is nothing but a launch's preparations, and nobody at them."""
    prepared = {
        files.prompt,
        files.lock,
        files.journal,
        files.errors,
        files.log,
        files.wake_signal,
        files.change_signal,
    }
    prepared |= {
        files.mcp_config,
        files.claude_settings,
        files.settings_with_hook,
        files.environment,
        files.arrival_times,
    }
    prepared |= {files.system_prompt, files.append_system_prompt, files.session_record}
    prepared |= {files.request, files.rehearsal, files.settings_for_rehearsal}
    prepared |= {files.wake_answer, files.cgroup, files.settings_with_marks}
    written = any(path.exists() and path.stat().st_size for path in (files.journal, files.errors))
    present = {path for path in files.directory.iterdir() if path.suffix != ".tmp"}
    return not written and present <= prepared and file_lock.is_free(files.lock)


def _age(files: SessionFiles) -> float:
    return time.time() - files.directory.stat().st_mtime


def _remove(state: StateDirectory, ids: list[str]) -> None:
    for session_id in ids:
        files = state.session(session_id)
        held = file_lock.acquire(files.lock, timeout=2.0)
        if held is None:
            raise UnfitEnvironment(f"Session {session_id} is being launched after all; it is left alone.")
        shutil.rmtree(files.directory)
        os.close(held)


def _restore(state: StateDirectory, ids: list[str]) -> None:
    # One that lives records into a database that is gone.
    supervisors.end(state, ids)
    with opened(state):
        supervisors.restore(state, ids)
        lost = [session_id for session_id in ids if sessions.get(session_id) is None]
    if lost:
        raise UnfitEnvironment(f"{_named(lost)} could not be recorded again; see supervisor.log in their directories.")


def _logs(state: StateDirectory, closed: Container[str]) -> Findings:
    with_words = [
        session_id
        for session_id in supervisors.ids_with_files(state)
        if session_id not in closed and (log := state.session(session_id).log).exists() and log.stat().st_size
    ]
    if with_words:
        newest = max(with_words, key=lambda session_id: state.session(session_id).log.stat().st_mtime)
        yield Finding(
            "supervisor.log",
            Level.NOTE,
            f"{len(with_words)} supervisors had something to say",
            f"The newest is {state.session(newest).log}.",
        )


def _named(ids: list[str]) -> str:
    shown = ", ".join(session_id[:8] for session_id in ids[:5]) + (", …" if len(ids) > 5 else "")
    return f"{len(ids)} session{'s' if len(ids) > 1 else ''} ({shown})"
