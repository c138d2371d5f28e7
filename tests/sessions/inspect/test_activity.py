from __future__ import annotations

import pytest

from hldctl.contract.activity import ActivityKind
from hldctl.sessions.inspect import activity
from hldctl.sessions.inspect.activity import Activity
from hldctl.store.database import open_database
from tests.helpers.sandbox import Sandbox, eventually

SPEAKS = """
query = json.loads(sys.stdin.readline())["message"]["content"]
def write(**line):
    print(json.dumps(line), flush=True)
def say(*blocks, inside=None):
    write(type="assistant", parent_tool_use_id=inside, message={"content": list(blocks)})
def call(number, name, **words):
    return {"type": "tool_use", "id": number, "name": name, "input": words}
if "works" in query:
    say(call("a", "Task", description="Look around", prompt="Look."))
    say(call("b", "Grep", pattern="x"), inside="a")
if "speaks" in query:
    say({"type": "text", "text": "First."})
    say({"type": "text", "text": "Well …"})
    say({"type": "text", "text": ""})
if "tries" in query:
    write(type="system", subtype="api_retry", error_status=529, attempt=2, max_retries=10, retry_delay_ms=1500)
if "stops" in query:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
write(type="system", subtype="ready")
time.sleep(3600)
"""


def current_activities(sandbox: Sandbox) -> dict[str, Activity]:
    with open_database(sandbox.state):
        return activity.load_activities()


def test_each_session_has_an_activity(sandbox: Sandbox) -> None:
    sandbox.fake_claude(SPEAKS)
    queries = ("works", "speaks", "tries", "thinks", "stops")
    ids = {query: sandbox.launch(query, "--name", query) for query in queries}
    for session_id in ids.values():
        sandbox.wait_for_journal(session_id, "ready")
    ids |= {f"behind {n}": sandbox.launch("Hi", "--name", "works", "--if-running", "queue") for n in (1, 2)}
    sandbox.configure("max_running = 1")
    ids |= {f"slot {n}": sandbox.launch("Hi") for n in (1, 2)}
    sandbox.run("interrupt", ids["stops"], "--no-wait", "--timeout", "1h")
    activities = eventually(lambda: _activities_when_complete(sandbox, ids), "all to be known")
    assert activities is not None
    assert (activities["works"].kind, activities["works"].tool, activities["works"].argument) == (
        ActivityKind.TOOL,
        "Task",
        "Look around",
    )
    # The subagent's call is not shown, since the main conversation has a call of its own.
    assert activities["works"].more_count == 0
    assert activities["speaks"].kind == ActivityKind.ANSWERING
    assert activities["tries"].note == "API error 529; attempt 2 of 10 in 1.5 s"
    assert activities["thinks"].kind == ActivityKind.THINKING
    assert activities["stops"].kind == ActivityKind.STOPPING
    assert [(activities[f"behind {n}"].name, activities[f"behind {n}"].ahead_count) for n in (1, 2)] == [
        ("works", 1),
        ("works", 2),
    ]
    assert [(activities[f"slot {n}"].name, activities[f"slot {n}"].ahead_count) for n in (1, 2)] == [
        (None, 2),
        (None, 3),
    ]
    with open_database(sandbox.state):
        assert [activity.latest_reply(ids[name]) for name in ("speaks", "thinks")] == ["Well …", None]


def _activities_when_complete(sandbox: Sandbox, ids: dict[str, str]) -> dict[str, Activity] | None:
    activities = current_activities(sandbox)
    named = {name: activities[session_id] for name, session_id in ids.items()}
    expected = {
        "works": ActivityKind.TOOL,
        "speaks": ActivityKind.ANSWERING,
        "tries": ActivityKind.RETRYING,
        "stops": ActivityKind.STOPPING,
    }
    return named if all(named[name].kind == doing for name, doing in expected.items()) else None


@pytest.mark.parametrize(
    ("tool_input", "argument"),
    [
        ('{"description": "Runs the tests", "command": "npm test"}', "npm test"),
        ('{"limit": 3, "file_path": "a.py"}', "a.py"),
        ('{"unheard_of": "something", "n": 1}', "something"),
        ('{"n": 1}', ""),
        ('["a"]', ""),
        ("no JSON", ""),
        (None, ""),
    ],
)
def test_most_informative_input_is_shown(tool_input: str | None, argument: str) -> None:
    assert activity.key_argument(tool_input) == argument
