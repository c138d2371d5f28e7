"""The space that deleted rows leave in the database's file."""

from __future__ import annotations

from hldctl.store.database import execute

_WORTH_IT = 4 << 20
"""Bytes; less is filled by the next sessions anyway."""


def give_back() -> None:
    """To the file system, where it is much and a quarter of the file: that means to write the rest anew."""
    free, pages, size = (_number(name) for name in ("freelist_count", "page_count", "page_size"))
    if free * size >= _WORTH_IT and free * 4 >= pages:
        execute("VACUUM")
    execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _number(pragma: str) -> int:
    return int(execute(f"PRAGMA {pragma}").fetchone()[0])
