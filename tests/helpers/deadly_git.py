"""A git that kills the command that runs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.helpers.sandbox import Sandbox

_PROGRAM = """#!/bin/sh
# Kill the command that runs git when it reaches its Nth change, before or after the change.
case " $* " in
*" update-ref "*|*" merge "*|*" worktree remove "*|*" write-tree "*|*" commit-tree "*|*" hash-object "*)
    count=$(($(cat "$COUNT_FILE" 2>/dev/null || echo 0) + 1)); echo $count > "$COUNT_FILE"
    if [ $count = $KILL_AT ] && [ $WHEN = before ]; then kill -9 $PPID; exit 1; fi
    "$REAL_GIT" "$@"; code=$?
    if [ $count = $KILL_AT ]; then kill -9 $PPID; fi
    exit $code;;
esac
exec "$REAL_GIT" "$@"
"""


def deadly_git(sandbox: Sandbox, directory: Path, step: int, when: str) -> dict[str, str]:
    """Return the environment of a command that is killed at this change by git, `before` or `after` it is made."""
    which = ["which", "git"]
    real_git = subprocess.run(which, capture_output=True, text=True, check=True, env=sandbox.environment)
    program = directory / "bin" / "git"
    program.parent.mkdir()
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    return {
        "PATH": f"{program.parent}:{sandbox.environment['PATH']}",
        "REAL_GIT": real_git.stdout.strip(),
        "WHEN": when,
        "COUNT_FILE": str(directory / "count"),
        "KILL_AT": str(step),
    }
