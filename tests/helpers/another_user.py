"""Files of another user, and commands that run without root's privileges."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHER_UID = 12345
"""The ID of a user without a name."""

UNPRIVILEGED_PREFIX = ("unshare", "--user", "--map-user=1000")
"""A prefix for a command: it keeps its user's files but cannot override file modes, even if root runs the tests."""

_ROOT = () if os.geteuid() == 0 else ("sudo", "-n")


@contextmanager
def owned_by_another_user(path: Path) -> Iterator[None]:
    """Give a path, and all that is below it, to another user for the block."""
    _change_owner(path, OTHER_UID)
    try:
        yield
    finally:
        _change_owner(path, os.geteuid())


def _change_owner(path: Path, user: int) -> None:
    subprocess.run([*_ROOT, "chown", "--recursive", "--no-dereference", str(user), path], check=True)
