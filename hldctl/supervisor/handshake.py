"""Answering whoever started this process: once, and then all that was inherited is let go of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from hldctl.errors import HldctlError
from hldctl.protocol.launch_report import Report


class Answer:
    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._given = False
        self.sharing: Sequence[str] = ()
        """Other sessions that work in the same directory."""

    def accept(self) -> None:
        self._give(Report(self._session_id, sharing=self.sharing))

    def queue(self) -> None:
        self._give(Report(self._session_id, is_queued=True, sharing=self.sharing))

    def defer(self, running: str) -> None:
        """To another session, of the same name."""
        self._give(Report(self._session_id, running=running))

    def refuse(self, error: HldctlError) -> None:
        self._give(Report(self._session_id, str(error), error.exit_code))

    def _give(self, report: Report) -> None:
        if not self._given:
            self._given = True
            _send(report)
            _let_go()


def _send(report: Report) -> None:
    # Whoever asked may have gone; the session goes on.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, report.to_bytes())


def _let_go() -> None:
    """Closes what would make `$(hldctl launch …)`, ssh or a CI step wait for this process."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
