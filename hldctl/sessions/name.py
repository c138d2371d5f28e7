"""Names that a user can give to a session."""

from __future__ import annotations

import re

from hldctl.errors import BadUsage
from hldctl.host.paths import is_session_id

_FORM = re.compile(r"[^\W_][\w.@:+-]{0,99}")
_TAKEN = ("last",)
"""Words that mean something else where a name can stand."""


def checked(name: str) -> str:
    """Raises BadUsage for one that could not be told from something else, or not be typed."""
    if is_session_id(name.lower()) or name in _TAKEN:
        raise BadUsage(f"--name {name} means another session already; choose another name.")
    if not _FORM.fullmatch(name):
        raise BadUsage(
            f"--name {name!r} is no name: begin with a letter or digit; letters, digits and . _ - + : @ may follow, "
            "100 characters in all."
        )
    return name
