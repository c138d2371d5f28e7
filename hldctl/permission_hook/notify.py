"""Telling somebody, by a command of the user's, that a request waits."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile

from hldctl.paths import COMMAND_TOKEN, SessionFiles, replace_private
from hldctl.store.approvals import Approval
from hldctl.store.approvals import as_object as approval_object

_VARIABLES = ("approval_id", "session_id", "run_id", "tool_name", "tool_input")
_LONGEST_VARIABLE = 100_000
_NOTED = '(. "$1") || echo "on_approval: exit code $?" >&2'
"""The command is in a file: every local user can read the arguments of a process."""


class Notice:
    """Runs the command at once, and beside; that it fails is written into the session's log and harms nothing."""

    def __init__(self, command: str | None, approval: Approval, files: SessionFiles, token: str | None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if command is not None:
            self._start(command, approval, files, {} if token is None else {COMMAND_TOKEN: token})

    def look(self) -> None:
        """Buries it when it has ended."""
        if self._process is not None:
            self._process.poll()

    def _start(self, command: str, approval: Approval, files: SessionFiles, capability: dict[str, str]) -> None:
        told = approval_object(approval)
        variables = {
            f"HLDCTL_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in (("approval_id", told["id"]), *told.items())
            if name in _VARIABLES
        }
        # What the kernel takes of one variable has an end; standard input has all.
        variables = {name: value for name, value in variables.items() if len(value.encode()) < _LONGEST_VARIABLE}
        try:
            replace_private(files.on_approval_script, f"{command}\n".encode(errors="replace"))
            with tempfile.TemporaryFile(dir=files.directory) as request, open(files.log, "ab") as log:
                # A file rather than a pipe: a command that does not read it blocks nobody.
                request.write(json.dumps(told).encode() + b"\n")
                request.seek(0)
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _NOTED, "on_approval", str(files.on_approval_script)],
                    stdin=request,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **variables, **capability},
                    start_new_session=True,
                )
        except (OSError, ValueError):
            # A machine that starts no process, or a name that no variable can hold, keeps nobody from answering.
            return
