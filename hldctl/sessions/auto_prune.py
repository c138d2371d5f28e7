"""Pruning as the configuration says, at most once a day, beside a launch."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time

from hldctl.config.schema import Configuration
from hldctl.paths import PRIVATE_FILE, StateDirectory

_DAY_SECONDS = 86_400


def options(configured: Configuration) -> list[str]:
    """Those of `prune`, none if nothing is to be pruned."""
    if configured.prune is None:
        return []
    said = {"--older-than": configured.prune.get("older_than"), "--keep": configured.prune.get("keep")}
    return [word for option, value in said.items() if value is not None for word in (option, str(value))]


def start_if_due(state: StateDirectory, options: list[str]) -> None:
    """Nobody waits for it; what goes wrong is in its log, and no reason for the launch to fail."""
    with contextlib.suppress(OSError):
        if options and not _was_done_today(state):
            _start(state, options)


def _start(state: StateDirectory, options: list[str]) -> None:
    log = os.open(state.prune_log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        subprocess.Popen(
            [sys.executable, "-P", "-m", "hldctl", "prune", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "HLDCTL_SESSION_ID": "prune"},
            start_new_session=True,
        )
    finally:
        os.close(log)


def _was_done_today(state: StateDirectory) -> bool:
    try:
        return time.time() - state.prune_log.stat().st_mtime < _DAY_SECONDS
    except FileNotFoundError:
        return False
