"""The machine's end of an intent: checks who asks for what, and runs the command as if it had been typed here."""

from __future__ import annotations

import hmac
import os
import sys
import time
from datetime import UTC, datetime
from typing import NoReturn

from hldctl.cli import command_line, standard_streams
from hldctl.cli.command_line import CommandLine
from hldctl.cli.intents import rules
from hldctl.cli.remote.received_files import replace_standard_input, resolve
from hldctl.config import schema
from hldctl.config.fleet import FleetSettings
from hldctl.errors import ExitCode, HldctlError, NoSuchSession, WrongState
from hldctl.fleet.intents import intent as intents
from hldctl.fleet.intents import signature
from hldctl.fleet.intents.intent import Asked, Intent, Outcome
from hldctl.fleet.intents.spool import Spool, spool
from hldctl.paths import StateDirectory
from hldctl.private_files import PRIVATE_FILE, touch
from hldctl.protocol.enclosing import INTENT
from hldctl.sessions.permissions.caller import ASKER
from hldctl.store import approvals
from hldctl.store.connection import current_connection
from hldctl.store.database import open_for_reading
from hldctl.system import file_lock
from hldctl.system.error_log import log_uncaught_exceptions
from hldctl.system.processes import shell_exit_code
from hldctl.version import __version__

# Of clocks that are not exact, where the server's is not trusted.
_CLOCK_SECONDS = 300
_MAX_OUTPUT = 4 << 20
# What a shell usually has; that of the link says nothing.
_UMASK = 0o022


def receive(request: str) -> list[str]:
    """Return the words of an intent in the process that has to run them; its parent leaves the outcome.

    Raise SystemExit if it is refused, carried out already, or in hand.
    """
    log_uncaught_exceptions()
    state = StateDirectory.from_environment().as_existing()
    files = spool(state, request)
    if (lock := file_lock.acquire_quickly(files.lock, 0)) is None or files.outcome() is not None:
        sys.exit(ExitCode.DONE)
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    asked = files.read()
    try:
        intent = _check(state, asked)
    except HldctlError as error:
        _finish(state, files, Outcome(error.exit_code, stderr=f"hldctl: {error}\n"))
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        _finish(state, files, Outcome(shell_exit_code(status), _text(files.stdout), _text(files.stderr)))
    os.environ |= {INTENT: request, ASKER: asked.asked_by}
    if intent.from_session is not None:
        os.environ["HLDCTL_SESSION_ID"] = intent.from_session
    os.umask(_UMASK)
    replace_standard_input(intent.standard_input)
    for descriptor, path in ((1, files.stdout), (2, files.stderr)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, PRIVATE_FILE)
        os.dup2(opened, descriptor)
        os.close(opened)
    standard_streams.declare_attended(False)
    words = [resolve(word, intent.files) for word in intent.words]
    # A second try finds what the first one made.
    return [words[0], "--as", request, *words[1:]] if intent.kind in rules.MAKERS else words


def _finish(state: StateDirectory, files: Spool, outcome: Outcome) -> NoReturn:
    files.write_outcome(outcome)
    # Wakes the link.
    touch(state.fleet.directory)
    os._exit(0)


def _text(path: os.PathLike[str]) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX_OUTPUT).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _check(state: StateDirectory, asked: Asked) -> Intent:
    """Return the intent; raise an HldctlError if it must not be carried out."""
    here = os.uname().nodename
    settings = schema.load().fleet
    if settings is None:
        raise WrongState(f"{here} has left the fleet.")
    if asked.kind not in rules.RIGHTS:
        raise WrongState(f"hldctl {__version__} on {here} does not know {asked.kind!r}; update it there.")
    intent = intents.from_json(asked.arguments)
    _require_agreement(state, asked, intent)
    line = command_line.parse(intent.words, {})
    _require_right(asked, intent, line, settings, here)
    if settings.signers is not None:
        _require_signature(asked, intent, settings)
    _require_target(state, intent, line)
    return intent


def _require_agreement(state: StateDirectory, asked: Asked, intent: Intent) -> None:
    """Raise WrongState unless the record's columns say what the intent itself says."""
    own_id = state.fleet.machine_id.read_text().strip()
    in_columns = (asked.request, own_id, asked.session_id, asked.kind, asked.asked_by)
    if in_columns != (intent.request, intent.machine_id, intent.session_id, intent.kind, intent.asked_by):
        raise WrongState("The intent and its row in the record differ; it was not carried out.")


def _require_right(asked: Asked, intent: Intent, line: CommandLine, settings: FleetSettings, here: str) -> None:
    if list(line.words) != list(intent.words) or line.path != (intent.kind,) or line.has("--help"):
        raise WrongState(f"{here} does not take this command from another machine.")
    if asked.asked_by == asked.own_role:
        return
    if not asked.groups:
        raise WrongState(
            f"{here} accepts nothing from {asked.asked_by}; `accept_from` in the table `fleet` there decides that."
        )
    right = rules.RIGHTS[intent.kind]
    if right not in settings.accept:
        raise WrongState(
            f"{here} does not accept `{intent.kind}` from {asked.asked_by}; `accept` in the table `fleet` there lacks "
            f"{right.value!r}."
        )
    if (option := rules.option_kept_from_others(line)) is not None:
        raise WrongState(f"{here} takes {option} only from {asked.own_role}, whose machine it is.")


def _require_signature(asked: Asked, intent: Intent, settings: FleetSettings) -> None:
    assert settings.signers is not None
    if asked.signature is None:
        raise WrongState(
            "The machine does only what is signed; set `signing_key` in the table `fleet` where you type the command."
        )
    signature.verify(asked.arguments, asked.signature, asked.asked_by, settings.signers)
    if intent.expires_at is not None:
        expires_at = datetime.fromisoformat(intent.expires_at).astimezone(UTC).timestamp()
        if expires_at + _CLOCK_SECONDS < time.time():
            raise WrongState("The intent has expired.")


def _require_target(state: StateDirectory, intent: Intent, line: CommandLine) -> None:
    """Raise an HldctlError unless the command is for the session of the intent, and answers what the asker saw."""
    arguments = line.arguments
    if line.has("--all", "--session") or not arguments:
        raise WrongState("A command from another machine has to name its session or request.")
    if intent.kind not in rules.ANSWERS:
        if arguments[0] != intent.session_id or (intent.kind in rules.FOR_SEVERAL and len(arguments) > 1):
            raise WrongState("The command is for another session than the intent.")
        return
    with open_for_reading(state):
        request = approvals.get(current_connection(), arguments[0])
    if request is None or request.session_id != intent.session_id:
        raise NoSuchSession(f"No permission request {arguments[0]!r} of session {intent.session_id}.")
    digest = approvals.input_sha256(request.tool_input)
    if not hmac.compare_digest(digest, intent.shown.get(request.id, "")):
        raise WrongState(f"The request {request.id} is not for the input that was shown; nothing was done.")
