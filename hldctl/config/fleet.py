"""The configuration of a fleet: the table `fleet`, and why a value in it is not valid."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, NamedTuple

from hldctl.config.budgets import Fault


class Share(StrEnum):
    """What the fleet's record gets of the sessions of this machine."""

    ALL = "all"
    OUTLINE = "outline"
    """Everything except texts: queries, results, what was said, and the input and output of tools."""
    STATUS = "status"
    """As with OUTLINE, and no events."""


class FleetSettings(NamedTuple):
    """The table `fleet`."""

    url: str
    share: Share


_KEYS = ("url", "share")
# In libpq's two forms: `password=…`, and `postgresql://user:password@host`.
_PASSWORD = re.compile(r"(?:^|[\s?&])(?:password|sslpassword)\s*=|^\w+://[^/@]*:[^/@]*@", re.IGNORECASE)


def find_fault(value: Any) -> Fault | None:
    """Return the invalid value in the table; None if it is valid, or not a table."""
    if type(value) is not dict:
        return None
    if unknown := value.keys() - {*_KEYS}:
        return Fault(min(unknown), f"is not a key; the keys are {', '.join(_KEYS)}")
    if type(url := value.get("url")) is not str or not url.strip():
        return Fault("url", 'must be a text such as "host=db.example.org dbname=hldctl"')
    if has_password(url):
        return Fault("url", "must not contain a password; put it into ~/.pgpass, or use a certificate")
    if value.get("share", Share.ALL) not in list(Share):
        return Fault("share", f"must be {', '.join(Share)}, not {value['share']!r}")
    return None


def has_password(url: str) -> bool:
    """Return whether an address of PostgreSQL contains a password, which others could read in files and in `ps`."""
    return _PASSWORD.search(url) is not None


def fleet_settings(table: dict[str, Any] | None) -> FleetSettings | None:
    """Return the settings in a valid table; None without one."""
    return None if table is None else FleetSettings(table["url"], Share(table.get("share", Share.ALL)))
