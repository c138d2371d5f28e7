"""Lines of any size: recorded and read again within bounded memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.outcome import assert_no_process_is_left
from tests.helpers.sandbox import Sandbox

MEGABYTE = 1 << 20
# Bytes for each process; the 250 MB line alone took 1.3 GB before it was truncated.
ADDRESS_SPACE = 1 << 30
# The middle of the line is a hole in the file, which does not have to be written.
LONG_LINE = """
def say(**event):
    print(json.dumps(event), flush=True)
say(type="system", subtype="init", session_id="x", model="claude-opus-5")
say(type="assistant", message={"content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}]})
start = json.dumps({"type": "user", "message": {"role": "user", "content": [
    {"tool_use_id": "toolu_1", "type": "tool_result", "content": "It begins"}]}})
os.write(1, start[:start.index("begins") + 6].encode() + b"x" * 70_000)
os.ftruncate(1, os.fstat(1).st_size + SIZE)
os.write(1, b'"}]}}\\n')
say(type="assistant", message={"role": "assistant", "content": "Two."})
say(type="result", subtype="success", is_error=False, result="Two.")
"""


def limit_memory(sandbox: Sandbox) -> None:
    """Limit the address space of all processes that the sandbox starts from now on, including supervisors."""
    limit = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE},) * 2)"
    sandbox.prefix = (sys.executable, "-c", f"{limit}; os.execvp(sys.argv[1], sys.argv[1:])")


@pytest.mark.parametrize("size", [70 * MEGABYTE, 250 * MEGABYTE, 1024 * MEGABYTE])
def test_line_of_any_size_is_recorded_and_the_session_ends(sandbox: Sandbox, size: int) -> None:
    limit_memory(sandbox)
    sandbox.fake_claude(LONG_LINE.replace("SIZE", str(size)))
    session_id = sandbox.launch("Hello")
    sandbox.ok("wait", session_id)
    session = sandbox.show(session_id)
    assert (session["end_reason"], session["result_content"]) == ("success", "Two.")
    journal = sandbox.files(session_id).journal
    assert sandbox.sql("SELECT journal_offset FROM sessions") == [(journal.stat().st_size,)]
    events = sandbox.events(session_id)
    assert [event["event_type"] for event in events] == ["message", "tool_call", "tool_result", "system", "message"]
    assert (events[1]["is_completed"], events[2]["tool_result_for_id"]) == (True, "toolu_1")
    assert events[2]["tool_result_content"].startswith("It begins")
    assert len(events[2]["tool_result_content"]) <= 64 << 10
    assert "of which only the beginning is recorded" in events[3]["content"]
    end = int(events[3]["content"].split("ends at byte ")[1].split()[0])
    with journal.open("rb") as file:
        file.seek(end)
        assert b"Two." in file.readline()
    for command in (["tail"], ["export"], ["export", "--format", "json"], ["show", "--events", "--json"]):
        assert "Two." in sandbox.ok(*command, session_id)
    assert sandbox.files(session_id).log.read_text() == ""
    assert_no_process_is_left(sandbox)
    assert count_raw(sandbox, session_id) == journal.stat().st_size


def count_raw(sandbox: Sandbox, session_id: str) -> int:
    """Return the bytes that `tail --raw` prints within the same limit."""
    command = [*sandbox.prefix, sys.executable, "-m", "hldctl", "tail", "--raw", session_id]
    with subprocess.Popen(command, cwd=sandbox.work, env=sandbox.environment, stdout=subprocess.PIPE) as tail:
        assert tail.stdout is not None
        count = 0
        while block := tail.stdout.read(MEGABYTE):
            count += len(block)
    assert tail.returncode == 0
    return count


def test_largest_line_recorded_whole_fits_in_memory(sandbox: Sandbox) -> None:
    limit_memory(sandbox)
    sandbox.fake_claude(f"""
print(json.dumps({{"type": "assistant", "message": {{"content": "x" * {60 * MEGABYTE}}}}}), flush=True)
print(json.dumps({{"type": "result", "subtype": "success", "is_error": False, "result": "ok"}}), flush=True)
""")
    session_id = sandbox.launch("Hello")
    sandbox.ok("wait", session_id)
    assert sandbox.show(session_id)["end_reason"] == "success"
    ((length,),) = sandbox.sql("SELECT length(content) FROM conversation_events WHERE sequence = 2")
    assert length == 60 * MEGABYTE
    assert sandbox.files(session_id).log.read_text() == ""
    for command in (["tail"], ["export"], ["export", "--format", "json"]):
        assert sandbox.run(*command, session_id).returncode == 0
