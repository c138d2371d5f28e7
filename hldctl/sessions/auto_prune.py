"""Automatic pruning, as configured: at most once a day, in the background of a launch."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

from hldctl.config.schema import Configuration
from hldctl.paths import STATE_VARIABLE, StateDirectory
from hldctl.private_files import PRIVATE_FILE

_DAY_SECONDS = 86_400


def prune_options(configured: Configuration) -> list[str]:
    """Return the options for `hldctl prune`; an empty list if automatic pruning is off."""
    if configured.prune is None:
        return []
    values = {"--older-than": configured.prune.get("older_than"), "--keep": configured.prune.get("keep")}
    return [argument for option, value in values.items() if value is not None for argument in (option, str(value))]


def start_if_due(state: StateDirectory, options: list[str]) -> None:
    """Start pruning in the background unless it ran in the last 24 hours. Errors go to its log only."""
    with contextlib.suppress(OSError):
        if options and not _has_run_today(state):
            _start(state, options)


def _start(state: StateDirectory, options: list[str]) -> None:
    log_fd = os.open(state.prune_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "hldctl", "prune", *options],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            env={**os.environ, "HLDCTL_SESSION_ID": "prune", STATE_VARIABLE: str(state.root)},
            start_new_session=True,
        )
    finally:
        os.close(log_fd)


def _has_run_today(state: StateDirectory) -> bool:
    try:
        return time.time() - state.prune_log.stat().st_mtime < _DAY_SECONDS
    except FileNotFoundError:
        return False
