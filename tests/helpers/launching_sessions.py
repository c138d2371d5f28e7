"""Sessions whose tool runs hldctl, and so launches others."""

from __future__ import annotations

from collections.abc import Sequence

from tests.helpers.sandbox import Sandbox

CLEAN = 'env -u HLDCTL_SESSION_ID -u CLAUDE_PID PATH="$PATH"'
"""Runs a command of a tool without the marker of its session."""
STAY = "until [ -e {0} ]; do sleep 0.1; done"
"""Waits for a file."""


def script_of(sandbox: Sandbox, name: str, *commands: str) -> str:
    """Return a section of a script: the session with the query `name` runs these commands in one tool call.

    Output, errors and exit code of each are in the file `name`.N.
    """
    lines = [
        f'{{ {command}\n}} > {name}.{number} 2>&1; echo "exit $?" >> {name}.{number}'
        for number, command in enumerate(commands)
    ]
    (sandbox.work / f"{name}.sh").write_text("\n".join([*lines, f"touch {name}.over", ""]))
    return f'[{name}]\ncall Bash {{"command": "sh {name}.sh", "timeout": 600000}}\n\nsay Done.\n'


def serve(sandbox: Sandbox, *sections: str) -> None:
    """Play these sections for the sessions with their queries, and a short answer for all others."""
    sandbox.serve_script("\n".join(["say Done.\n", *sections]))


def tool(*names: str) -> list[str]:
    """Return the option that allows the commands of these sessions."""
    return ["--allowed-tools", ",".join(f"Bash(sh {name}.sh)" for name in names)]


def results(sandbox: Sandbox, name: str) -> list[tuple[int, str]]:
    """Return the exit code of each command of a session, and what it printed."""
    found = []
    number = 0
    while (file := sandbox.work / f"{name}.{number}").exists():
        *printed, code = file.read_text().splitlines()
        found.append((int(code.removeprefix("exit ")), "\n".join(printed)))
        number += 1
    return found


def run_within(sandbox: Sandbox, commands: Sequence[str], *options: str) -> tuple[str, list[tuple[int, str]]]:
    """Run these commands in a session "outer", and return its id and their results."""
    serve(sandbox, script_of(sandbox, "outer", *commands))
    session_id = sandbox.launch("outer", *tool("outer"), *options)
    assert sandbox.wait_for_end(session_id)["status"] == "completed"
    found = results(sandbox, "outer")
    assert len(found) == len(commands)
    return session_id, found
