"""Where a session may edit by rule.

Imported by the hook only for a call that edits.
"""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping

from hldctl.claude.edit_rules import Area
from hldctl.store.approvals import SessionSettings


def area(settings: SessionSettings, home: str, environment: Mapping[str, str] = os.environ) -> Area:
    """Return the session's directories without what hldctl and Claude Code keep there; `home` is the state directory.

    The environment may be one that a project's settings have changed: it adds places to keep out of, no others.
    """
    homes = tuple(path for path in (environment.get("HOME", ""), _users_home()) if path.startswith("/"))
    configurations = (environment.get("XDG_CONFIG_HOME", ""), *(f"{path}/.config" for path in homes))
    kept = (home, environment.get("CLAUDE_CONFIG_DIR", ""), *(f"{path}/hldctl" for path in configurations))
    return Area(
        directories=(settings.working_dir, *json.loads(settings.additional_directories)),
        kept=tuple(path for path in kept if path.startswith("/")),
        homes=homes,
    )


def _users_home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        # Of a user that no password file knows, as in a container.
        return ""
