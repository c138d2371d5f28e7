from __future__ import annotations

import json
import re
import signal

import pytest

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox

SCRIPT = 'think Hm.\nsay One.\ncall Bash {"command": "printf \'a\\nb\'"}\n\nsay Two.'
LINES = """\
user: Hello
thinking: Hm.
claude: One.
call Bash: {"command": "printf 'a\\nb'"}
result: a
  b
claude: Two.
"""


@pytest.fixture
def ended(sandbox: Sandbox) -> str:
    sandbox.serve_script(SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.ok("wait", session_id)
    return session_id


def test_tail_prints_the_conversation(sandbox: Sandbox, ended: str) -> None:
    assert sandbox.ok("tail", ended) == LINES
    assert sandbox.ok("tail", "-f", ended) == LINES


def test_n_and_after_select_events(sandbox: Sandbox, ended: str) -> None:
    assert sandbox.ok("tail", "-n", "1", ended) == "claude: Two.\n"
    assert sandbox.ok("tail", "-n", "0", ended) == ""
    assert sandbox.ok("tail", "--after", "5", ended) == "claude: Two.\n"
    assert sandbox.ok("tail", "--after", "99", ended) == ""
    assert sandbox.ok("tail", "--after", "1", "-n", "1", ended) == "claude: Two.\n"
    lines = sandbox.ok("tail", "--json", "--after", "2", ended).splitlines()
    sequences = [json.loads(line)["sequence"] for line in lines]
    assert sequences == [3, 4, 5, 6]


def test_json_lines_are_the_events(sandbox: Sandbox, ended: str) -> None:
    lines = sandbox.ok("tail", "--json", ended).splitlines()
    assert [json.loads(line) for line in lines] == sandbox.events(ended)


def test_events_have_the_documented_fields(sandbox: Sandbox, ended: str) -> None:
    query, thinking, answer, call, result, last = sandbox.events(ended)
    assert (
        list(query)
        == (
            "session_id sequence event_type role content tool_id tool_name tool_input parent_tool_use_id"
            " tool_result_for_id tool_result_content is_error is_completed approval_status approval_id created_at"
        ).split()
    )
    assert (query["event_type"], query["role"], query["content"]) == ("message", "user", "Hello")
    assert (thinking["event_type"], answer["event_type"], last["content"]) == ("thinking", "message", "Two.")
    assert (call["tool_name"], call["tool_input"]) == ("Bash", {"command": "printf 'a\nb'"})
    assert call["is_completed"] is True
    assert result["tool_result_for_id"] == call["tool_id"]
    assert (result["tool_result_content"], result["is_error"]) == ("a\nb", False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", query["created_at"])


def test_raw_is_the_journal_byte_for_byte(sandbox: Sandbox, ended: str) -> None:
    journal = sandbox.files(ended).journal.read_text()
    assert sandbox.ok("tail", "--raw", ended) == journal
    assert sandbox.ok("tail", "--raw", "-f", ended) == journal
    assert sandbox.ok("tail", "--raw", "-n", "2", ended) == "".join(journal.splitlines(keepends=True)[-2:])
    assert sandbox.ok("tail", "--raw", "-n", "0", ended) == ""
    assert sandbox.ok("tail", "--raw", "-n", "999", ended) == journal


def test_lines_of_several_sessions_have_prefixes(sandbox: Sandbox, ended: str) -> None:
    other = sandbox.launch("Hello", "--allowed-tools", "Bash")
    lines = sandbox.ok("tail", "-f", ended, other).splitlines()
    for session_id in (ended, other):
        own_lines = [line.removeprefix(f"{session_id[:8]}  ") for line in lines if line.startswith(session_id[:8])]
        assert "\n".join(own_lines) + "\n" == LINES


def test_interrupted_tail_leaves_the_session_running(sandbox: Sandbox) -> None:
    sandbox.serve_script('say Here.\ncall Bash {"command": "until [ -e go-on ]; do sleep 0.1; done"}\n\nsay Done.')
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "Here.")
    with sandbox.popen("tail", "-f", session_id) as follower:
        assert follower.stdout is not None
        assert [follower.stdout.readline() for _ in range(2)] == ["user: Hello\n", "claude: Here.\n"]
        follower.send_signal(signal.SIGINT)
        assert follower.wait(TIMEOUT_SECONDS) == 130
        assert follower.stderr is not None
        assert follower.stderr.read() == ""
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"


def test_closed_pipe_exits_like_sigpipe(sandbox: Sandbox, ended: str) -> None:
    with sandbox.popen("tail", "--raw", ended) as tail:
        assert tail.stdout is not None
        tail.stdout.close()
        assert tail.stderr is not None
        assert tail.stderr.read() == ""
    # The exit code that a shell gives a program killed by SIGPIPE; 1 would mean that a session failed.
    assert tail.returncode == 141


def test_thinking_and_tools_set_the_level_of_detail(sandbox: Sandbox, ended: str) -> None:
    assert sandbox.ok("tail", ended, "--thinking", "full") == LINES
    assert (
        sandbox.ok("tail", ended, "--thinking", "none", "--tools", "none")
        == "user: Hello\nclaude: One.\nclaude: Two.\n"
    )
    assert sandbox.ok("tail", "-f", ended, "--tools", "brief") == LINES.replace("  b\n", "")
    whole_input = """call Bash: {\n    "command": "printf 'a\\nb'"\n  }\n"""
    assert sandbox.ok("tail", ended, "--tools", "full", "-n", "3") == f"{whole_input}result: a\n  b\nclaude: Two.\n"


def test_live_prints_complete_messages_too(sandbox: Sandbox, ended: str) -> None:
    assert sandbox.ok("tail", "-f", "--live", ended) == LINES


@pytest.mark.parametrize(
    "options", [["--raw", "--json"], ["--json", "--tools", "none"], ["--raw", "--thinking", "full"], ["--live"]]
)
def test_contradictory_options_are_rejected(sandbox: Sandbox, ended: str, options: list[str]) -> None:
    assert sandbox.run("tail", *options, ended).returncode == 2
