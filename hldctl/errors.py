"""User-facing exceptions and their exit codes, which scripts rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_SUCH_SESSION = 3
    WRONG_STATE = 4
    ENVIRONMENT = 5
    UNWRITABLE = 6
    STILL_RUNNING = 7
    TIMED_OUT = 124
    INTERRUPTED = 130


class HldctlError(Exception):
    """An error whose message is a sentence for the user; it is never shown with a traceback."""

    exit_code: ExitCode = ExitCode.FAILED


class BadUsage(HldctlError):
    """An invalid command line or an invalid value."""

    exit_code = ExitCode.USAGE


class NoSuchSession(HldctlError):
    """A session reference that matches no session, or more than one."""

    exit_code = ExitCode.NO_SUCH_SESSION


class WrongState(HldctlError):
    """A request that the session's current state does not allow."""

    exit_code = ExitCode.WRONG_STATE


class UnfitEnvironment(HldctlError):
    """A missing Claude Code, or an unusable state directory or database."""

    exit_code = ExitCode.ENVIRONMENT


class TimedOut(HldctlError):
    """A wait that took longer than the user allowed."""

    exit_code = ExitCode.TIMED_OUT


class Interrupted(HldctlError):
    """A command that the user interrupted."""

    exit_code = ExitCode.INTERRUPTED


class DamagedDatabase(UnfitEnvironment):
    """A damaged database file; `doctor --fix` rebuilds it."""


class NewerDatabase(UnfitEnvironment):
    """A database written by a later version of hldctl."""


def error_from_exit_code(exit_code: int, message: str) -> HldctlError:
    """Return the error that another process reported by its exit code and message."""
    classes: tuple[type[HldctlError], ...] = (BadUsage, NoSuchSession, WrongState, UnfitEnvironment, Interrupted)
    return next((cls(message) for cls in classes if cls.exit_code == exit_code), HldctlError(message))
