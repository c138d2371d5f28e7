"""Presets in place of a command: a desktop notification, a mail, or a webhook."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

# A command with options, such as `mail -s Done me`, is not a preset.
_PRESET = re.compile(
    r"\s*(?:(?P<desktop>desktop)|(?P<mail>mail)(?:\s+(?P<address>[\w.%+][\w.%+@-]*))?"
    r"|(?P<webhook>webhook)\s+(?P<url>https?://[^\s'\"]+))\s*"
)
TARGET_VARIABLE = "HLDCTL_PRESET_TARGET"


class PresetKind(StrEnum):
    DESKTOP = "desktop"
    MAIL = "mail"
    WEBHOOK = "webhook"


class Preset(NamedTuple):
    """A way to send a notification, and the address or URL to which it goes; empty for the default."""

    kind: PresetKind
    target: str = ""


def parse_preset(command: str) -> Preset | None:
    """Return the preset that the command names, or None if it is a command for /bin/sh."""
    match = _PRESET.fullmatch(command)
    if match is None:
        return None
    kind = next(kind for kind in PresetKind if match[kind.value])
    return Preset(kind, match["address"] or match["url"] or "")


def shell_script(command: str) -> str:
    """Return the script that runs the command or preset."""
    preset = parse_preset(command)
    if preset is None:
        return f"{command}\n"
    # Imported here: the supervisor of a session without presets would keep it in memory.
    import shlex

    # The target is in a variable, because every local user can read the arguments of a process: the URL of a webhook is
    # usually a secret.
    program = shlex.join([sys.executable, "-I", str(Path(__file__).with_name("send.py")), preset.kind])
    return f"{TARGET_VARIABLE}={shlex.quote(preset.target)} {program}\n"
