"""Main function of the permission hook, which reads a request on standard input and writes the decision.

Its arguments are the session, the state directory and the directories of its modules. It does not read them from the
environment, which the settings of a checked-out project can change. Any error leads to a denial with a message that the
model can act on, never to a silent permission.
"""

from __future__ import annotations

import os
import sys
from typing import Any


def main() -> None:
    os.umask(0o077)
    session_id, home = ([*sys.argv[1:], "", ""])[:2]
    sys.path += sys.argv[3:]
    # An import can fail, too, so all of them are inside the try statement.
    try:
        from hldctl.claude.permission_hook import parse_request
        from hldctl.permission_hook.decide import Decision, Undecided, decide

        decision: Decision | Undecided | None
        try:
            permission_request = parse_request(sys.stdin.buffer.read())
        except ValueError as error:
            decision = _denial(f"hldctl could not read Claude Code's permission request: {error}.")
        else:
            decision = decide(permission_request, session_id, home)
        if isinstance(decision, Undecided):
            # Imported late: a request that waits has time for it.
            from hldctl.permission_hook.wait import wait_for_answer

            decision = wait_for_answer(*decision, home)
    except Exception as error:
        decision = _denial(f"hldctl could not answer the permission request: {type(error).__name__}: {error}.")
    if decision is not None:
        from hldctl.claude.permission_hook import hook_output

        sys.stdout.write(hook_output(decision))
        sys.stdout.flush()
    # Skip Python's shutdown: Claude Code waits until this process has ended.
    os._exit(0)


def _denial(message: str) -> dict[str, Any]:
    from hldctl.claude.permission_hook import denial

    return denial(f"{message} Ask the user to run `hldctl doctor`, and continue without this call if you can.")


if __name__ == "__main__":
    main()
