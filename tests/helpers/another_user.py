"""Files that belong to another user, and commands that root's powers do not help."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHER = 12345
"""A user of no name."""

UNPRIVILEGED = ("unshare", "--user", "--map-user=1000")
"""Before a command: its user's files stay its own, and no mode is overridden, although root may run the tests."""

_ROOT = () if os.geteuid() == 0 else ("sudo", "-n")


@contextmanager
def given_away(path: Path) -> Iterator[None]:
    """The path, and what is below it, belongs to another user for the block."""
    _change_owner(path, OTHER)
    try:
        yield
    finally:
        _change_owner(path, os.geteuid())


def _change_owner(path: Path, user: int) -> None:
    subprocess.run([*_ROOT, "chown", "--recursive", "--no-dereference", str(user), path], check=True)
