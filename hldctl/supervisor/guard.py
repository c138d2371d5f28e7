"""The guard of a supervisor: a shell that waits, and starts adopting supervisors as long as they are killed.

Without one, Claude Code finishes its turn when its supervisor is killed, and exits; but its end would be recorded, and
its command at the end be run, only when somebody types a command.
"""

from __future__ import annotations

import contextlib
import os

from hldctl.paths import COMMAND_TOKEN, SessionFiles
from hldctl.supervisor.command import build_supervisor_command

# Descriptor 9 holds the input pipe open: without a writer, Claude Code would read the end of its input.
# `read` ends when the supervisor writes a line, or when the kernel closes its end of the pipe. The pause bounds what a
# machine without memory spends on supervisors that it kills again. The shell stays while they run: a supervisor that is
# killed while it loads its modules has no guard of its own yet. A code above 128 is a signal's.
_SCRIPT = """\
[ -p "$1" ] && exec 9<>"$1"
shift
read -r line && exit
while sleep 1; "$@"; [ $? -gt 128 ]; do :; done
"""
_DONE = b"done\n"
GUARDED = "--guarded"
"""The argument of a supervisor that a guard has started, and starts again if it is killed."""

_pids: set[int] = set()


class Guard:
    """A running guard. It costs a process that sleeps, of about 0.2 MB."""

    def __init__(self, session_id: str, files: SessionFiles) -> None:
        """Start the guard; raise OSError if that is impossible."""
        reader, self._writer = os.pipe()
        environment = {name: value for name, value in os.environ.items() if name != COMMAND_TOKEN}
        try:
            with open(os.devnull, "r+b") as nothing:
                self._pid = os.posix_spawn(
                    "/bin/sh",
                    [
                        "sh",
                        "-c",
                        _SCRIPT,
                        "hldctl",
                        str(files.input),
                        *build_supervisor_command("adopt", session_id, GUARDED),
                    ],
                    # The marker of supervisors, which belong to no session.
                    environment | {"HLDCTL_SESSION_ID": "supervisor"},
                    file_actions=[
                        (os.POSIX_SPAWN_DUP2, reader, 0),
                        (os.POSIX_SPAWN_DUP2, nothing.fileno(), 1),
                        (os.POSIX_SPAWN_DUP2, nothing.fileno(), 2),
                    ],
                    setsid=True,
                )
        except BaseException:
            os.close(self._writer)
            raise
        finally:
            os.close(reader)
        _pids.add(self._pid)

    def dismiss(self) -> None:
        """End the guard: the supervisor exits because its work is done."""
        with contextlib.suppress(OSError):
            os.write(self._writer, _DONE)
        os.close(self._writer)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        _pids.discard(self._pid)


def guard_pids() -> frozenset[int]:
    """Return the pids of this process's guards, which do not belong to the session."""
    return frozenset(_pids)
