"""What a rehearsal remembers of what it refused: also in a file, as a session that is tried again has a new server.

Sessions, prompts and places in the script are told apart, so that any number of sessions share one server.
"""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import Any

from hldctl.paths import replace_private


class Memory:
    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, float] = self._load()

    def counted(self, key: str) -> int:
        """How often this was asked for, this time included."""
        with self._lock:
            self._known[key] = self._known.get(key, 0) + 1
            self._store()
            return int(self._known[key])

    def first_time(self, key: str, now: float) -> float:
        """When this was asked for first."""
        with self._lock:
            if key not in self._known:
                self._known[key] = now
                self._store()
            return self._known[key]

    def _load(self) -> dict[str, float]:
        known: Any = {}
        if self._file is not None:
            with contextlib.suppress(FileNotFoundError, ValueError):
                known = json.loads(self._file.read_bytes())
        return known if isinstance(known, dict) else {}

    def _store(self) -> None:
        if self._file is not None:
            # For its owner alone: the keys hold prompts.
            replace_private(self._file, json.dumps(self._known).encode())
