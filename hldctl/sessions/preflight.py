"""Checks of a launch before anything is made: the user's commands, and whether Claude Code would ask hldctl."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from hldctl.claude.binary import OLDEST_WITH_APPROVALS, version
from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory, write_private
from hldctl.protocol.launch_request import asks_by_hook
from hldctl.settings.permissions import Permissions

_PLAIN_WORD = re.compile(r"\s*(?:[A-Za-z_]\w*=[\w./:-]*\s+)*([\w./+~-]+)(?=\s|;|$)")
"""The first word of a simple command, behind assignments; anything that a shell would do something to is left to it."""
_LOOK = 'case $1 in "~/"*) set -- "$HOME/${1#\\~/}";; esac; command -v -- "$1" >/dev/null'


def require_command(option: str, command: str, working_dir: str) -> None:
    """Raises BadUsage for what no shell could run there: wrong words, or a command that does not exist."""
    if "\0" in command:
        raise BadUsage(f"{option} holds a NUL byte, which no command can.")
    # By standard input: every local user can read the arguments of a process.
    parsed = _sh("-n", working_dir=working_dir, script=f"{command}\n")
    if parsed.returncode != 0:
        raise BadUsage(f"{option} is no command that /bin/sh understands: {parsed.stderr.strip().splitlines()[-1]}.")
    word = _PLAIN_WORD.match(command)
    if word is not None and _sh("-c", _LOOK, "sh", word[1], working_dir=working_dir).returncode != 0:
        raise BadUsage(f"{option} begins with {word[1]}, which is no command here; name one on PATH, or its path.")


def _sh(*arguments: str, working_dir: str, script: str = "") -> subprocess.CompletedProcess[str]:
    expanded = os.path.expanduser(working_dir)
    # The directory may still have to be made, or be refused for other reasons.
    directory = expanded if os.path.isdir(expanded) and os.access(expanded, os.X_OK) else "/"
    return subprocess.run(
        ["/bin/sh", *arguments],
        input=script,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=directory,
        check=False,
    )


def require_settings(settings: ClaudeSettings) -> None:
    """Raises BadUsage where a rehearsal would not be one."""
    if _names_settings(settings):
        raise BadUsage("--settings behind -- would take the place of the rehearsal's; give it before --.")


def _names_settings(settings: ClaudeSettings) -> bool:
    return any(word.partition("=")[0] == "--settings" for word in settings.extra_arguments)


def require_hook(state: StateDirectory, claude_path: str, permissions: Permissions, settings: ClaudeSettings) -> None:
    """Raises BadUsage where something answers in place of the hook though somebody is to be asked, UnfitEnvironment for
    a Claude Code that would not ask: it would deny, and nobody would know.
    """
    if permissions.approvals and settings.permission_prompt_tool is not None:
        raise BadUsage("--permission-prompt-tool answers in place of hldctl; it does not go with --approvals.")
    if asks_by_hook(permissions, settings):
        _require_that_it_is_heeded(settings)
        _require_version(state, claude_path)


def _require_that_it_is_heeded(settings: ClaudeSettings) -> None:
    if _names_settings(settings):
        raise BadUsage(
            "--settings behind -- would take the place of the hook; give it before --, or say --no-approvals."
        )


def _require_version(state: StateDirectory, claude_path: str) -> None:
    told = _noted_version(state, claude_path)
    if told is None or told < OLDEST_WITH_APPROVALS:
        # The file may be a script that runs another one by now.
        told = _note_version(state, claude_path)
    if told is not None and told < OLDEST_WITH_APPROVALS:
        here, oldest = (".".join(map(str, numbers)) for numbers in (told, OLDEST_WITH_APPROVALS))
        raise UnfitEnvironment(
            f"Claude Code {here} at {claude_path} cannot ask for permission in the background, {oldest} can. "
            "Upgrade it, or launch with --no-approvals and without rules for permissions."
        )


def _noted_version(state: StateDirectory, claude_path: str) -> tuple[int, ...] | None:
    """As the binary said when last asked: asking takes longer than the rest of a launch. None if it is another now."""
    known = _noted(state.claude_version)
    version = known.get("version")
    if known.get("of") != _identity(claude_path) or not isinstance(version, list):
        return None
    return tuple(number for number in version if isinstance(number, int))


def _note_version(state: StateDirectory, claude_path: str) -> tuple[int, ...] | None:
    told = version(Path(claude_path))
    if told is not None:
        state.prepare()
        # A full disk is for the launch itself to report.
        with contextlib.suppress(OSError):
            noted = {"of": _identity(claude_path), "version": told}
            write_private(state.claude_version, json.dumps(noted).encode())
    return told


def _identity(claude_path: str) -> list[str | int]:
    try:
        status = os.stat(claude_path)
    except OSError as error:
        raise UnfitEnvironment(f"{claude_path} cannot be used: {error.strerror or error}.") from None
    return [claude_path, status.st_mtime_ns, status.st_size]


def _noted(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
