from __future__ import annotations

import json

import pytest

from tests.sandbox import Sandbox

SESSION_FIELDS = """\
id run_id name claude_session_id parent_session_id status end_reason query summary title model model_id
working_dir additional_directories max_turns max_budget_usd system_prompt append_system_prompt custom_instructions
permission_mode permission_prompt_tool allowed_tools disallowed_tools auto_accept_edits
dangerously_skip_permissions dangerously_skip_permissions_expires_at archived created_at last_activity_at
completed_at duration_ms num_turns cost_usd input_tokens output_tokens cache_creation_input_tokens
cache_read_input_tokens effective_context_tokens context_window result_content error_message exit_code pid
supervisor_pid pending_approvals permission_denials""".split()

SAYS_COST = """
query = sys.stdin.read()
result = {"type": "result", "subtype": "success", "is_error": "bad" in query, "result": "ok", "num_turns": 1,
          "duration_ms": 5, "total_cost_usd": 3.0 if "dear" in query else 1.0}
print(json.dumps(result))
"""


@pytest.fixture
def three(sandbox: Sandbox) -> list[str]:
    """Oldest first: a cheap one, a dear one, a bad one."""
    sandbox.claude(SAYS_COST)
    ids = [sandbox.launch(*words) for words in (["cheap"], ["dear", "--title", "Opera"], ["bad"])]
    sandbox.run("wait", *ids)
    return ids


def ids(sandbox: Sandbox, *arguments: str) -> list[str]:
    return sandbox.ok("ls", "-q", *arguments).split()


def test_the_newest_comes_first(sandbox: Sandbox, three: list[str]) -> None:
    assert ids(sandbox) == three[::-1]
    assert ids(sandbox, "--limit", "1") == three[2:]


def test_filters(sandbox: Sandbox, three: list[str]) -> None:
    assert ids(sandbox, "--status", "failed") == [three[2]]
    assert ids(sandbox, "--status", "failed", "--status", "completed") == three[::-1]
    assert ids(sandbox, "--search", "opera") == [three[1]]
    assert ids(sandbox, "--search", "che") == [three[0]]
    assert ids(sandbox, "--since", "1h") == three[::-1]
    assert ids(sandbox, "--since", "0") == []


def test_sort(sandbox: Sandbox, three: list[str]) -> None:
    assert ids(sandbox, "--sort", "cost") == [three[1], three[2], three[0]]


def test_json_has_the_contracts_fields(sandbox: Sandbox, three: list[str]) -> None:
    listed = json.loads(sandbox.ok("ls", "--json"))
    assert [list(session)[: len(SESSION_FIELDS)] for session in listed] == [SESSION_FIELDS] * 3
    shown = sandbox.show(three[2])
    assert shown == listed[0] | {"children": [], "left_running": [], "mcp_servers": [], "rules": []}


def test_format(sandbox: Sandbox, three: list[str]) -> None:
    assert sandbox.ok("ls", "--format", "{id} {status} {title}").splitlines() == [
        f"{three[2]} failed ",
        f"{three[1]} completed Opera",
        f"{three[0]} completed ",
    ]
    refused = sandbox.run("ls", "--format", "{nonsense}")
    assert (refused.returncode, "nonsense" in refused.stderr) == (2, True)


def test_the_table(sandbox: Sandbox, three: list[str]) -> None:
    header, *rows = sandbox.ok("ls").splitlines()
    assert header.split() == ["ID", "STATUS", "AGE", "TURNS", "COST", "TITLE"]
    assert [row.split()[0] for row in rows] == [session_id[:8] for session_id in three[::-1]]
    assert rows[1].endswith("Opera")


def test_a_table_cut_short_says_so(sandbox: Sandbox, three: list[str]) -> None:
    shown = sandbox.run("ls", "--limit", "2")
    assert len(shown.stdout.splitlines()) == 3
    assert "--limit 0" in shown.stderr


def test_no_sessions(sandbox: Sandbox) -> None:
    assert sandbox.ok("ls", "--json").strip() == "[]"
    shown = sandbox.run("ls")
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "hldctl launch" in shown.stderr


@pytest.mark.parametrize("arguments", [["--status", "bored"], ["--since", "soon"], ["--limit", "-1"], ["--sort", "x"]])
def test_bad_usage(sandbox: Sandbox, arguments: list[str]) -> None:
    refused = sandbox.run("ls", *arguments)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
