"""What a user can cause, each kind with the exit code that scripts rely on."""

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
    TIMED_OUT = 124
    INTERRUPTED = 130


class HldctlError(Exception):
    """An error with a sentence for the user; never shown with a traceback."""

    exit_code: ExitCode = ExitCode.FAILED


class BadUsage(HldctlError):
    """The command's words are wrong."""

    exit_code = ExitCode.USAGE


class NoSuchSession(HldctlError):
    """An id that names no session, or more than one."""

    exit_code = ExitCode.NO_SUCH_SESSION


class WrongState(HldctlError):
    """The session is in no state for this."""

    exit_code = ExitCode.WRONG_STATE


class UnfitEnvironment(HldctlError):
    """No Claude Code, or a state directory or database that cannot be used."""

    exit_code = ExitCode.ENVIRONMENT


class WasInterrupted(HldctlError):
    """Somebody stopped it before it was done."""

    exit_code = ExitCode.INTERRUPTED


class DamagedDatabase(UnfitEnvironment):
    """The database's file is not what hldctl wrote; `doctor --fix` rebuilds it."""


class NewerDatabase(UnfitEnvironment):
    """The database was written by a later hldctl than this one."""


def error_for(exit_code: int, message: str) -> HldctlError:
    """The error that another process reported by its exit code and sentence."""
    kinds: tuple[type[HldctlError], ...] = (BadUsage, NoSuchSession, WrongState, UnfitEnvironment, WasInterrupted)
    return next((kind(message) for kind in kinds if kind.exit_code == exit_code), HldctlError(message))
