"""The user's `on_approval` command, which is run when a permission request waits."""

from __future__ import annotations

import os
import subprocess

from hldctl.paths import COMMAND_TOKEN, SessionFiles
from hldctl.permission_hook.request_object import request_object
from hldctl.store.approvals import Approval
from hldctl.user_commands.start import CommandFiles, start, variables

_VARIABLES = ("approval_id", "session_id", "run_id", "tool_name", "tool_input")


class Notifier:
    """The running command. It is started at once, and its failure is only recorded with the session."""

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
        environment = {
            **os.environ,
            **variables({**fields, "approval_id": fields["id"]}, _VARIABLES),
            **capability,
        }
        command_files = CommandFiles(files.on_approval_script, files.on_approval_failure)
        try:
            self._process = start("on_approval", command, command_files, files, fields, environment)
        except (OSError, ValueError):
            # A process that cannot be started, or an invalid variable, must not prevent an answer.
            return
