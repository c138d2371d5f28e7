"""A rehearsal's record of refused requests, which can be kept in a file, since a retried session has a new server.

The keys contain the session, the prompt and the position in the script, so that sessions can share a server.
"""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

from hldctl.private_files import replace_private


class RefusalRecord:
    """The counts and first times of refusals, saved to a file if there is one."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._values: dict[str, float] = self._load()

    def count(self, key: str) -> int:
        """Count a request, and return the number of requests with this key."""
        with self._lock:
            self._values[key] = self._values.get(key, 0) + 1
            self._save()
            return int(self._values[key])

    def first_time(self, key: str, now: float) -> float:
        """Return when this key was requested first, in seconds since 1970; that is `now` for a new key."""
        with self._lock:
            if key not in self._values:
                self._values[key] = now
                self._save()
            return self._values[key]

    def _load(self) -> dict[str, float]:
        values: Any = {}
        if self._file is not None:
            with contextlib.suppress(FileNotFoundError, ValueError):
                values = json.loads(self._file.read_bytes())
        return values if isinstance(values, dict) else {}

    def _save(self) -> None:
        if self._file is not None:
            # Private, since the keys contain prompts.
            replace_private(self._file, json.dumps(self._values).encode())
