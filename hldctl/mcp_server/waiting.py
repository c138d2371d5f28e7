"""Long waits of a tool: in steps, so that they can report progress and be cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from hldctl.errors import TimedOut

_STEP_SECONDS = 1.0
# A progress report each second would fill the client's log.
_REPORT_SECONDS = 5.0

T = TypeVar("T")


class Cancelled(Exception):
    """The client has cancelled the call."""


@dataclass
class Call:
    """A call of a tool: how it reports, and whether it was cancelled."""

    report: Callable[[float, str], None]
    """Called with the seconds so far and what the session is doing."""
    cancelled: threading.Event = field(default_factory=threading.Event)


def wait_in_steps(
    call: Call, timeout_seconds: float | None, wait: Callable[[float], T], doing: Callable[[], str]
) -> T | None:
    """Return what `wait` returns, called with the seconds that it may take, until it raises no TimedOut.

    Return None after the timeout. `doing` returns the text of a report. Raise Cancelled once the call was cancelled.
    """
    started = reported = time.monotonic()
    while True:
        now = time.monotonic()
        rest = _STEP_SECONDS if timeout_seconds is None else min(_STEP_SECONDS, started + timeout_seconds - now)
        try:
            return wait(max(0.0, rest))
        except TimedOut:
            now = time.monotonic()
        if call.cancelled.is_set():
            raise Cancelled
        if timeout_seconds is not None and now >= started + timeout_seconds:
            return None
        if now >= reported + _REPORT_SECONDS:
            reported = now
            call.report(now - started, doing())
