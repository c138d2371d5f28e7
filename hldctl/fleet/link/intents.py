"""The link's part in intents: it has each carried out by a process of its own, and reports the outcome."""

from __future__ import annotations

import os
import sys

from hldctl.config import schema
from hldctl.errors import ExitCode
from hldctl.fleet.intents.intent import Asked, Outcome
from hldctl.fleet.intents.spool import remove_old, spool
from hldctl.fleet.record import intents
from hldctl.fleet.record.connection import Connection
from hldctl.fleet.record.driver import SQL, Identifier, Notify
from hldctl.paths import COMMAND_TOKEN, StateDirectory
from hldctl.system.error_log import log

PERFORM_COMMAND = "_perform"
"""The hidden command that carries out the intent with a number."""
# Each is a process; some wait for the end of a turn.
_MAX_RUNNING = 20
# Without a notification, as with a pooler of connections.
_LOOK_SECONDS = 10.0
# As long as something is open: a process that was killed may still hold its lock.
_OPEN_LOOK_SECONDS = 1.0
_MAX_STARTS = 3


class Intents:
    """The intents of one machine, on one connection."""

    def __init__(self, state: StateDirectory, connection: Connection, machine_id: str) -> None:
        self._state = state
        self._connection = connection
        self._machine_id = machine_id
        self._children: dict[str, int] = {}
        self._starts: dict[str, int] = {}
        self._look_at = 0.0
        self._has_open = False
        connection.add_notify_handler(self._note_arrival)
        connection.execute(SQL("LISTEN {}").format(Identifier(intents.channel(machine_id))))
        remove_old(state)

    @property
    def are_open(self) -> bool:
        """True if the link is needed: something was asked, and has no outcome yet."""
        return bool(self._children) or self._has_open

    def _note_arrival(self, notification: Notify) -> None:
        self._look_at = 0.0

    def read_notifications(self) -> None:
        """Note what has arrived on the connection while nothing was asked of it. Its input must have been consumed."""
        while self._connection.pgconn.notifies() is not None:
            self._look_at = 0.0

    def step(self, now: float) -> None:
        """Report what was carried out, and start what is asked."""
        self._reap()
        if now < self._look_at:
            return
        settings = schema.load().fleet
        accept_from = sorted(settings.accept_from) if settings is not None else []
        is_open: list[bool] = []
        for asked in intents.open_intents(self._connection, self._machine_id, accept_from):
            is_open.append(not self._advance(asked))
        self._has_open = any(is_open)
        self._look_at = now + (_OPEN_LOOK_SECONDS if self._has_open else _LOOK_SECONDS)

    def _advance(self, asked: Asked) -> bool:
        """Take the next step for an intent; return whether it has its outcome."""
        files = spool(self._state, asked.request)
        if (outcome := files.outcome()) is not None:
            self._finish(asked.request, outcome)
            return True
        if asked.request in self._children or files.is_in_hand:
            # In the second case by a process that a former link started.
            return False
        if self._starts.get(asked.request, 0) >= _MAX_STARTS:
            text = "hldctl: The machine could not carry this out; see fleet/link.log in its state directory.\n"
            outcome = Outcome(ExitCode.ENVIRONMENT, stderr=text)
            files.write_outcome(outcome)
            self._finish(asked.request, outcome)
            return True
        if len(self._children) < _MAX_RUNNING and intents.take(self._connection, asked.request):
            files.write(asked)
            self._starts[asked.request] = self._starts.get(asked.request, 0) + 1
            self._children[asked.request] = _start(self._state, asked.request)
        return False

    def _reap(self) -> None:
        for request, pid in [*self._children.items()]:
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            del self._children[request]
            # Its outcome is reported by the look.
            self._look_at = 0.0
            if spool(self._state, request).outcome() is None:
                log(f"Intent {request} was not carried out: its process was ended.")

    def _finish(self, request: str, outcome: Outcome) -> None:
        intents.finish(self._connection, request, outcome)
        self._starts.pop(request, None)


def _start(state: StateDirectory, request: str) -> int:
    # The marker of supervisors would make it a command of a session that may not answer.
    hidden = (COMMAND_TOKEN, "HLDCTL_SESSION_ID", "HLDCTL_HOST")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["HLDCTL_HOME"] = str(state.root)
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", "hldctl", PERFORM_COMMAND, request],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, 2, 1),
        ],
        setsid=True,
    )
