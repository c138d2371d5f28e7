"""Whole files for the reads that showed only a part of them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hldctl.ingest.reducer import Snapshot
from hldctl.paths import PRIVATE_DIRECTORY, SessionFiles, replace_private
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.session import Session

_LARGEST = 10 << 20
"""Bytes of a file that are taken from disk."""


class Snapshots:
    """Of one session; only files below its directories are taken from disk, others as far as they were shown."""

    def __init__(self, session: Session, files: SessionFiles) -> None:
        self._session_id: str = session.id
        self._working_dir = Path(session.working_dir)
        self._directories = [Path(path).resolve() for path in [session.working_dir, *session.additional_directories]]
        self._kept = files.snapshots

    def row(self, snapshot: Snapshot) -> SnapshotRow:
        content = snapshot.content if snapshot.whole else self._whole(snapshot)
        return SnapshotRow(self._session_id, snapshot.tool_id, snapshot.path, content, snapshot.created_at)

    def _whole(self, snapshot: Snapshot) -> str:
        # Only here: OpenSSL comes with it, and many sessions read nothing.
        import hashlib

        # A tool id is the model's word: hashed, it can name no other place.
        kept = self._kept / hashlib.sha256(snapshot.tool_id.encode()).hexdigest()
        try:
            return kept.read_bytes().decode()
        except (FileNotFoundError, UnicodeDecodeError):
            content = self._from_disk(snapshot.path) or snapshot.content
        self._kept.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        # Whole or not at all: half a file, from a full disk or a death in between, would pass for what was read.
        replace_private(kept, content.encode())
        return content

    def _from_disk(self, path: str) -> str | None:
        """The file's text; None if it is gone, elsewhere, too large, or no text."""
        try:
            resolved = (self._working_dir / path).resolve()
            if not any(resolved.is_relative_to(directory) for directory in self._directories):
                return None
            # Opened by `open` itself, which leaves no descriptor behind where the path is a directory.
            with open(resolved, "rb", opener=_open) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                    return None
                return file.read(_LARGEST).decode()
        except (OSError, ValueError, RuntimeError):
            return None


def _open(path: str, flags: int) -> int:
    # O_NONBLOCK: a pipe of that name must not hold the session's recording up.
    return os.open(path, flags | os.O_NONBLOCK)
