"""The reply to the command that started this process: sent once, after which inherited streams are closed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from hldctl.errors import HldctlError
from hldctl.protocol.launch_report import LaunchReport
from hldctl.states import WaitReason


class Handshake:
    """A reply that is sent once; later calls do nothing."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._is_sent = False
        self.sharing: Sequence[str] = ()
        """Other sessions that work in the same directory."""
        self.reduced: Sequence[str] = ()
        """What the session has in place of settings that its launcher may not give."""

    def accept(self) -> None:
        """Report success."""
        self._reply(LaunchReport(self._session_id, sharing=self.sharing, reduced=self.reduced))

    def queue(self, reason: WaitReason | None, limit_until: int | None = None) -> None:
        """Report that the session waits in the queue, for what, and until when if its account says so."""
        self._reply(
            LaunchReport(
                self._session_id,
                waiting_for=reason,
                limit_until=limit_until,
                sharing=self.sharing,
                reduced=self.reduced,
            )
        )

    def defer(self, running: str) -> None:
        """Report that the launch was skipped in favour of the running session of the same name."""
        self._reply(LaunchReport(self._session_id, running=running))

    def refuse(self, error: HldctlError) -> None:
        """Report failure, with the error's message and exit code."""
        self._reply(LaunchReport(self._session_id, str(error), error.exit_code))

    def _reply(self, report: LaunchReport) -> None:
        if not self._is_sent:
            self._is_sent = True
            _write_report(report)
            _detach()


def _write_report(report: LaunchReport) -> None:
    # The command may have exited; the session continues.
    with contextlib.suppress(BrokenPipeError):
        os.write(1, report.to_bytes())


def _detach() -> None:
    """Close the streams for which `$(hldctl launch …)`, ssh or a CI step would wait until this process ends."""
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(devnull, 1)
    os.close(devnull)
