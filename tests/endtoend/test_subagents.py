from __future__ import annotations

import json

from tests.helpers.sandbox import Sandbox

TWO_IN_THE_BACKGROUND = """
call Agent {"description": "first", "prompt": "Do part one", "run_in_background": true}
call Agent {"description": "second", "prompt": "Do part two", "run_in_background": true}

say Both have begun.

[SYSTEM NOTIFICATION]
say So that is done.

[Do part one]
wait 500ms
call Bash {"command": "echo part one"}

say Part one is done.

[Do part two]
wait 1500ms
say Part two is done.
"""


def test_two_background_subagents_complete_in_one_session(sandbox: Sandbox) -> None:
    sandbox.serve_script(TWO_IN_THE_BACKGROUND)
    session_id = sandbox.launch("Begin", "--allowed-tools", "Agent,Bash")
    session = sandbox.wait_for_end(session_id)
    lines = [json.loads(line) for line in sandbox.files(session_id).journal.read_bytes().splitlines()]
    inits = [line for line in lines if line["type"] == "system" and line["subtype"] == "init"]
    results = [line for line in lines if line["type"] == "result"]
    events = sandbox.events(session_id)
    assert len(inits) > 1
    assert len(results) > 1
    assert (session["status"], session["end_reason"]) == ("completed", "success")
    assert session["result_content"] == results[-1]["result"] == "So that is done."
    assert session["num_turns"] == sum(result["num_turns"] for result in results)
    assert session["duration_ms"] == sum(result["duration_ms"] for result in results)
    assert session["cost_usd"] == results[-1]["total_cost_usd"]
    agents = [event for event in events if event["tool_name"] == "Agent"]
    calls = {event["tool_id"]: event for event in agents if event["event_type"] == "tool_call"}
    spoken = {event["content"]: event for event in events if event["parent_tool_use_id"] in calls and event["content"]}
    assert {"Part one is done.", "Part two is done."} <= set(spoken)
    assert all(call["is_completed"] for call in calls.values())
    last_words = [
        line["message"]["usage"] for line in lines if line["type"] == "assistant" and not line["parent_tool_use_id"]
    ]
    assert session["effective_context_tokens"] == last_words[-1]["input_tokens"] + last_words[-1]["output_tokens"]
