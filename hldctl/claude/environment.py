"""Claude Code's environment: the launcher's, without the variables set by an enclosing Claude Code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hldctl.claude import input_messages
from hldctl.paths import COMMAND_TOKEN

# Seen in the tools of Claude Code 2.1.330. Removing all of CLAUDE_CODE_* would remove the user's own settings, too.
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


def session_environment(
    launcher: Mapping[str, str], chosen: Mapping[str, str], *, session_id: str, run_id: str, state_directory: Path
) -> dict[str, str]:
    """Return the environment of a session's Claude Code.

    `chosen` holds the variables given with --env, which override the launcher's. HLDCTL_SESSION_ID also marks each
    descendant process, so that an interrupt finds all of them.
    """
    dropped = _SET_BY_CLAUDE_CODE | _added_by_enclosing(launcher)
    environment = {name: value for name, value in launcher.items() if name not in dropped}
    environment |= chosen
    # The token is only for the user's commands; tools must not have it.
    environment.pop(COMMAND_TOKEN, None)
    environment |= input_messages.VARIABLES
    return environment | session_variables(session_id=session_id, run_id=run_id, state_directory=state_directory)


def session_variables(*, session_id: str, run_id: str, state_directory: Path) -> dict[str, str]:
    """Return the variables that identify a session to its tools and to hldctl."""
    return {"HLDCTL_HOME": str(state_directory), "HLDCTL_SESSION_ID": session_id, "HLDCTL_RUN_ID": run_id}


def add_session_variables(settings: dict[str, Any] | None, marks: Mapping[str, str]) -> dict[str, Any]:
    """Return the user's settings with the session's variables added to their `env`.

    The `env` in the settings files of a project and of the user overrides Claude Code's environment, and the `env` of
    --settings overrides both (2.1.331).
    """
    merged = dict(settings or {})
    variables = merged.get("env")
    return {**merged, "env": {**(variables if isinstance(variables, dict) else {}), **marks}}


def _added_by_enclosing(launcher: Mapping[str, str]) -> set[str]:
    """Return the CLAUDE_* variables that an enclosing Claude Code gives its tools but does not have itself."""
    pid = launcher.get("CLAUDE_PID", "")
    if "CLAUDECODE" not in launcher or not pid.isdecimal():
        return set()
    try:
        enclosing_variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return set()
    if enclosing_variables == [b""]:
        # The process is just being created, or has ended: its environment is unknown.
        return set()
    enclosing_names = {variable.partition(b"=")[0].decode(errors="replace") for variable in enclosing_variables}
    return {name for name in launcher if name.startswith("CLAUDE_") and name not in enclosing_names}
