"""A note about settings of a project that are not used."""

from __future__ import annotations

import shlex

from hldctl.cli.output import one_line
from hldctl.config.layers import Ignored
from hldctl.config.project import Unusable
from hldctl.config.trust import Trust

_UNUSABLE = {
    Unusable.LINK: "it is a symbolic link",
    Unusable.OTHER_USER: "it belongs to another user",
    Unusable.NOT_A_FILE: "it is not a file",
}


def note(ignored: Ignored) -> str:
    """Return which settings are ignored, why, and what to do about it."""
    if isinstance(ignored.reason, Unusable):
        return one_line(f"{ignored.file} is ignored, because {_UNUSABLE[ignored.reason]}")
    verb = "has changed since you trusted it" if ignored.reason is Trust.CHANGED else "is not trusted"
    command = f"hldctl config trust {shlex.quote(str(ignored.file.parent))}"
    keys = ", ".join(ignored.keys)
    return one_line(f"{ignored.file} {verb}, so these settings of it are ignored: {keys}; to use them, run: {command}")
