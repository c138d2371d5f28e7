"""The directories in which a session may edit by rule.

The hook imports this module only for a tool that edits.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping

from hldctl.claude.edit_rules import Area
from hldctl.store.approvals import SessionSettings


def session_area(settings: SessionSettings, home: str, environment: Mapping[str, str] = os.environ) -> Area:
    """Return the session's directories without those of hldctl and Claude Code; `home` is the state directory.

    A project's settings may have changed the environment, so it is used only to exclude directories.
    """
    homes = tuple(path for path in (environment.get("HOME", ""), _password_file_home()) if path.startswith("/"))
    config_directories = (environment.get("XDG_CONFIG_HOME", ""), *(f"{path}/.config" for path in homes))
    excluded = (home, environment.get("CLAUDE_CONFIG_DIR", ""), *(f"{path}/hldctl" for path in config_directories))
    return Area(
        directories=(settings.working_dir, *json.loads(settings.additional_directories)),
        excluded=tuple(path for path in excluded if path.startswith("/")),
        homes=homes,
        worktree=_own_worktree(settings.working_dir, home),
    )


def _own_worktree(working_dir: str, home: str) -> str | None:
    """Return the worktree in the state directory that the session works in: worktrees/REPOSITORY/NAME."""
    worktrees = f"{home}/worktrees/"
    names = working_dir.removeprefix(worktrees).split("/")
    is_one = working_dir.startswith(worktrees) and len(names) > 1 and not {"", ".", ".."} & {*names}
    return worktrees + "/".join(names[:2]) if is_one else None


def _password_file_home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        # The password file does not list this user, as in a container.
        return ""
