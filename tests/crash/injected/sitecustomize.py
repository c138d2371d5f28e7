"""Kill a supervisor at a given step, once per marker file.

`HLDCTL_TEST_KILL_AT=FUNCTION:call|return[:N]` names the step: the N-th call of the function or return from it, by
default the first. With `HLDCTL_TEST_KILL_PROGRAM=hldctl` a command is killed instead.

Python imports a module of this name at its start, so the program under test is the one that users run, without any
code for tests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from types import FrameType
from typing import Any

_STEP = os.environ.get("HLDCTL_TEST_KILL_AT", "")
_PROGRAM = os.environ.get("HLDCTL_TEST_KILL_PROGRAM", "hldctl.supervisor")
_MARKER = os.environ.get("HLDCTL_TEST_KILL_MARKER", "")
_reached: list[str] = []


def _kill_at_step(frame: FrameType, event: str, argument: Any) -> None:
    function, step_event, count, *_ = *_STEP.split(":"), "1"
    if event == step_event and frame.f_code.co_qualname == function and "hldctl" in frame.f_code.co_filename:
        _reached.append(_STEP)
        if len(_reached) < int(count):
            return
        with contextlib.suppress(FileExistsError):
            # O_EXCL: only one of several supervisors is killed.
            os.close(os.open(_MARKER, os.O_CREAT | os.O_EXCL))
            os.kill(os.getpid(), signal.SIGKILL)


if _STEP and "-m" in sys.orig_argv and _PROGRAM in sys.orig_argv:
    sys.setprofile(_kill_at_step)
