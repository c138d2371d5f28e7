"""The project files that the user trusts, each with the hash of its contents: a changed file needs trust again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from hldctl.config.project import ProjectFile
from hldctl.errors import UnfitEnvironment
from hldctl.paths import StateDirectory


class Trust(StrEnum):
    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    CHANGED = "changed"
    """The file was trusted, and has changed since."""


def find_trust(state: StateDirectory, file: ProjectFile) -> Trust:
    """Return whether the user trusts the file as it is now."""
    trusted = _load(state).get(str(file.path))
    if trusted is None:
        return Trust.UNTRUSTED
    return Trust.TRUSTED if trusted == _hash(file) else Trust.CHANGED


def trust(state: StateDirectory, file: ProjectFile) -> None:
    """Record that the user trusts the file with these contents."""
    _change(state, lambda trusted: trusted | {str(file.path): _hash(file)})


def untrust(state: StateDirectory, path: Path) -> bool:
    """Forget that the user trusts the file; return False if the user did not."""
    if str(path) not in _load(state):
        return False
    _change(state, lambda trusted: {other: digest for other, digest in trusted.items() if other != str(path)})
    return True


def _hash(file: ProjectFile) -> str:
    # Imported here: most projects have no such file.
    import hashlib

    return hashlib.sha256(file.data).hexdigest()


def _load(state: StateDirectory) -> dict[str, str]:
    """Return the hash of each trusted file by path; none if the record is missing, damaged, or another user's."""
    try:
        with state.trusted_projects.open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return {}
            trusted = json.loads(file.read())
    except (OSError, ValueError, RecursionError):
        return {}
    return trusted if isinstance(trusted, dict) else {}


def _change(state: StateDirectory, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    # Imported here: launches only read the record.
    from hldctl.system.atomic_write import rewrite

    state.prepare()
    file = state.trusted_projects
    try:
        rewrite(file, lambda: json.dumps(change(_load(state)), indent=1).encode())
    except OSError as error:
        raise UnfitEnvironment(f"Cannot write {file}: {error.strerror or error}.") from None
