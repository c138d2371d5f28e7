"""The Claude Code binary: its location, version and login."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from hldctl.claude.stream import text
from hldctl.errors import UnfitEnvironment

_STANDARD_PATHS = (
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
_TIMEOUT_SECONDS = 30

OLDEST_WITH_APPROVALS = (2, 1, 268)
"""The first version that runs the PermissionRequest hook with -p."""


def find_binary(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the binary to run. Raise UnfitEnvironment, with the locations searched, if there is none."""
    return locate_binary(environment)[0]


def locate_binary(environment: Mapping[str, str] = os.environ) -> tuple[Path, str]:
    """Return the binary to run, and how it was found. Raise UnfitEnvironment if there is none.

    The order is: $HLDCTL_CLAUDE, PATH, the standard locations, the binary in the package claude-agent-sdk, and last the
    PATH of a login shell, since this costs a shell's start.
    """
    if configured := environment.get("HLDCTL_CLAUDE"):
        return _configured_binary(configured, environment), "HLDCTL_CLAUDE"
    for candidate, source in _candidates(environment):
        if _is_program(candidate):
            return candidate, source
    raise UnfitEnvironment(
        "Claude Code was not found: not on PATH, not in "
        + ", ".join(_STANDARD_PATHS)
        + ", not in the claude-agent-sdk package, not on a login shell's PATH. "
        f"Install it (`{install_command()}` is enough), or set HLDCTL_CLAUDE to its path."
    )


def install_command(prefix: str = sys.prefix) -> str:
    """Return the command that installs Claude Code for the hldctl in this Python environment."""
    # pipx and uv keep an environment for hldctl alone, in which another `pip` installs nothing.
    if os.path.exists(os.path.join(prefix, "pipx_metadata.json")):
        return "pipx inject hldctl claude-agent-sdk"
    if os.path.exists(os.path.join(prefix, "uv-receipt.toml")):
        return "uv tool install hldctl --with claude-agent-sdk"
    if prefix != sys.base_prefix:
        return f"{os.path.join(prefix, 'bin', 'pip')} install claude-agent-sdk"
    return "pip install claude-agent-sdk"


def _configured_binary(configured: str, environment: Mapping[str, str]) -> Path:
    path = shutil.which(os.path.expanduser(configured), path=environment.get("PATH"))
    if path is None:
        raise UnfitEnvironment(
            f"HLDCTL_CLAUDE is {configured}, which is not an executable program; correct it or unset it."
        )
    return Path(path).absolute()


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for directory in environment.get("PATH", "").split(os.pathsep):
        if directory:
            yield Path(directory).absolute() / "claude", "PATH"
    for standard_path in _STANDARD_PATHS:
        yield Path(os.path.expanduser(standard_path)), "standard location"
    for path in _bundled_binaries():
        yield path, "claude-agent-sdk"
    for path in _login_shell_binaries(environment):
        yield path, "login shell"


def _is_program(path: Path) -> bool:
    # A project's own node_modules and the leftovers of an update are not the user's Claude Code (humanlayer 60d4cdc2).
    if "node_modules" in path.parts or path.suffix == ".bak":
        return False
    # Not Path.is_file(), which raises an error for a directory on PATH that may not be searched.
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _bundled_binaries() -> Iterator[Path]:
    # The package is located but not imported, which would take a second.
    spec = importlib.util.find_spec("claude_agent_sdk")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "_bundled" / "claude"


def _login_shell_binaries(environment: Mapping[str, str]) -> Iterator[Path]:
    shell = environment.get("SHELL", "/bin/sh")
    try:
        done = subprocess.run(
            [shell, "-lc", "command -v claude"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LOGIN_SHELL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return
    # The shell's profile may print other lines before the path.
    for line in reversed(done.stdout.decode(errors="replace").splitlines()):
        if line.startswith("/"):
            yield Path(line)
            return


def read_version(binary: Path) -> tuple[int, ...] | None:
    """Return the binary's version; None if it cannot be run or prints none."""
    output = _run(binary, "--version", environment=os.environ)
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", output or "")
    return tuple(map(int, match.groups())) if match else None


def read_login_method(binary: Path, environment: Mapping[str, str]) -> str | None:
    """Return the login method in this environment, or `none` if nobody is logged in; None if it is unknown."""
    try:
        status = json.loads(_run(binary, "auth", "status", environment=environment) or "")
        return text(status["authMethod"]) if status["loggedIn"] else "none"
    except (ValueError, KeyError, TypeError):
        return None


def _run(binary: Path, *arguments: str, environment: Mapping[str, str]) -> str | None:
    """Return the output of the binary; None if it cannot be run or takes too long."""
    try:
        done = subprocess.run(
            [binary, *arguments],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace")
