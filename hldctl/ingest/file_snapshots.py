"""Complete file contents for calls of Read that showed only a part."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hldctl.ingest.reducer import Snapshot
from hldctl.paths import SessionFiles
from hldctl.private_files import PRIVATE_DIRECTORY, replace_private
from hldctl.store.file_snapshots import SnapshotRow
from hldctl.store.session import Session

# Larger files are not read from disk.
_MAX_FILE_BYTES = 10 << 20


class FileSnapshots:
    """Snapshots of one session. Files outside its directories are not read: only what was shown of them is stored."""

    def __init__(self, session: Session, files: SessionFiles) -> None:
        self._session_id: str = session.id
        self._working_dir = Path(session.working_dir)
        self._directories = [Path(path).resolve() for path in [session.working_dir, *session.additional_directories]]
        self._directory = files.snapshots
        # The files may have changed since a conversation that is recorded afterwards.
        self._may_read_disk = session.source is None

    def build_row(self, snapshot: Snapshot) -> SnapshotRow:
        content = snapshot.content if snapshot.is_complete else self._complete_content(snapshot)
        return SnapshotRow(self._session_id, snapshot.tool_id, snapshot.path, content, snapshot.created_at)

    def _complete_content(self, snapshot: Snapshot) -> str:
        # Imported here: it loads OpenSSL, and many sessions read nothing.
        import hashlib

        # A tool id comes from the model: hashed, it cannot name a path elsewhere.
        copy = self._directory / hashlib.sha256(snapshot.tool_id.encode()).hexdigest()
        try:
            return copy.read_bytes().decode()
        except (FileNotFoundError, UnicodeDecodeError):
            content = (self._may_read_disk and self._read_from_disk(snapshot.path)) or snapshot.content
        self._directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)
        # Atomically: half a file, after a full disk or a crash, would be taken for the complete one.
        replace_private(copy, content.encode())
        return content

    def _read_from_disk(self, path: str) -> str | None:
        """Return the file's text; None if it is missing, outside the session's directories, too large, or not text."""
        try:
            resolved = (self._working_dir / path).resolve()
            if not any(resolved.is_relative_to(directory) for directory in self._directories):
                return None
            # Use `open`, which leaks no descriptor if the path is a directory.
            with open(resolved, "rb", opener=_open) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE_BYTES:
                    return None
                return file.read(_MAX_FILE_BYTES).decode()
        except (OSError, ValueError, RuntimeError):
            return None


def _open(path: str, flags: int) -> int:
    # O_NONBLOCK: a named pipe must not block the ingester.
    return os.open(path, flags | os.O_NONBLOCK)
