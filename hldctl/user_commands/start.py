"""The start of a user's command: its script, its standard input, its variables, and where its failure is recorded."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.paths import SessionFiles
from hldctl.private_files import replace_private
from hldctl.user_commands.presets import shell_script

MAX_VARIABLE_BYTES = 100_000
"""The kernel takes 128 KiB in one variable, and some more in all together. Standard input has everything."""

# The command is in a file, because every local user can read the arguments of a process. Of all shells started for one
# session with a marker, only the one that can create it runs the command; no process's death can come between the two.
_SHELL_COMMAND = """
if [ -n "$3" ]; then mkdir "$3" 2>/dev/null || exit 0; fi
(. "$1") || { code=$?; umask 077; echo "$code" > "$2"; echo "$0: exit code $code" >&2; }
"""


class CommandFiles(NamedTuple):
    """Where the command is written and its failure is recorded."""

    script: Path
    failure: Path
    """Contains the exit code after a failure."""
    marker: Path | None = None
    """A directory whose creation lets the command run only once; None if it may run any number of times."""


def start(
    name: str,
    command: str,
    command_files: CommandFiles,
    session_files: SessionFiles,
    fields: Mapping[str, Any],
    environment: Mapping[str, str],
    **options: Any,
) -> subprocess.Popen[bytes]:
    """Start the command or preset, with `fields` as JSON on standard input; its output goes to the session's log.

    `name` is that of its setting, `options` are further ones of `Popen`. Raise OSError if it cannot be started.
    """
    replace_private(command_files.script, shell_script(command).encode(errors="replace"))
    arguments = [str(command_files.script), str(command_files.failure), str(command_files.marker or "")]
    with tempfile.TemporaryFile(dir=session_files.directory) as input_file, open(session_files.log, "ab") as log:
        # A file and not a pipe, so that a command that does not read it blocks nothing.
        input_file.write(json.dumps(fields).encode() + b"\n")
        input_file.seek(0)
        return subprocess.Popen(
            ["/bin/sh", "-c", _SHELL_COMMAND, name, *arguments],
            stdin=input_file,
            stdout=log,
            stderr=log,
            env=dict(environment),
            start_new_session=True,
            **options,
        )


def variables(fields: Mapping[str, Any], names: Sequence[str], max_bytes: int = MAX_VARIABLE_BYTES) -> dict[str, str]:
    """Return these fields as variables; absent values are empty, and those that are too long are left out."""
    values = {name: _text(fields[name]) for name in names}
    return {
        f"HLDCTL_{name.upper()}": value
        for name, value in values.items()
        if len(value.encode("utf-8", "surrogateescape")) < max_bytes
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return (json.dumps(value) if isinstance(value, dict | list) else str(value)).replace("\0", "")
