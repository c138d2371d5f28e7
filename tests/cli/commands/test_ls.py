from __future__ import annotations

import json
import os
import sys

import pytest

from tests.helpers.sandbox import Sandbox
from tests.helpers.seed_database import seed_sessions
from tests.helpers.terminal import Terminal

SESSION_FIELDS = """\
id run_id name claude_session_id parent_session_id status end_reason query summary title model model_id
working_dir additional_directories max_turns max_budget_usd system_prompt append_system_prompt custom_instructions
permission_mode permission_prompt_tool allowed_tools disallowed_tools auto_accept_edits
dangerously_skip_permissions dangerously_skip_permissions_expires_at archived created_at last_activity_at
completed_at duration_ms num_turns cost_usd input_tokens output_tokens cache_creation_input_tokens
cache_read_input_tokens effective_context_tokens context_window result_content error_message exit_code pid
supervisor_pid pending_approvals permission_denials""".split()

COSTS = """
query = json.loads(sys.stdin.readline())["message"]["content"]
result = {"type": "result", "subtype": "success", "is_error": "bad" in query, "result": "ok", "num_turns": 1,
          "duration_ms": 5, "total_cost_usd": 3.0 if "dear" in query else 1.0}
print(json.dumps(result))
"""


@pytest.fixture
def three(sandbox: Sandbox) -> list[str]:
    """Three sessions, the oldest first: a cheap, an expensive and a failed one."""
    sandbox.fake_claude(COSTS)
    ids = [sandbox.launch(*arguments) for arguments in (["cheap"], ["dear", "--title", "Opera"], ["bad"])]
    sandbox.run("wait", *ids)
    return ids


def ids(sandbox: Sandbox, *arguments: str) -> list[str]:
    return sandbox.ok("ls", "-q", *arguments).split()


def test_ls_lists_newest_first(sandbox: Sandbox, three: list[str]) -> None:
    assert ids(sandbox) == three[::-1]
    assert ids(sandbox, "--limit", "1") == three[2:]


def test_filters_select_sessions(sandbox: Sandbox, three: list[str]) -> None:
    assert ids(sandbox, "--status", "failed") == [three[2]]
    assert ids(sandbox, "--status", "failed", "--status", "completed") == three[::-1]
    assert ids(sandbox, "--search", "opera") == [three[1]]
    assert ids(sandbox, "--search", "che") == [three[0]]
    assert ids(sandbox, "--since", "1h") == three[::-1]
    assert ids(sandbox, "--since", "0") == []


def test_sort_orders_by_cost(sandbox: Sandbox, three: list[str]) -> None:
    assert ids(sandbox, "--sort", "cost") == [three[1], three[2], three[0]]


def test_json_has_the_documented_fields(sandbox: Sandbox, three: list[str]) -> None:
    listed = json.loads(sandbox.ok("ls", "--json"))
    assert [list(session)[: len(SESSION_FIELDS)] for session in listed] == [SESSION_FIELDS] * 3
    session = sandbox.show(three[2])
    lists = ("children", "launched", "left_running", "mcp_servers", "predecessors", "rules", "undelivered_messages")
    assert session == listed[0] | {name: [] for name in lists} | {"sent_query": None}


def test_format_prints_the_given_fields(sandbox: Sandbox, three: list[str]) -> None:
    assert sandbox.ok("ls", "--format", "{id} {status} {title}").splitlines() == [
        f"{three[2]} failed ",
        f"{three[1]} completed Opera",
        f"{three[0]} completed ",
    ]
    rejected = sandbox.run("ls", "--format", "{nonsense}")
    assert (rejected.returncode, "nonsense" in rejected.stderr) == (2, True)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{title:>100000000000}", "wider than 1000"),
        ("{cost_usd:.100000000000f}", "wider than 1000"),
        ("{max_turns:0>9999d}", "wider than 1000"),
        ("{title:>{num_turns}}", "is not a valid format"),
        ("{title:{title:{title}}}", "Max string recursion exceeded|not a valid format"),
        ("{id.__class__}", "unknown field"),
        ("{0}", "unknown field"),
        ("{}", "unknown field"),
        ("{id[0]}", "has no elements"),
        ("{title:d}", "Unknown format code"),
        ("{created_at:.2f}", "Unknown format code"),
        ("{num_turns:c}", "not a valid format"),
        ("{id!z}", "conversion"),
        ("{id", "expected '}'"),
        ("}", "Single '}'"),
    ],
)
def test_invalid_format_is_rejected_before_any_output(sandbox: Sandbox, template: str, reason: str) -> None:
    # It is rejected even if there is no session to format.
    rejected = sandbox.run("ls", "--format", template)
    assert (rejected.returncode, rejected.stdout, "Traceback" in rejected.stderr) == (2, "", False), rejected.stderr
    assert any(text in rejected.stderr for text in reason.split("|")), rejected.stderr


