"""An intent: what somebody asks the machine of a session to do, and its form in the record."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hldctl.errors import WrongState


@dataclass(frozen=True)
class Intent:
    """A command line for the machine of a session, with all that it reads."""

    request: str
    """The asker's UUID of it, by which it happens once."""
    machine_id: str
    session_id: str
    kind: str
    """The command."""
    asked_by: str
    """The PostgreSQL role of the asker."""
    words: Sequence[str]
    """The command line, with complete ids."""
    expires_at: str | None
    """When it is too late to begin, in RFC 3339; None if that is for the command to decide, as with an answer."""
    files: Sequence[bytes] = ()
    standard_input: bytes | None = None
    shown: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 of the input of each request that it answers, as the asker saw it."""
    from_session: str | None = None
    """The session from within which it is asked, and which may not answer requests."""

    def to_json(self) -> str:
        """Return the text that is stored, and signed."""
        values = asdict(self) | {
            "files": [base64.b64encode(content).decode() for content in self.files],
            "standard_input": None if self.standard_input is None else base64.b64encode(self.standard_input).decode(),
        }
        return json.dumps(values)


_NAMES = frozenset(each.name for each in fields(Intent))


def from_json(text: str) -> Intent:
    """Return the intent; raise WrongState for one of a newer hldctl, or for anything else."""
    try:
        values: dict[str, Any] = json.loads(text)
        if unknown := values.keys() - _NAMES:
            raise ValueError(f"unknown field {min(unknown)}")
        given = values["standard_input"]
        values |= {
            "files": [base64.b64decode(content) for content in values["files"]],
            "standard_input": None if given is None else base64.b64decode(given),
        }
        return Intent(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongState(f"The intent cannot be read here ({error}); update the older hldctl of the two.") from None


@dataclass(frozen=True)
class Asked:
    """An intent as the record has it."""

    request: str
    session_id: str
    kind: str
    arguments: str
    """The intent's JSON."""
    signature: str | None
    asked_by: str
    """The role that wrote the row, which nobody can choose."""
    groups: list[str]
    """The roles in `accept_from` that this role is, or is a member of."""
    own_role: str
    """The role of this machine's link."""


@dataclass(frozen=True)
class Outcome:
    """What came of an intent."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def outcome_from_json(text: str) -> Outcome:
    values = json.loads(text)
    return Outcome(int(values["exit_code"]), str(values.get("stdout", "")), str(values.get("stderr", "")))
