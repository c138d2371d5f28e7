from __future__ import annotations

import json

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox

COUNT = 20


def test_twenty_concurrent_launches_lose_and_duplicate_nothing(sandbox: Sandbox) -> None:
    sandbox.serve_script('think Hm.\nsay First.\ncall Bash {"command": "echo once"}\n\nwait 200ms\nsay Last.')
    launchers = [sandbox.popen("launch", f"Task {number}", "--allowed-tools", "Bash") for number in range(COUNT)]
    ids = [launcher.communicate(timeout=TIMEOUT_SECONDS)[0].strip() for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0] * COUNT
    assert len(set(ids)) == COUNT
    wait = sandbox.popen("wait", *ids)
    assert wait.communicate(timeout=4 * TIMEOUT_SECONDS) == ("", "")
    assert wait.returncode == 0
    for number, session_id in enumerate(ids):
        events = sandbox.events(session_id)
        assert sandbox.show(session_id)["end_reason"] == "success"
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        assert [event["content"] or event["tool_result_content"] or event["tool_name"] for event in events] == [
            f"Task {number}",
            "Hm.",
            "First.",
            "Bash",
            "once",
            "Last.",
        ]
    listing = json.loads(sandbox.ok("ls", "--json"))
    assert {session["id"] for session in listing} == set(ids)
