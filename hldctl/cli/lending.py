"""Giving the terminal to another program for a while."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from hldctl.cli.undisturbed import undisturbed

_LEAVING_SECONDS = 5.0


def run(command: Sequence[str]) -> int:
    """Its exit code. Ctrl-C is its own; whoever ends us ends it as well, so that it puts the terminal back."""
    former = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        process = subprocess.Popen(command)
        try:
            return process.wait()
        except BaseException:
            with undisturbed():
                _end(process)
            raise
    finally:
        signal.signal(signal.SIGINT, former)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_LEAVING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
