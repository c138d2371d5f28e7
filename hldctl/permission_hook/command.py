"""How Claude Code is told to run the hook."""

from __future__ import annotations

import sys
from pathlib import Path

import apsw

import hldctl


def command(session_id: str, state_directory: Path) -> str:
    """For a shell. By the file rather than -m, which takes 3 ms more.

    -I: no variable, such as PYTHONPATH, and no working directory may name another module. What it hides from the hook,
    the directories that hold hldctl and the driver wherever they are installed, are the last arguments.
    """
    # Only here: a supervisor without a hook would keep it for as long as it lives.
    import shlex

    modules = dict.fromkeys(str(Path(str(module.__file__)).parent.parent) for module in (hldctl, apsw))
    program = [sys.executable, "-I", str(Path(__file__).with_name("__main__.py"))]
    return shlex.join([*program, session_id, str(state_directory), *modules])
