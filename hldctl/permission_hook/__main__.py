"""The hook's process: a request on standard input, the decision on standard output.

Its arguments are the session, the state directory, and where its modules are: never the environment, which the settings
of a checked-out project can change. Whatever goes wrong ends in a denial with a message that the model can act on,
never in a silent permission.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    os.umask(0o077)
    session_id, home = ([*sys.argv[1:], "", ""])[:2]
    sys.path += sys.argv[3:]
    # What loads late can fail late: all of it inside.
    try:
        from hldctl.claude.permission_hook import request
        from hldctl.permission_hook.decide import Decision, Undecided, decide

        decision: Decision | Undecided | None
        try:
            asked = request(sys.stdin.buffer.read())
        except ValueError as error:
            decision = _denial(f"hldctl could not read Claude Code's permission request: {error}.")
        else:
            decision = decide(asked, session_id, home)
        if isinstance(decision, Undecided):
            # Only here: a request that waits has time to load this.
            from hldctl.permission_hook.wait import wait_for_answer

            decision = wait_for_answer(*decision, home)
    except Exception as error:
        decision = _denial(f"hldctl could not answer the permission request: {type(error).__name__}: {error}.")
    if decision is not None:
        from hldctl.claude.permission_hook import answer

        sys.stdout.write(answer(decision))
        sys.stdout.flush()
    # Nothing is left to be done, and Claude Code waits for the end of this process.
    os._exit(0)


def _denial(message: str) -> dict[str, Any]:
    from hldctl.claude.permission_hook import denial

    return denial(f"{message} Ask the user to run `hldctl doctor`, and go on without this call if you can.")


if __name__ == "__main__":
    main()
