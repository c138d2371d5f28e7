"""`hldctl approvals`: the list, and one request with its answer."""

from __future__ import annotations

import json
import re
import time

from tests.helpers.approvals import launch_with_approvals, wait_for_requests
from tests.helpers.sandbox import Sandbox
from tests.helpers.terminal import Terminal

# Claude Code runs fetches at the same time, but commands one after another.
TWO_AT_ONCE = "".join(
    f'call WebFetch {{"url": "https://{host}.invalid/", "prompt": "Read"}}\n' for host in ("one", "two")
)

WRITE = 'call Write {"file_path": "made", "content": "one\\n  two  blanks\\n"}\n\nsay Done.'
LONG = "touch made && " + " && ".join(f"echo {number}" for number in range(20)) + " && rm -rf the-end"


def test_list_names_the_session_and_the_command(sandbox: Sandbox) -> None:
    script = f"call Bash {json.dumps({'command': LONG, 'description': 'Build'})}\n\nsay Done."
    session_id = launch_with_approvals(sandbox, script, "--title", "Release 七")
    (request,) = wait_for_requests(sandbox)
    with Terminal(sandbox, "approvals", columns=80) as terminal:
        terminal.wait_for_exit()
        header, row, hint, *_ = terminal.screen()
    assert row.startswith(f"{request['id'][:8]}  {session_id[:8]} Release 七 ")
    assert " touch made && echo 0" in row
    assert row.endswith("…")
    assert header.split()[-1] == "CALL"
    assert "in full" in hint
    # A pipe gets the whole input as JSON.
    assert json.dumps({"command": LONG, "description": "Build"}) in sandbox.ok("approvals")


def test_denied_request_is_shown_with_its_answer(sandbox: Sandbox) -> None:
    launch_with_approvals(sandbox, WRITE)
    (request,) = wait_for_requests(sandbox)
    asked = sandbox.ok("approvals", request["id"])
    assert "+one\n+  two  blanks\n" in asked
    assert f"pending since {request['created_at']}" in asked
    done = sandbox.run("deny", request["id"], "--message", "Rather not.")
    assert (done.returncode, done.stdout) == (0, f"{request['id']}\n")
    assert "denied Write" in done.stderr
    assert "+  two  blanks\n" in done.stderr
    text = sandbox.ok("approvals", request["id"])
    assert "+  two  blanks\n" in text
    assert re.search(r"^denied 20\S+Z by \S+, with `hldctl deny` without a terminal$", text, re.MULTILINE)
    assert "message to the model: Rather not.\n" in text


def test_terminal_shows_local_time(sandbox: Sandbox) -> None:
    launch_with_approvals(sandbox, WRITE)
    (request,) = wait_for_requests(sandbox)
    sandbox.ok("approve", request["id"])
    sandbox.sql("UPDATE approvals SET created_at = ?, responded_at = ?", 1_767_225_600_000, 1_767_225_661_500)
    zone = {"TZ": "Asia/Tokyo", "PAGER": "cat"}
    assert time.strftime("%Y", time.gmtime(1_767_225_600)) == "2026"
    with Terminal(sandbox, "approvals", request["id"], environment=zone) as terminal:
        _, output = terminal.wait_for_exit()
    assert "asked 2026-01-01 09:00:00" in output
    assert "approved 2026-01-01 09:01:01 by " in output
    error = sandbox.run("approve", request["id"], environment=zone).stderr
    assert "at 2026-01-01 09:01:01." in error


def test_changed_input_is_shown_and_in_json(sandbox: Sandbox) -> None:
    launch_with_approvals(sandbox, 'call Bash {"command": "touch made"}\n\nsay Done.')
    (request,) = wait_for_requests(sandbox)
    assert request["updated_input"] is None
    done = sandbox.run("approve", request["id"], "--input", '{"command": "touch other"}')
    assert "touch other" in done.stderr
    assert "touch made" not in done.stderr
    text = sandbox.ok("approvals", request["id"])
    assert "$ touch made\n" in text
    assert "it ran with this input instead:\n$ touch other\n" in text
    (shown,) = json.loads(sandbox.ok("approvals", request["id"], "--json"))
    assert shown["updated_input"] == {"command": "touch other"}


def test_session_with_several_requests_lists_them(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, f"{TWO_AT_ONCE}\nsay Done.")
    requests = wait_for_requests(sandbox, session_id, 2)
    for command in ("approve", "deny"):
        done = sandbox.run(command, "--session", "last")
        assert (done.returncode, done.stdout) == (4, "")
        for request in requests:
            assert f"{request['id']} (WebFetch {request['tool_input']['url']})" in done.stderr
    sandbox.ok("deny", "--all", "--session", "last")


def test_arguments_are_shown_by_name(sandbox: Sandbox) -> None:
    arguments = {"command": "make", "description": "First\nsecond", "timeout": 120000}
    launch_with_approvals(sandbox, f"call Bash {json.dumps(arguments)}\n\nsay Done.")
    (request,) = wait_for_requests(sandbox)
    assert "$ make\ntimeout: 120000\ndescription:\n  First\n  second\n" in sandbox.ok("approvals", request["id"])
