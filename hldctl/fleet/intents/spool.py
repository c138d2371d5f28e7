"""The intents on the machine that carries them out: a directory each, so that none is carried out twice.

The link writes what is asked, and another process carries it out and leaves the outcome. Either may be killed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from hldctl.fleet.intents.intent import Asked, Outcome, outcome_from_json
from hldctl.paths import StateDirectory
from hldctl.private_files import PRIVATE_DIRECTORY, replace_private
from hldctl.system import file_lock

# Longer than an intent is valid: one that is asked again has its outcome.
_KEEP_SECONDS = 7 * 86_400


class Spool(NamedTuple):
    """The files of an intent."""

    directory: Path

    @property
    def request_file(self) -> Path:
        return self.directory / "asked.json"

    @property
    def outcome_file(self) -> Path:
        return self.directory / "outcome.json"

    @property
    def lock(self) -> Path:
        """See `FleetFiles.intent_lock`."""
        return self.directory / "lock"

    @property
    def stdout(self) -> Path:
        return self.directory / "stdout"

    @property
    def stderr(self) -> Path:
        return self.directory / "stderr"

    def write(self, asked: Asked) -> None:
        self.directory.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        replace_private(self.request_file, json.dumps(asdict(asked)).encode())

    def read(self) -> Asked:
        return Asked(**json.loads(self.request_file.read_bytes()))

    def outcome(self) -> Outcome | None:
        """Return what came of it; None as long as that is open."""
        try:
            return outcome_from_json(self.outcome_file.read_text())
        except (OSError, ValueError, KeyError):
            return None

    def write_outcome(self, outcome: Outcome) -> None:
        replace_private(self.outcome_file, outcome.to_json().encode())
        for file in (self.request_file, self.stdout, self.stderr):
            file.unlink(missing_ok=True)

    @property
    def is_in_hand(self) -> bool:
        """True if a process carries it out now."""
        return not file_lock.is_free(self.lock)


def spool(state: StateDirectory, request: str) -> Spool:
    return Spool(state.fleet.intents / request)


def spools(state: StateDirectory) -> Iterator[Spool]:
    with suppress(FileNotFoundError):
        for directory in state.fleet.intents.iterdir():
            yield Spool(directory)


def remove_old(state: StateDirectory) -> None:
    """Delete what is left of intents that nobody can ask again."""
    for each in spools(state):
        with suppress(OSError):
            if each.directory.stat().st_mtime < time.time() - _KEEP_SECONDS and not each.is_in_hand:
                shutil.rmtree(each.directory, ignore_errors=True)