def test_format_leaves_unknown_values_blank(sandbox: Sandbox, three: list[str]) -> None:
    sandbox.sql("UPDATE sessions SET cost_usd = NULL, max_turns = 5 WHERE id = ?", three[1])
    template = "{cost_usd:.2f}|{max_turns:>4d}|{name:*^5}|{cost_usd:=+8.1f}|{archived}|{allowed_tools}|{title!r:>8}"
    assert sandbox.ok("ls", "--format", template).splitlines() == [
        "1.00|    |*****|+    1.0|False|[]|        ",
        "|   5|*****|        |False|[]| 'Opera'",
        "1.00|    |*****|+    1.0|False|[]|        ",
    ]
    assert sandbox.ok("ls", "--format", "{allowed_tools[0]}{allowed_tools[x]}") == "\n\n\n"


def test_json_memory_does_not_grow_with_sessions(sandbox: Sandbox) -> None:
    seed_sessions(sandbox.state.root, 3000, 1)
    sandbox.sql("UPDATE sessions SET result_content = printf('%.20000c', 'x')")
    peaks = []
    for options in (["--limit", "10"], []):
        with (sandbox.work / "out").open("w") as out:
            process = sandbox.popen("ls", "--json", *options, stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        assert status == 0
        # ru_maxrss is in kilobytes, on macOS in bytes.
        peaks.append(usage.ru_maxrss // (1024 if sys.platform == "darwin" else 1))
    written = (sandbox.work / "out").read_text()
    assert len(written) > 60_000_000
    assert len(json.loads(written)) == 3000
    # Sessions are read two hundred at a time.
    assert peaks[1] - peaks[0] < 30_000


def test_json_layout_is_the_same_for_any_count(sandbox: Sandbox, three: list[str]) -> None:
    assert sandbox.ok("ls", "--json", "--status", "running") == "[]\n"
    sandbox.sql('UPDATE sessions SET allowed_tools = \'["Bash", "Read"]\', title = ? WHERE id = ?', 'é\n"', three[1])
    written = sandbox.ok("ls", "--json")
    assert written == json.dumps(json.loads(written), indent=2) + "\n"
    assert [session["id"] for session in json.loads(written)] == three[::-1]
    assert json.loads(sandbox.ok("ls", "--json", "--limit", "2", "--tree")) == json.loads(written)[:2]


def test_table_has_columns_and_rows(sandbox: Sandbox, three: list[str]) -> None:
    header, *rows = sandbox.ok("ls").splitlines()
    assert header.split() == ["ID", "STATUS", "AGE", "TURNS", "COST", "TITLE"]
    assert [row.split()[0] for row in rows] == [session_id[:8] for session_id in three[::-1]]
    assert rows[1].endswith("Opera")


def test_truncated_table_says_so(sandbox: Sandbox, three: list[str]) -> None:
    listed = sandbox.run("ls", "--limit", "2")
    assert (len(listed.stdout.splitlines()), listed.stderr) == (3, "")
    seed_sessions(sandbox.state.root, 50, 1)
    listed = sandbox.run("ls")
    assert len(listed.stdout.splitlines()) == 51
    assert "only 50 shown; --limit 0 shows all" in listed.stderr


def test_ls_filters_by_directory_name_and_group(sandbox: Sandbox) -> None:
    sandbox.fake_claude(COSTS)
    sandbox.configure("[groups]\nreview = 2")
    for path in ("project/docs", "project2"):
        (sandbox.work / path).mkdir(parents=True)
    docs = sandbox.launch("Go", "-C", "project/docs", "--name", "docs")
    project = sandbox.launch("Go", "-C", "project", "--group", "review")
    other = sandbox.launch("Go", "-C", "project2", "--name", "docs2", "--group", "review")
    assert ids(sandbox, "--dir", "project") == [project, docs]
    assert ids(sandbox, "--dir", str(sandbox.work / "project" / "docs") + "/") == [docs]
    assert ids(sandbox, "--dir", ".") == [other, project, docs]
    assert ids(sandbox, "--name", "docs") == [docs]
    assert sandbox.ok("ls", "--name", "docs").splitlines()[1].endswith("  docs: Go")
    assert ids(sandbox, "--group", "review", "--dir", "project") == [project]


def test_waiting_is_a_status(sandbox: Sandbox, three: list[str]) -> None:
    sandbox.sql("UPDATE sessions SET status = 'waiting_input' WHERE id = ?", three[0])
    assert ids(sandbox, "--status", "waiting") == ids(sandbox, "--status", "waiting_input") == [three[0]]


def test_empty_list_says_why(sandbox: Sandbox, three: list[str]) -> None:
    for filters in (["--search", "nothing"], ["--status", "queued"], ["--name", "nightly"], ["--since", "0"]):
        assert sandbox.run("ls", *filters).stderr == "hldctl: no session matches; --all includes archived sessions\n"
    assert sandbox.run("ls", "--all", "--status", "queued").stderr == "hldctl: no session matches\n"
    sandbox.ok("set", *three, "--archive")
    assert sandbox.run("ls").stderr == "hldctl: all sessions are archived; `hldctl ls --all` shows them\n"
    with Terminal(sandbox, "ls", "--search", "nothing") as terminal:
        assert "no session matches" in terminal.wait_for_exit()[1]


@pytest.mark.parametrize(
    ("template", "answer"),
    [
        ("json", "for JSON there is --json"),
        ("table", "not a template"),
        ("{{.ID}}", "such as {id}"),
        ("id", "write one in braces"),
    ],
)
def test_template_of_another_tool_is_rejected(sandbox: Sandbox, three: list[str], template: str, answer: str) -> None:
    done = sandbox.run("ls", "--format", template)
    assert (done.returncode, done.stdout, answer in done.stderr) == (2, "", True), done.stderr


def test_template_has_tabs_and_newlines(sandbox: Sandbox, three: list[str]) -> None:
    assert sandbox.ok("ls", "--limit", "1", "--format", r"{status}\t{id}\n") == f"failed\t{three[2]}\n\n"


def test_narrow_table_keeps_the_status(sandbox: Sandbox, three: list[str]) -> None:
    sandbox.sql("UPDATE sessions SET status = 'interrupted', title = 'A rather long title' WHERE id = ?", three[0])
    with Terminal(sandbox, "ls", columns=40) as terminal:
        terminal.wait_for_exit()
        screen = terminal.screen()
    assert screen[0].split()[:3] == ["ID", "STATUS", "TITLE"]
    assert screen[3].split()[1:3] == ["interrupted", "A"]


def test_ls_without_sessions_suggests_launch(sandbox: Sandbox) -> None:
    assert sandbox.ok("ls", "--json").strip() == "[]"
    listed = sandbox.run("ls")
    assert (listed.returncode, listed.stdout) == (0, "")
    assert "hldctl launch" in listed.stderr


@pytest.mark.parametrize("arguments", [["--status", "bored"], ["--since", "soon"], ["--limit", "-1"], ["--sort", "x"]])
def test_invalid_options_are_bad_usage(sandbox: Sandbox, arguments: list[str]) -> None:
    rejected = sandbox.run("ls", *arguments)
    assert rejected.returncode == 2
    assert "Traceback" not in rejected.stderr
