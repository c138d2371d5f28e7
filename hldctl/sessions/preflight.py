"""Commands of the user's for /bin/sh, looked at before anything is started."""

from __future__ import annotations

import os
import re
import subprocess

from hldctl.errors import BadUsage

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
