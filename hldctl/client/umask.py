"""The umask of this process, which Claude Code inherits."""

from __future__ import annotations

import os
import re

_STATUS = "/proc/self/status"
_UMASK = re.compile(r"^Umask:\s*([0-7]+)$", re.MULTILINE)


def current_umask() -> int:
    """Return the umask. Without /proc, as on macOS, it is set for a moment to find it out."""
    try:
        with open(_STATUS, encoding="ascii", errors="replace") as file:
            found = _UMASK.search(file.read())
    except OSError:
        found = None
    if found is not None:
        return int(found[1], 8)
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
