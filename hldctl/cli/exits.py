"""What the exit codes mean, in words for a user."""

from __future__ import annotations

from hldctl.errors import ExitCode

MEANINGS = {
    ExitCode.DONE: "Done; for a session that was waited for: completed.",
    ExitCode.FAILED: "The session that was waited for failed.",
    ExitCode.USAGE: "Wrong usage.",
    ExitCode.NO_SUCH_SESSION: "No such session, or an ambiguous prefix.",
    ExitCode.WRONG_STATE: "The session's state does not allow it.",
    ExitCode.ENVIRONMENT: "The environment does not allow it: no Claude Code, or a state directory or database that "
    "cannot be used.",
    ExitCode.UNWRITABLE: "The session was started, or has completed, but standard output cannot be written.",
    ExitCode.TIMED_OUT: "A timeout ended it.",
    ExitCode.INTERRUPTED: "It was interrupted.",
}
