"""The user's `on_approval` command, which is run when a permission request waits."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile

from hldctl.paths import COMMAND_TOKEN, SessionFiles
from hldctl.permission_hook.request_object import request_object
from hldctl.private_files import replace_private
from hldctl.store.approvals import Approval

_VARIABLES = ("approval_id", "session_id", "run_id", "tool_name", "tool_input")
_MAX_VARIABLE_BYTES = 100_000
# The command is in a file, since every local user can read the arguments of a process.
_SHELL_COMMAND = '(. "$1") || echo "on_approval: exit code $?" >&2'


class Notifier:
    """The running command. It is started at once, and its failure is only written to the session's log."""

    def __init__(self, command: str | None, approval: Approval, files: SessionFiles, token: str | None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if command is not None:
            self._start(command, approval, files, {} if token is None else {COMMAND_TOKEN: token})

    def reap(self) -> None:
        """Reap the process if it has exited."""
        if self._process is not None:
            self._process.poll()

    def _start(self, command: str, approval: Approval, files: SessionFiles, capability: dict[str, str]) -> None:
        fields = request_object(approval)
        variables = {
            f"HLDCTL_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in (("approval_id", fields["id"]), *fields.items())
            if name in _VARIABLES
        }
        # The kernel limits the length of a variable; standard input contains everything.
        variables = {name: value for name, value in variables.items() if len(value.encode()) < _MAX_VARIABLE_BYTES}
        try:
            replace_private(files.on_approval_script, f"{command}\n".encode(errors="replace"))
            with tempfile.TemporaryFile(dir=files.directory) as request, open(files.log, "ab") as log:
                # A file, not a pipe: a command that does not read it blocks no process.
                request.write(json.dumps(fields).encode() + b"\n")
                request.seek(0)
                self._process = subprocess.Popen(
                    ["/bin/sh", "-c", _SHELL_COMMAND, "on_approval", str(files.on_approval_script)],
                    stdin=request,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **variables, **capability},
                    start_new_session=True,
                )
        except (OSError, ValueError):
            # A process that cannot be started, or an invalid variable, must not prevent an answer.
            return
