"""Kills a supervisor at one step of its work, once per marker file: `HLDCTL_TEST_KILL_AT=FUNCTION:call|return[:TIME]`,
the first time it comes to it, or the second. With `HLDCTL_TEST_KILL_PROGRAM=hldctl` it kills a command.

Python imports a module of this name at its start. So the program under test is the program that users run, without a
line in it for the test's sake.
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
_met: list[str] = []


def _kill_at_step(frame: FrameType, event: str, argument: Any) -> None:
    function, moment, time, *_ = *_STEP.split(":"), "1"
    if event == moment and frame.f_code.co_qualname == function and "hldctl" in frame.f_code.co_filename:
        _met.append(_STEP)
        if len(_met) < int(time):
            return
        with contextlib.suppress(FileExistsError):
            # Exclusive: of several supervisors one dies.
            os.close(os.open(_MARKER, os.O_CREAT | os.O_EXCL))
            os.kill(os.getpid(), signal.SIGKILL)


if _STEP and "-m" in sys.orig_argv and _PROGRAM in sys.orig_argv:
    sys.setprofile(_kill_at_step)
