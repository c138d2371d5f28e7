"""Check of the inherited limit for the size of a file, `ulimit -f`."""

from __future__ import annotations

import resource
from pathlib import Path

from hldctl.errors import UnfitEnvironment

# The database must be able to grow by this much; its write-ahead log alone takes 16 MB.
_REQUIRED_BYTES = 64 << 20


def shortage(database: Path) -> str | None:
    """Return a message if the limit is too small for the database to grow, else None."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = database.stat().st_size if database.exists() else 0
    if limit == resource.RLIM_INFINITY or limit >= size + _REQUIRED_BYTES:
        return None
    return (
        f"The file size limit (ulimit -f) is {limit >> 10} KB, which is too small for {database};"
        " run `ulimit -f unlimited`, then try again."
    )


def require_room(database: Path) -> None:
    """Raise UnfitEnvironment if the limit is too small for the database to grow."""
    if (message := shortage(database)) is not None:
        raise UnfitEnvironment(message)
