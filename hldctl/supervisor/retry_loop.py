"""Retry after faults: a full disk, a database locked for too long, a bug."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import NoReturn, TypeVar

from hldctl.errors import NewerDatabase
from hldctl.paths import SessionFiles, StateDirectory
from hldctl.supervisor.command import build_supervisor_command
from hldctl.system import file_size_limit
from hldctl.system.error_log import log, log_exception

_FIRST_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 30.0

T = TypeVar("T")


def retry_until_success(
    files: SessionFiles, step: Callable[[], T], on_failure: Callable[[], None] = lambda: None
) -> T | None:
    """Return the result of `step`, retried until it succeeds; None if the session's files are gone.

    A supervisor that died of a fault would only make the next command start another one that dies of it. If the files
    are gone, the next command reports it. `on_failure` is called after each failure, to release processes that wait.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return step()
        except NewerDatabase:
            log_exception()
            _exec_adopt(files.directory.name)
        except Exception:
            if files.is_gone():
                _log_files_gone(files)
                return None
            # First, because the log itself may have little space left.
            _log_shortage(files)
            log_exception()
            on_failure()
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)


def _log_shortage(files: SessionFiles) -> None:
    """Log a file size limit, if one is the cause of an unclear database error."""
    with contextlib.suppress(OSError):
        if (shortage := file_size_limit.shortage(StateDirectory(files.directory.parents[1]).database)) is not None:
            log(shortage)


@cache
def _log_files_gone(files: SessionFiles) -> None:
    """Log once that the files are gone; the log can be read if it was moved and not deleted."""
    log(
        f"{files.directory} was deleted or moved, so this supervisor exits; Claude Code, if running, continues. "
        "If the directory was moved, the next command that uses the new location starts another supervisor."
    )


def _exec_adopt(session_id: str) -> NoReturn:
    """Replace this process with the hldctl that is now installed in place of this one, to adopt the session.

    If that one is not new enough either, it exits, and the next command of a newer one adopts the session.
    """
    os.execv(sys.executable, build_supervisor_command("adopt", session_id))
