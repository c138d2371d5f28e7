"""Waiting out the faults of the machine: a full disk, a database locked for too long, a fault of ours."""

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
from hldctl.supervisor.command import command
from hldctl.system import file_size_limit
from hldctl.system.error_log import log, log_trouble

_RETRY_SECONDS = 1.0
_LONGEST_RETRY_SECONDS = 30.0

T = TypeVar("T")


def persist(files: SessionFiles, step: Callable[[], T], when_stuck: Callable[[], None] = lambda: None) -> T | None:
    """What `step` gives, tried until it succeeds: to die of a fault would only make the next command start another
    supervisor that dies of it. None once the session's files are gone: the next command says so of the session.

    `when_stuck` lets go of whoever waits meanwhile.
    """
    pause = _RETRY_SECONDS
    while True:
        try:
            return step()
        except NewerDatabase:
            log_trouble()
            _hand_over(files.directory.name)
        except Exception:
            if files.is_gone():
                _log_that_it_is_gone(files)
                return None
            # First: the log itself may have little room left.
            _log_shortage(files)
            log_trouble()
            when_stuck()
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_RETRY_SECONDS)


def _log_shortage(files: SessionFiles) -> None:
    """Names the cause that an error of the database hides."""
    with contextlib.suppress(OSError):
        if (complaint := file_size_limit.shortage(StateDirectory(files.directory.parents[1]).database)) is not None:
            log(complaint)


@cache
def _log_that_it_is_gone(files: SessionFiles) -> None:
    """Once, in the log if that was moved and not deleted."""
    log(
        f"{files.directory} was deleted or moved, so this supervisor ends; Claude Code, if it runs, goes on. "
        "The next command in the directory that it was moved to starts another supervisor."
    )


def _hand_over(session_id: str) -> NoReturn:
    """To the hldctl that has been installed in place of this one meanwhile, in this very process.

    Should it be no newer after all it leaves, and the next command of the newer one adopts the session.
    """
    os.execv(sys.executable, command("adopt", session_id))
