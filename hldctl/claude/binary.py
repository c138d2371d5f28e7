"""Finding the Claude Code binary.

What a Claude Code binary says of itself."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from hldctl.claude.stream import text
from hldctl.errors import UnfitEnvironment

_USUAL_PLACES = (
    "~/.local/bin/claude",
    "~/.claude/local/claude",
    "~/.npm-global/bin/claude",
    "~/.bun/bin/claude",
    "~/.volta/bin/claude",
    "/opt/homebrew/bin/claude",
    "/usr/local/bin/claude",
    "/usr/bin/claude",
)
_LOGIN_SHELL_SECONDS = 5


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """The binary to run; raises UnfitEnvironment with the places that were searched."""
    return located(environment)[0]


def located(environment: Mapping[str, str] = os.environ) -> tuple[Path, str]:
    """The binary to run, and by what it was found.

    The order is: $HLDCTL_CLAUDE, PATH, the usual install places, the one that claude-agent-sdk brings, and last what a
    login shell finds, which costs a shell's start.
    """
    if chosen := environment.get("HLDCTL_CLAUDE"):
        return _chosen(chosen, environment), "HLDCTL_CLAUDE"
    for candidate, place in _candidates(environment):
        if _is_program(candidate):
            return candidate, place
    raise UnfitEnvironment(
        "No Claude Code was found: not on PATH, not in "
        + ", ".join(_USUAL_PLACES)
        + ", not in the claude-agent-sdk package, not on a login shell's PATH. "
        "Install it (pip install claude-agent-sdk is enough), or name it in HLDCTL_CLAUDE."
    )


def _chosen(chosen: str, environment: Mapping[str, str]) -> Path:
    found = shutil.which(os.path.expanduser(chosen), path=environment.get("PATH"))
    if found is None:
        raise UnfitEnvironment(
            f"HLDCTL_CLAUDE names {chosen}, which is no program that can be run; correct it or unset it."
        )
    return Path(found).absolute()


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for directory in environment.get("PATH", "").split(os.pathsep):
        if directory:
            yield Path(directory).absolute() / "claude", "PATH"
    for place in _USUAL_PLACES:
        yield Path(os.path.expanduser(place)), "usual place"
    for path in _bundled():
        yield path, "claude-agent-sdk"
    for path in _of_login_shell(environment):
        yield path, "login shell"


def _is_program(path: Path) -> bool:
    # A project's own node_modules and an update's left-overs are not the user's Claude Code (humanlayer 60d4cdc2).
    if "node_modules" in path.parts or path.suffix == ".bak":
        return False
    # Not Path.is_file(), which raises for a directory on PATH that may not be searched.
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _bundled() -> Iterator[Path]:
    # Never imported: that takes a second.
    spec = importlib.util.find_spec("claude_agent_sdk")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "_bundled" / "claude"


def _of_login_shell(environment: Mapping[str, str]) -> Iterator[Path]:
    shell = environment.get("SHELL", "/bin/sh")
    try:
        answer = subprocess.run(
            [shell, "-lc", "command -v claude"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOGIN_SHELL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    # A profile may print things of its own before the answer.
    for line in reversed(answer.stdout.decode(errors="replace").splitlines()):
        if line.startswith("/"):
            yield Path(line)
            return


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
