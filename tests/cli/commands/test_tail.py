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


def test_end_of_the_session_is_reported_on_standard_error(sandbox: Sandbox, ended: str) -> None:
    for follow in ([], ["-f"]):
        done = sandbox.run("tail", *follow, ended)
        assert re.fullmatch(rf"hldctl: session {ended[:8]} completed after \d+s · 2 turns · .*\n", done.stderr)


def test_number_alone_is_a_number_of_events(sandbox: Sandbox, ended: str) -> None:
    assert sandbox.ok("tail", "-2", ended) == sandbox.ok("tail", "-n", "2", ended)


def test_since_selects_events_by_time(sandbox: Sandbox, ended: str) -> None:
    assert sandbox.ok("tail", "--since", "1h", ended) == LINES
    sandbox.sql("UPDATE conversation_events SET created_at = created_at - 7200000 WHERE sequence <= 5")
    assert sandbox.ok("tail", "--since", "1h", ended) == "claude: Two.\n"


def test_timestamps_are_in_utc_in_a_pipe(sandbox: Sandbox, ended: str) -> None:
    lines = sandbox.ok("tail", "-t", ended).splitlines()
    times = [event["created_at"] for event in sandbox.events(ended)]
    labelled = [line for line in lines if not line.startswith("  ")]
    assert [line.split(" ", 1)[0] for line in labelled] == times


def test_exit_status_is_that_of_the_sessions(sandbox: Sandbox, ended: str) -> None:
    assert sandbox.run("tail", "--exit-status", ended).returncode == 0
    sandbox.sql("UPDATE sessions SET status = 'failed', end_reason = 'error' WHERE id = ?", ended)
    assert sandbox.run("tail", "--exit-status", "-f", ended).returncode == 1
    sandbox.sql("UPDATE sessions SET end_reason = 'timeout' WHERE id = ?", ended)
    assert sandbox.run("tail", "--exit-status", ended).returncode == 124


def test_color_always_keeps_the_layout_in_a_pipe(sandbox: Sandbox, ended: str) -> None:
    for follow in ([], ["-f"]):
        output = sandbox.ok("tail", "--color", "always", *follow, ended)
        assert "\x1b[" in output
        plain = re.sub(r"\x1b\[[\d;]*m", "", output)
        assert plain.startswith("▌ Hello\n")
        assert "\n✓ Bash  printf 'a b'" in plain
        assert "\n  a\n  b\n" in plain
        assert "\n✓ completed" in plain
    assert "\x1b[" not in sandbox.ok("tail", "--color", "never", ended)


def test_output_of_commands_is_shown_as_a_terminal_shows_it(sandbox: Sandbox) -> None:
    command = "printf '\\033[1;31mred\\033[0m\\n10%%\\r100%%\\n\\033]0;title\\007text\\n'"
    sandbox.serve_script(f"call Bash {json.dumps({'command': command})}\n\nsay Done.")
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.ok("wait", session_id)
    assert "result: red\n  100%\n  text\n" in sandbox.ok("tail", session_id)
    result = next(event for event in sandbox.events(session_id) if event["event_type"] == "tool_result")
    assert "\x1b[1;31mred" in result["tool_result_content"]


def test_errors_of_tools_are_shown_without_tags(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Edit {"file_path": "a.txt", "old_string": "x\\ny", "new_string": "z"}\n\nsay Done.')
    (sandbox.work / "a.txt").write_text("a\n")
    session_id = sandbox.launch("Hello", "--allowed-tools", "Edit,Read")
    sandbox.ok("wait", session_id)
    assert "error: " in sandbox.ok("tail", session_id)
    for options in ([], ["--color", "always", "--tools", "full"]):
        assert "tool_use_error>" not in sandbox.ok("tail", *options, session_id)


def test_first_lines_of_long_output_are_shown(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "seq 1 300"}\n\nsay Done.')
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.ok("wait", session_id)
    output = sandbox.ok("tail", "--color", "always", session_id)
    assert "  1\n  2\n  3\n  … +297 lines\n" in re.sub(r"\x1b\[[\d;]*m", "", output)


def test_parallel_subagents_can_be_distinguished_in_a_pipe(sandbox: Sandbox) -> None:
    agents = [
        json.dumps({"description": f"Review {name}", "prompt": f"Look at {name}.", "run_in_background": False})
        for name in ("docs", "code")
    ]
    calls = "\n".join(f"call Agent {agent}" for agent in agents)
    sandbox.serve_script(f"{calls}\n\nsay Done.\n\n[docs]\nsay Docs are fine.\n\n[code]\nsay Code is fine.\n")
    session_id = sandbox.launch("Hello", "--allowed-tools", "Agent")
    sandbox.ok("wait", session_id)
    lines = sandbox.ok("tail", session_id).splitlines()
    for name in ("docs", "code"):
        assert f"  [Review {name}] user: Look at {name}." in lines
