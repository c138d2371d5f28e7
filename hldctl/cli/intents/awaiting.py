"""The wait for the outcome of an intent."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing

from hldctl.cli import elsewhere, output
from hldctl.errors import ExitCode
from hldctl.fleet.intents.intent import Intent, Outcome
from hldctl.fleet.record import intents, machines
from hldctl.fleet.record.connection import Connection, Disconnected, Unreachable, connect
from hldctl.fleet.record.machines import Machine

_FIRST_POLL_SECONDS, _MAX_POLL_SECONDS = 0.02, 0.25
# Then the machine is looked at, which may have fallen silent.
_LOOK_SECONDS = 5.0
_RECONNECT_SECONDS = 60.0


class Pending:
    """An intent that was asked, and whose outcome is awaited."""

    def __init__(self, url: str, intent: Intent, machine: Machine) -> None:
        self._url = url
        self._intent = intent
        self.request = intent.request
        self.machine = machine
        self._is_noted = False

    def wait(self) -> Outcome:
        """Return what came of it."""
        self._note_silence(self.machine)
        lost_at: float | None = None
        while True:
            try:
                with closing(connect(self._url)) as record:
                    lost_at = None
                    return self._poll(record)
            except (Unreachable, Disconnected) as error:
                now = time.monotonic()
                lost_at = lost_at or now
                if now - lost_at > _RECONNECT_SECONDS:
                    name = output.one_line(self.machine.label)
                    raise Unreachable(f"Whether {name} has carried this out is unknown: {error}") from None
                time.sleep(1)

    def _poll(self, record: Connection) -> Outcome:
        pause, look_at = _FIRST_POLL_SECONDS, time.monotonic() + _LOOK_SECONDS
        while True:
            found = intents.progress(record, self.request)
            if found.outcome is not None:
                return found.outcome
            name = output.one_line(self.machine.label)
            if found.is_expired:
                text = f"hldctl: {name} did not take the command in time; nothing was done.\n"
                return Outcome(ExitCode.ENVIRONMENT, stderr=text)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + _LOOK_SECONDS
                current = machines.find_machines(record, [self.machine.id])
                self._note_silence(current.get(self.machine.id, self.machine))
            time.sleep(pause)
            pause = min(2 * pause, _MAX_POLL_SECONDS)

    def _note_silence(self, machine: Machine) -> None:
        """Print, once, why the outcome may take long."""
        if self._is_noted or not (machine.is_unheard or machine.is_resting):
            return
        self._is_noted = True
        name = output.one_line(machine.label)
        limit = "as long as the request waits" if self._intent.expires_at is None else "for up to an hour"
        if machine.is_unheard:
            output.print_note(f"{elsewhere.describe(machine)} will get this when it is heard again, {limit}")
        else:
            output.print_note(f"nothing runs on {name}; it will get this with the next session there, {limit}")
        output.print_note("Ctrl-C withdraws it")


def withdraw(url: str, pending: Iterable[Pending]) -> None:
    """Take these intents back, as far as their machines have not begun, and print what that means."""
    with closing(connect(url)) as record:
        for each in pending:
            name = output.one_line(each.machine.label)
            if intents.withdraw(record, each.request):
                output.print_note(f"withdrawn; {name} will not carry it out")
            elif intents.progress(record, each.request).outcome is None:
                output.print_note(f"{name} carries it out already")
