"""The configuration of a fleet: the table `fleet`, and why a value in it is not valid."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from hldctl.config.budgets import Fault


class Share(StrEnum):
    """What the fleet's record gets of the sessions of this machine."""

    ALL = "all"
    OUTLINE = "outline"
    """Everything except texts: queries, results, what was said, and the input and output of tools."""
    STATUS = "status"
    """As with OUTLINE, and no events."""


class Accepted(StrEnum):
    """What others may ask of this machine: the kinds of intents."""

    INTERRUPT = "interrupt"
    ANSWER = "answer"
    SEND = "send"
    SET = "set"
    CONTINUE = "continue"


class FleetSettings(NamedTuple):
    """The table `fleet`."""

    url: str
    share: Share = Share.ALL
    team: str | None = None
    """The PostgreSQL role whose members see the sessions of this machine, too."""
    accept: frozenset[Accepted] = frozenset({Accepted.INTERRUPT, Accepted.ANSWER, Accepted.SET})
    """What those in `accept_from` may ask of this machine; its owner may ask for all of it."""
    accept_from: frozenset[str] = frozenset()
    """PostgreSQL roles; who is none of these, nor a member of one, and not the owner, may ask nothing."""
    signers: Path | None = None
    """The allowed signers of intents, a file of ssh-keygen; with it, intents need a signature."""
    signing_key: Path | None = None
    """The ssh key that signs intents asked for here."""
    listing: bool = False
    """True if lists show the fleet unless `--no-fleet` is given."""


KEYS = FleetSettings._fields
# A longer name is cut off by PostgreSQL.
_MAX_ROLE_BYTES = 63
# In libpq's two forms: `password=…`, and `postgresql://user:password@host`.
_PASSWORD = re.compile(r"(?:^|[\s?&])(?:password|sslpassword)\s*=|^\w+://[^/@]*:[^/@]*@", re.IGNORECASE)


def find_fault(value: Any) -> Fault | None:
    """Return the invalid value in the table; None if it is valid, or not a table."""
    if type(value) is not dict:
        return None
    if unknown := value.keys() - {*KEYS}:
        return Fault(min(unknown), f"is not a key; the keys are {', '.join(KEYS)}")
    if type(url := value.get("url")) is not str or not url.strip():
        return Fault("url", 'must be a text such as "host=db.example.org dbname=hldctl"')
    if has_password(url):
        return Fault("url", "must not contain a password; put it into ~/.pgpass, or use a certificate")
    faults = (Fault(key, message) for key in _CHECKS if key in value and (message := _CHECKS[key](value[key])))
    return next(faults, None)


def is_part(value: Any) -> bool:
    """Return whether the value is a table with valid keys, of which `url` may be missing: others are set one by one."""
    return type(value) is dict and bool(value) and find_fault({"url": "dbname=hldctl", **value}) is None


def _share_fault(value: Any) -> str | None:
    return None if value in list(Share) else f"must be {', '.join(Share)}, not {value!r}"


def _accept_fault(value: Any) -> str | None:
    kinds = ", ".join(Accepted)
    if type(value) is not list:
        return f"must be a list of {kinds}, not {value!r}"
    unknown = [each for each in value if each not in list(Accepted)]
    return f"contains {unknown[0]!r}; it may contain {kinds}" if unknown else None


def _role_fault(value: Any) -> str | None:
    is_role = type(value) is str and value.strip() and "\0" not in value
    if is_role and len(value.encode("utf-8", "replace")) <= _MAX_ROLE_BYTES:
        return None
    return f"must be the name of a PostgreSQL role, not {value!r}"


def _roles_fault(value: Any) -> str | None:
    if type(value) is not list:
        return f'must be a list of PostgreSQL roles, such as ["web"], not {value!r}'
    return next(filter(None, map(_role_fault, value)), None)


def _path_fault(value: Any) -> str | None:
    if type(value) is str and "\0" not in value and Path(os.path.expanduser(value)).is_absolute():
        return None
    return f"must be the path of a file, absolute or beginning with ~, not {value!r}"


def _switch_fault(value: Any) -> str | None:
    return None if type(value) is bool else f"must be true or false, not {value!r}"


# Complete a sentence that begins with the key; None for a valid value.
_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "share": _share_fault,
    "team": _role_fault,
    "accept": _accept_fault,
    "accept_from": _roles_fault,
    "signers": _path_fault,
    "signing_key": _path_fault,
    "listing": _switch_fault,
}


def has_password(url: str) -> bool:
    """Return whether an address of PostgreSQL contains a password, which others could read in files and in `ps`."""
    return _PASSWORD.search(url) is not None


# Make the field of a valid value; others are the value.
_FIELDS: dict[str, Callable[[Any], Any]] = {
    "share": Share,
    "accept": lambda names: frozenset(map(Accepted, names)),
    "accept_from": frozenset,
    "signers": lambda path: Path(os.path.expanduser(path)),
    "signing_key": lambda path: Path(os.path.expanduser(path)),
}


def fleet_settings(table: dict[str, Any] | None) -> FleetSettings | None:
    """Return the settings in a valid table; None without one."""
    if table is None:
        return None
    return FleetSettings(**{key: _FIELDS.get(key, _same)(value) for key, value in table.items()})


def _same(value: Any) -> Any:
    return value
