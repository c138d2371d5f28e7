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
    )


def _password_file_home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        # The password file does not list this user, as in a container.
        return ""
