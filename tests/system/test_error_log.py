from __future__ import annotations

import re
import subprocess
import sys

import pytest

from hldctl.system.error_log import log_exception

TIME_AND_TRACEBACK = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\nTraceback \(most recent call last\):\n(.*\n)+%s\n"


def test_a_handled_exception_is_logged_after_the_time(capfd: pytest.CaptureFixture[str]) -> None:
    for message in ("first", "second"):
        try:
            raise ValueError(message)
        except ValueError:
            log_exception()
        assert re.fullmatch(TIME_AND_TRACEBACK % f"ValueError: {message}", capfd.readouterr().err)


def test_an_uncaught_exception_is_logged_after_the_time() -> None:
    program = "from hldctl.system import error_log; error_log.log_uncaught_exceptions(); raise ValueError('uncaught')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(TIME_AND_TRACEBACK % "ValueError: uncaught", done.stderr)


def test_a_log_that_cannot_be_written_raises_nothing() -> None:
    # Left like a supervisor: Python itself exits with 120 if it cannot flush standard error.
    program = (
        "import os; from hldctl.system import error_log as e; os.close(2); e.log('x'); e.log_exception(); os._exit(0)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
