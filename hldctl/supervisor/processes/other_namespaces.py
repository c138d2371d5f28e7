"""Sessions in another PID namespace of this machine, such as a container, seen from outside.

Their pids mean nothing here, but their locks do, since the kernel holds them. A supervisor holds its session's lock,
and Claude Code its journal's lock while its standard output is open.
"""

from __future__ import annotations

import os

from hldctl.paths import SessionFiles
from hldctl.store.session import Session
from hldctl.system import file_lock
from hldctl.system.processes import is_in_another_namespace


def is_supervised(session: Session, files: SessionFiles) -> bool:
    """Return whether a session in another namespace has a supervisor there, which acts on requests recorded here."""
    return is_in_another_namespace(session.boot_id) and not file_lock.is_free(files.lock)


def is_over(session: Session, files: SessionFiles) -> bool:
    """Return whether a session in another namespace has neither a supervisor nor a Claude Code any more."""
    return (
        is_in_another_namespace(session.boot_id)
        and files.journal.exists()
        and file_lock.is_free(files.lock)
        and file_lock.is_free(files.journal)
    )


def may_conclude(session: Session, files: SessionFiles) -> bool:
    """Return whether only the end of a session in another namespace is left to be recorded.

    If it may still start something (Claude Code, a command at the end), return False: here it would run outside its
    container. Also return False for sessions launched on another machine.
    """
    if session.host != os.uname().nodename or session.pid is None or session.completed_at is not None:
        return False
    has_commands = session.on_end is not None or session.check_command is not None
    starts_more = has_commands or session.retries or session.wait_for_reset
    return not starts_more and is_over(session, files)


def advice(session: Session, files: SessionFiles) -> str:
    """Return what a user can do about a session in another namespace, as the end of a sentence; empty for others."""
    if not is_in_another_namespace(session.boot_id) or session.completed_at is not None:
        return ""
    if is_supervised(session, files):
        return "in another container; it can be answered and interrupted from here"
    if is_over(session, files):
        return (
            "nowhere: it was launched in another container, where it has no process left; `hldctl doctor --fix` adopts"
            " it, `hldctl rm --force` removes it"
        )
    return "in another container, without a supervisor; run any hldctl command there"
