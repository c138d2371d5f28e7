"""The shell command with which Claude Code runs the hook."""

from __future__ import annotations

import sys
from pathlib import Path

import apsw

from hldctl import version


def build_hook_command(session_id: str, state_directory: Path) -> str:
    """Return the shell command that runs the hook.

    The hook is started by its file: -m takes 3 ms more. With -I no variable, such as PYTHONPATH, and no working
    directory can select another module. The directories in which hldctl and the database driver are installed are
    therefore passed as the last arguments.
    """
    # Imported late: a supervisor without a hook would keep the module in memory for all of its life.
    import shlex

    module_directories = dict.fromkeys(str(Path(str(module.__file__)).parent.parent) for module in (version, apsw))
    program = [sys.executable, "-I", str(Path(__file__).with_name("__main__.py"))]
    return shlex.join([*program, session_id, str(state_directory), *module_directories])
