"""What a Claude Code binary says of itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hldctl.claude.stream import text

OLDEST_WITH_APPROVALS = (2, 1, 268)
"""Before it, the PermissionRequest hook was not run under -p."""
_SECONDS = 30


def version(binary: Path) -> tuple[int, ...] | None:
    """None where it cannot be run, or names none."""
    answer = _ask(binary, "--version", environment=os.environ)
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", answer or "")
    return tuple(map(int, found.groups())) if found else None


def login(binary: Path, environment: Mapping[str, str]) -> str | None:
    """By which method somebody is logged in with that environment, `none` if nobody is; None where it is not told."""
    try:
        status = json.loads(_ask(binary, "auth", "status", environment=environment) or "")
        return text(status["authMethod"]) if status["loggedIn"] else "none"
    except (ValueError, KeyError, TypeError):
        return None


def _ask(binary: Path, *arguments: str, environment: Mapping[str, str]) -> str | None:
    try:
        answer = subprocess.run(
            [binary, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode(errors="replace")
