"""Lines that hldctl writes to Claude Code's standard input with `--input-format stream-json` (2.1.332)."""

from __future__ import annotations

import json
from typing import Any

from hldctl.states import InputKind

OPTIONS = ("--input-format", "stream-json", "--replay-user-messages")
"""Options for Claude Code: with them it repeats each message in its stream, where the model gets it."""
VARIABLES = {"CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1"}
"""With these, it also writes whether it works or waits for a message."""
CONTINUE_TEXT = "Continue from where you left off."


def message_line(message_id: str, text: str) -> bytes:
    """Return the line of a message. Claude Code takes a message with the same id once only, also in a later process."""
    return _line({"type": "user", "uuid": message_id, "message": {"role": "user", "content": text}})


def control_line(request_id: str, kind: InputKind, value: str) -> bytes:
    """Return the line of a request to Claude Code itself, which it confirms with a `control_response`."""
    requests = {
        InputKind.INTERRUPT: {"subtype": "interrupt"},
        InputKind.MODEL: {"subtype": "set_model", "model": value},
        InputKind.PERMISSION_MODE: {"subtype": "set_permission_mode", "mode": value},
        InputKind.EFFORT: {"subtype": "apply_flag_settings", "settings": {"effortLevel": value or None}},
    }
    return _line({"type": "control_request", "request_id": request_id, "request": requests[kind]})


def restart_line(session_id: str, restarts: int) -> bytes:
    """Return the line that continues a conversation in a new process; the user has not written it."""
    # Imported here: each new session would load it, and only a restart needs it.
    import uuid

    return message_line(str(uuid.uuid5(uuid.UUID(session_id), f"restart {restarts}")), CONTINUE_TEXT)


def is_own_message(message_id: str) -> bool:
    """Return whether a line of `restart_line` has this id: a user's messages have random ids."""
    return message_id[14:15] == "5"


def is_check_output(message_id: str) -> bool:
    """Return whether a message with this id has the output of a check; see `protocol.check.output_message_id`."""
    return message_id[14:15] == "8"


def decision_line(request_id: str, decision: dict[str, Any], tool_input: dict[str, Any]) -> bytes:
    """Return the line that answers a request for permission; `tool_input` is that of the call."""
    # Here, an allowance without an input is invalid.
    response = {"updatedInput": tool_input, **decision} if decision.get("behavior") == "allow" else decision
    answer = {"subtype": "success", "request_id": request_id, "response": response}
    return _line({"type": "control_response", "response": answer})


def end_line(request_id: str) -> bytes:
    """Return the line that ends an idle Claude Code."""
    return _line({"type": "control_request", "request_id": request_id, "request": {"subtype": "end_session"}})


def _line(value: dict[str, Any]) -> bytes:
    # ASCII only: U+2028 and unpaired surrogates are escaped, and nothing else can be taken for the end of the line.
    return json.dumps(value).encode() + b"\n"
