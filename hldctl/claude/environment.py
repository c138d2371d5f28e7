"""The environment of a Claude Code: its launcher's, less what an enclosing Claude Code set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hldctl.paths import COMMAND_TOKEN

# Seen in the tools of Claude Code 2.1.330. CLAUDE_CODE_* as a whole would take the user's own settings along.
_SET_BY_CLAUDE_CODE = frozenset(
    {
        "AI_AGENT",
        "CLAUDECODE",
        "CLAUDE_CODE_CHILD_NOTES_DIR",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_EXECPATH",
        "CLAUDE_CODE_MESSAGING_SOCKET",
        "CLAUDE_CODE_MESSAGING_TOKEN",
        "CLAUDE_CODE_SESSION_ATTENDED",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_EFFORT",
        "CLAUDE_PID",
    }
)


def for_session(
    launcher: Mapping[str, str], chosen: Mapping[str, str], *, session_id: str, run_id: str, state_directory: Path
) -> dict[str, str]:
    """`chosen` is what --env named; it wins over the launcher's.

    HLDCTL_SESSION_ID also marks each descendant, so that none can outlive an interrupt unseen.
    """
    dropped = _SET_BY_CLAUDE_CODE | _added_by_enclosing(launcher)
    environment = {name: value for name, value in launcher.items() if name not in dropped}
    environment |= chosen
    # It is for a command of the user's, and no tool may have it.
    environment.pop(COMMAND_TOKEN, None)
    return environment | marks(session_id=session_id, run_id=run_id, state_directory=state_directory)


def marks(*, session_id: str, run_id: str, state_directory: Path) -> dict[str, str]:
    """Return the variables that identify a session to its tools and to hldctl."""
    return {"HLDCTL_HOME": str(state_directory), "HLDCTL_SESSION_ID": session_id, "HLDCTL_RUN_ID": run_id}


def with_marks(settings: dict[str, Any] | None, marks: Mapping[str, str]) -> dict[str, Any]:
    """Return the user's settings with the marks in their `env`.

    The `env` of a project's and of the user's own settings files wins over the environment of Claude Code, that of
    --settings wins over both (2.1.331).
    """
    own = dict(settings or {})
    variables = own.get("env")
    return {**own, "env": {**(variables if isinstance(variables, dict) else {}), **marks}}


def _added_by_enclosing(launcher: Mapping[str, str]) -> set[str]:
    """The CLAUDE_* variables that an enclosing Claude Code has given its tools but not been given itself."""
    pid = launcher.get("CLAUDE_PID", "")
    if "CLAUDECODE" not in launcher or not pid.isdecimal():
        return set()
    try:
        own = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return set()
    if own == [b""]:
        # It is just being made, or has ended: nothing is known of it.
        return set()
    given = {entry.partition(b"=")[0].decode(errors="replace") for entry in own}
    return {name for name in launcher if name.startswith("CLAUDE_") and name not in given}
