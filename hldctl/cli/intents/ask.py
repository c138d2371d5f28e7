"""The asker's end of an intent: finds whose session a command is for, asks its machine, and waits for the outcome."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hldctl.cli import output
from hldctl.cli.command_line import CommandLine, Token
from hldctl.cli.intents import rules
from hldctl.cli.intents.awaiting import Pending, withdraw
from hldctl.cli.remote import files
from hldctl.cli.views.session_commands import SHOWN
from hldctl.config.fleet import FleetSettings
from hldctl.errors import BadUsage, ExitCode, UnfitEnvironment, WrongState
from hldctl.fleet.intents import signature
from hldctl.fleet.intents.intent import Intent, Outcome
from hldctl.fleet.record import intents, machines, reading
from hldctl.fleet.record.connection import Connection, Unreachable
from hldctl.fleet.record.machines import Machine
from hldctl.fleet.record.reading import RecordedRequest, RecordedRow
from hldctl.fleet.record.schema import open_current
from hldctl.paths import StateDirectory
from hldctl.sessions.permissions import caller

# Answers are valid as long as their request.
_VALID_SECONDS = 3600.0


@dataclass(frozen=True)
class _Target:
    """A session of another machine, and the request to be answered, if the command answers one."""

    session: RecordedRow
    machine: Machine
    request: RecordedRequest | None = None


def ask(
    state: StateDirectory, settings: FleetSettings, line: CommandLine, refs: Sequence[str], missing: rules.Missing
) -> int | None:
    """Ask other machines for a command, and return its exit code; None if the record does not know a session either.

    `refs` are all sessions or requests that the command names.
    """
    pending: list[Pending] = []
    try:
        with open_current(settings.url) as record:
            targets = {ref: _find_targets(state, record, line, ref) for ref in missing}
            if any(found is None for found in targets.values()):
                return None
            asker = _Asker(state, settings, record, line)
            for found in targets.values():
                for target in found or ():
                    pending.append(asker.ask(target))
        here = [ref for ref in refs if ref not in missing]
        outcomes = [_run_here(_line_for(line, here))] if here else []
        outcomes += [each.wait() for each in pending]
    except Unreachable as error:
        if pending:
            raise
        raise Unreachable(f"{next(iter(missing.values()))} If it is of another machine: {error}") from None
    except KeyboardInterrupt:
        withdraw(settings.url, pending)
        return ExitCode.INTERRUPTED
    return _report(line, outcomes)


def _find_targets(state: StateDirectory, record: Connection, line: CommandLine, ref: str) -> list[_Target] | None:
    """Return what a reference names in the record; None if it names nothing of another machine.

    Raise WrongState for a session that no machine can do this for.
    """
    found: Sequence[RecordedRequest | None] = [None]
    if line.path[0] not in rules.ANSWERS:
        session_id = reading.find_id(record, ref)
    elif not line.has("--session"):
        request = reading.find_request(record, ref)
        session_id, found = (None, []) if request is None else (request.session_id, [request])
    elif (session_id := reading.find_id(record, ref)) is not None:
        found = [*_requests_of(record, line, session_id)]
    if session_id is None:
        return None
    (session,) = reading.read_sessions(record, [session_id], with_texts=False)
    if session.machine_id is None and line.path[0] == "interrupt":
        # The command removes it from where it waits.
        return None
    if session.machine_id is None:
        raise WrongState(f"Session {session.id} has not started on a machine yet.")
    if session.machine_id == state.fleet.machine_id.read_text().strip():
        return None
    machine = machines.find_machines(record, [session.machine_id])[session.machine_id]
    _require_use(line, session, machine)
    return [_Target(session, machine, request) for request in found]


def _requests_of(record: Connection, line: CommandLine, session_id: str) -> Iterator[RecordedRequest]:
    """Yield the pending requests of a session that the command answers; raise WrongState unless it says which."""
    pending = reading.pending_requests(record, session_id)
    tool = line.value("--tool")
    if line.has("--all"):
        yield from (each for each in pending if tool in (None, each.row["tool_name"]))
    elif len(pending) == 1:
        yield pending[0]
    else:
        listed = f": {', '.join(each.id for each in pending)}" if pending else ""
        raise WrongState(f"Session {session_id} has {len(pending)} pending permission requests{listed}.")


def _require_use(line: CommandLine, session: RecordedRow, machine: Machine) -> None:
    """Raise WrongState if the record knows already that the machine can only refuse."""
    ends = session.row["completed_at"] is not None
    if ends and line.path[0] not in ("set", "continue") and not line.has("--or-continue"):
        raise WrongState(f"Session {session.id} has ended on {output.one_line(machine.label)}.")


def _line_for(line: CommandLine, refs: Sequence[str]) -> CommandLine:
    """Return the command line for these sessions or requests alone."""
    is_several = line.path[0] in rules.FOR_SEVERAL
    tokens: list[Token] = []
    arguments = 0
    for token in line.tokens:
        if token.is_option("--session", "--all", "--tool"):
            continue
        if token.option is None:
            arguments += 1
            # The first argument is the command's name, and the second one a reference.
            if arguments == 2 or (arguments > 2 and is_several):
                continue
        tokens.append(token)
    name = next(number for number, token in enumerate(tokens) if token.option is None)
    return line._replace(tokens=(*tokens[: name + 1], *(Token((ref,)) for ref in refs), *tokens[name + 1 :]))


def _run_here(line: CommandLine) -> Outcome:
    done = subprocess.run([sys.executable, "-m", "hldctl", *line.words], capture_output=True, text=True, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


class _Asker:
    """Asks for one command."""

    def __init__(self, state: StateDirectory, settings: FleetSettings, record: Connection, line: CommandLine) -> None:
        if secret := next((name for name in rules.SECRETS if line.has(name)), None):
            raise BadUsage(
                f"{secret} is not sent through the record, where others could read it; use `hldctl --host` for that."
            )
        self._settings = settings
        self._record = record
        # What is printed while the session runs would come at its end.
        tokens = tuple(token for token in line.tokens if not token.is_option("--follow", "-f"))
        self._line = line._replace(tokens=tokens) if line.path[0] == "continue" else line
        self._standard_input = files.read_standard_input(line)
        self._caller = intents.caller(record, _VALID_SECONDS)
        self._from_session = caller.session_without_right(state)

    def ask(self, target: _Target) -> Pending:
        kind = self._line.path[0]
        ref = target.session.id if target.request is None else target.request.id
        words, contents = files.resolve_local_files(_line_for(self._line, [ref]), {})
        assert target.session.machine_id is not None
        intent = Intent(
            request=str(uuid.uuid4()),
            machine_id=target.session.machine_id,
            session_id=target.session.id,
            kind=kind,
            asked_by=self._caller.role,
            words=words,
            expires_at=None if kind in rules.ANSWERS else self._caller.expires_at,
            files=contents,
            standard_input=self._standard_input,
            shown={} if target.request is None else {target.request.id: _digest(target)},
            from_session=self._from_session,
        )
        text = intent.to_json()
        key = self._settings.signing_key
        intents.ask(self._record, intent, text, None if key is None else signature.sign(text, key))
        return Pending(self._settings.url, intent, target.machine)


def _digest(target: _Target) -> str:
    """Return the SHA-256 of the request's input as the record shows it; raise UnfitEnvironment if it does not."""
    assert target.request is not None
    digest = os.environ.get(SHOWN) or target.request.shown_sha256
    if target.request.shown_sha256 != target.request.input_sha256:
        raise UnfitEnvironment(
            f"What the request {target.request.id} asks for is not in the record, so it cannot be answered from here; "
            f"`share` in the table `fleet` on {output.one_line(target.machine.label)} decides."
        )
    return digest


def _report(line: CommandLine, outcomes: Sequence[Outcome]) -> int:
    """Print what the machines have printed, and return the exit code of the first that failed."""
    texts = [outcome.stdout for outcome in outcomes]
    if line.path[0] == "set" and line.has("--json") and len(texts) > 1:
        texts = [_json_array(texts)]
    sys.stdout.write(output.escape_at_terminal("".join(texts)))
    sys.stderr.write("".join(output.escape_control_chars(outcome.stderr) for outcome in outcomes))
    code = next((outcome.exit_code for outcome in outcomes if outcome.exit_code), ExitCode.DONE)
    if line.path[0] == "continue" and line.has("--follow") and code == ExitCode.DONE:
        sys.stdout.flush()
        follow = ["tail", "--follow", "--exit-status", texts[0].split()[0]]
        os.execv(sys.executable, [sys.executable, "-m", "hldctl", *follow])
    return code


def _json_array(texts: Sequence[str]) -> str:
    objects = [value for text in texts if text for value in _as_list(json.loads(text))]
    return json.dumps(objects, indent=2) + "\n"


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
