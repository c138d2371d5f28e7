"""How Claude Code is told to run the hook."""

from __future__ import annotations

import sys
from pathlib import Path


def command() -> str:
    """For a shell. By the file rather than -m, which takes 3 ms more; -P: the working directory may hold any module."""
    # Only here: a supervisor without a hook would keep it for as long as it lives.
    import shlex

    return shlex.join([sys.executable, "-P", str(Path(__file__).with_name("__main__.py"))])
