"""How large a file this process may make: `ulimit -f`, which it has from whoever started it."""

from __future__ import annotations

import resource
from pathlib import Path

from hldctl.errors import UnfitEnvironment

_ROOM = 64 << 20
"""Bytes by which a database has to be able to grow; its log alone takes 16 MB."""


def shortage(database: Path) -> str | None:
    """What is wrong with the limit, in a sentence; None if the database has room to grow."""
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = database.stat().st_size if database.exists() else 0
    if limit == resource.RLIM_INFINITY or limit >= size + _ROOM:
        return None
    return (
        f"The limit for the size of a file (ulimit -f) is {limit >> 10} KB, too little for {database};"
        " run `ulimit -f unlimited`, then try again."
    )


def require(database: Path) -> None:
    """Raises UnfitEnvironment if the database could not grow."""
    if (complaint := shortage(database)) is not None:
        raise UnfitEnvironment(complaint)
