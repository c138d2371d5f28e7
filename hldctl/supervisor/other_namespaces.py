"""Sessions of another PID namespace of this machine, such as a container's, seen from outside of it.

Their pids mean nothing here, but their locks do: they are the kernel's. A supervisor holds its session's lock, and a
Claude Code its journal's for as long as its standard output is open.
"""

from __future__ import annotations

import os

from hldctl.paths import SessionFiles
from hldctl.store.session import Session
from hldctl.system import file_lock
from hldctl.system.processes import is_of_another_namespace


def is_supervised(session: Session, files: SessionFiles) -> bool:
    """Whether a session of another namespace has a supervisor there, which acts on what is recorded from here."""
    return is_of_another_namespace(session.boot_id) and not file_lock.is_free(files.lock)


def is_over(session: Session, files: SessionFiles) -> bool:
    """Whether neither supervisor nor Claude Code of a session of another namespace runs any more."""
    return (
        is_of_another_namespace(session.boot_id)
        and files.journal.exists()
        and file_lock.is_free(files.lock)
        and file_lock.is_free(files.journal)
    )


def may_conclude(session: Session, files: SessionFiles) -> bool:
    """Whether all that is left to do for a session of another namespace is to record its end.

    What it has still to start (Claude Code, a command at the end) belongs there: here it would run outside of its
    container. So does all that another machine has launched.
    """
    if session.host != os.uname().nodename or session.pid is None or session.completed_at is not None:
        return False
    starts_more = session.on_end is not None or session.retries or session.wait_for_reset
    return not starts_more and is_over(session, files)


def advice(session: Session, files: SessionFiles) -> str:
    """Return what a user can do about a session of another namespace; empty for all others."""
    if not is_of_another_namespace(session.boot_id) or session.completed_at is not None:
        return ""
    if is_supervised(session, files):
        return "in another container; it can be answered and interrupted from here"
    if is_over(session, files):
        return (
            "nowhere: it was launched in another container, where nothing of it is left; `hldctl doctor --fix` takes it"
            " over, `hldctl rm --force` removes it"
        )
    return "in another container, without a supervisor; run any hldctl command there"
