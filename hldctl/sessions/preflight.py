"""Checks before a launch: the user's commands, and whether Claude Code would ask hldctl for permission."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hldctl.claude.binary import OLDEST_WITH_APPROVALS, read_version
from hldctl.claude.settings import ClaudeSettings
from hldctl.errors import BadUsage, UnfitEnvironment
from hldctl.paths import StateDirectory
from hldctl.private_files import write_private
from hldctl.protocol.launch_request import needs_hook
from hldctl.settings.permissions import Permissions
from hldctl.user_commands.presets import PresetKind, parse_preset

# The first word of a simple command, after assignments. A word that a shell would expand is not checked.
_PLAIN_WORD = re.compile(r"\s*(?:[A-Za-z_]\w*=[\w./:-]*\s+)*([\w./+~-]+)(?=\s|;|$)")
_LOOKUP_SCRIPT = 'case $1 in "~/"*) set -- "$HOME/${1#\\~/}";; esac; command -v -- "$1" >/dev/null'


def require_command(option: str, command: str, working_dir: str) -> None:
    """Raise BadUsage if the command could not be run there, whether it is a preset or for /bin/sh."""
    if not require_preset(option, command):
        require_shell_command(option, command, working_dir)


def require_shell_command(option: str, command: str, working_dir: str) -> None:
    """Raise BadUsage if no shell could run the command there: wrong syntax, or a program that does not exist."""
    if "\0" in command:
        raise BadUsage(f"{option} contains a NUL byte, which a command cannot have.")
    # On standard input, because every local user can read the arguments of a process.
    parsed = _run_sh("-n", working_dir=working_dir, script=f"{command}\n")
    if parsed.returncode != 0:
        raise BadUsage(f"{option} is not a command that /bin/sh can parse: {parsed.stderr.strip().splitlines()[-1]}.")
    word = _PLAIN_WORD.match(command)
    if word is not None and _run_sh("-c", _LOOKUP_SCRIPT, "sh", word[1], working_dir=working_dir).returncode != 0:
        raise BadUsage(
            f"{option} begins with {word[1]}, which is not a command here; use one on PATH, or give its path."
        )


def require_preset(option: str, command: str) -> bool:
    """Return whether the command is a preset; raise BadUsage for one that cannot work here."""
    preset = parse_preset(command)
    if preset is None:
        if command.split()[:1] == ["webhook"]:
            raise BadUsage(f"{option} webhook needs a URL, as in webhook https://example.org/hook.")
        return False
    desktop = ("osascript",) if sys.platform == "darwin" else ("notify-send",)
    programs = {PresetKind.DESKTOP: desktop, PresetKind.MAIL: ("sendmail", "mail")}.get(preset.kind, ())
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/lib"))
    if programs and not any(shutil.which(program, path=path) for program in programs):
        raise BadUsage(
            f"{option} {preset.kind} needs the program {' or '.join(programs)}, which is not installed here."
        )
    return True


def _run_sh(*arguments: str, working_dir: str, script: str = "") -> subprocess.CompletedProcess[str]:
    expanded = os.path.expanduser(working_dir)
    # The directory may still have to be created, or be rejected for other reasons.
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


def require_rehearsal_settings(settings: ClaudeSettings) -> None:
    """Raise BadUsage if arguments for Claude Code would override the settings of a rehearsal."""
    if _has_settings_argument(settings):
        raise BadUsage("--settings after -- would replace the settings of the rehearsal; write it before --.")


def _has_settings_argument(settings: ClaudeSettings) -> bool:
    return any(word.partition("=")[0] == "--settings" for word in settings.extra_arguments)


def require_hook(state: StateDirectory, claude_path: str, permissions: Permissions, settings: ClaudeSettings) -> None:
    """Raise BadUsage if the options ask for permission but would bypass the hook.

    Raise UnfitEnvironment if Claude Code is too old to ask: it would deny each call without anybody knowing.
    """
    if permissions.approvals and settings.permission_prompt_tool is not None:
        raise BadUsage(
            "--permission-prompt-tool cannot be used with --approvals: it answers requests instead of hldctl."
        )
    if needs_hook(permissions, settings):
        _require_no_settings_argument(settings)
        _require_version(state, claude_path)


def _require_no_settings_argument(settings: ClaudeSettings) -> None:
    if _has_settings_argument(settings):
        raise BadUsage(
            "--settings after -- would replace the permission hook; write it before --, or add --no-approvals."
        )


def _require_version(state: StateDirectory, claude_path: str) -> None:
    found_version = _cached_version(state, claude_path)
    if found_version is None or found_version < OLDEST_WITH_APPROVALS:
        # The file may be a script that by now runs another version.
        found_version = _cache_version(state, claude_path)
    if found_version is not None and found_version < OLDEST_WITH_APPROVALS:
        here, oldest = (".".join(map(str, numbers)) for numbers in (found_version, OLDEST_WITH_APPROVALS))
        raise UnfitEnvironment(
            f"Claude Code {here} at {claude_path} cannot ask for permission in the background. "
            f"Upgrade it to {oldest} or later, or launch with --no-approvals and without permission rules."
        )


def _cached_version(state: StateDirectory, claude_path: str) -> tuple[int, ...] | None:
    """Return the cached version, None if the binary changed: running it takes longer than the rest of a launch."""
    entry = _read_object(state.claude_version)
    version = entry.get("version")
    if entry.get("of") != _identity(claude_path) or not isinstance(version, list):
        return None
    return tuple(number for number in version if isinstance(number, int))


def _cache_version(state: StateDirectory, claude_path: str) -> tuple[int, ...] | None:
    found_version = read_version(Path(claude_path))
    if found_version is not None:
        state.prepare()
        # The launch itself reports a full disk.
        with contextlib.suppress(OSError):
            entry = {"of": _identity(claude_path), "version": found_version}
            write_private(state.claude_version, json.dumps(entry).encode())
    return found_version


def _identity(claude_path: str) -> list[str | int]:
    try:
        status = os.stat(claude_path)
    except OSError as error:
        raise UnfitEnvironment(f"{claude_path} cannot be used: {error.strerror or error}.") from None
    return [claude_path, status.st_mtime_ns, status.st_size]


def _read_object(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
