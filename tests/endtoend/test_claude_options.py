"""Claude Code's own settings as options: what reaches the model, is recorded, inherited and changed."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from tests.helpers.sandbox import GATED_SCRIPT, Sandbox

AGENTS = {
    "reviewer": {
        "description": "Reviews code",
        "prompt": "You only review.",
        "mcpServers": [{"notes": {"command": "true", "env": {"TOKEN": "hush"}}}],
    }
}


def requests(sandbox: Sandbox) -> list[dict[str, Any]]:
    assert sandbox.server is not None
    return [*sandbox.server.requests]


def efforts(sandbox: Sandbox) -> list[str]:
    return [request["output_config"]["effort"] for request in requests(sandbox)]


def tools(sandbox: Sandbox, session: dict[str, Any]) -> set[str]:
    """Return the tools that a session has. A resumed conversation still offers those that it had before (2.1.332)."""
    lines = map(json.loads, sandbox.files(session["id"]).journal.read_bytes().splitlines())
    return {*next(line["tools"] for line in lines if line.get("subtype") == "init")}


def run(sandbox: Sandbox, *arguments: str) -> dict[str, Any]:
    return sandbox.wait_for_end(sandbox.ok(*arguments).strip())


def test_settings_reach_the_model_and_are_inherited(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    (sandbox.work / "agents.json").write_text(json.dumps(AGENTS))
    chosen = ("--effort", "High", "--fallback-model", "haiku,sonnet", "--tools", "Read,Bash")
    parent = run(sandbox, "launch", "Hi", *chosen, "--agents", "agents.json", "--agent", "reviewer")
    child = run(sandbox, "continue", parent["id"], "More")
    for session in (parent, child):
        assert session["status"] == "completed"
        assert tools(sandbox, session) == {"Read", "Bash"}
        assert (session["effort"], session["fallback_model"]) == ("high", "haiku,sonnet")
        assert (session["agent"], session["agent_names"], session["tools"]) == (
            "reviewer",
            ["reviewer"],
            ["Read", "Bash"],
        )
    for request in requests(sandbox):
        assert request["output_config"]["effort"] == "high"
        assert "You only review." in json.dumps(request["system"])
    page = " ".join(sandbox.ok("show", child["id"]).split())
    for text in ("tools Read, Bash", "effort high", "agent reviewer", "fallback model haiku,sonnet"):
        assert text in page


def test_definitions_of_agents_stay_in_a_private_file(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hi", "--agents", json.dumps(AGENTS), "--agent", "reviewer")
    sandbox.wait_for_journal(session_id, "One.")
    assert not sandbox.processes_with_argument("hush")
    assert sandbox.files(session_id).agents.stat().st_mode & 0o777 == 0o600
    assert "hush" not in sandbox.ok("show", session_id, "--json")
    assert b"hush" not in sandbox.state.database.read_bytes()
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["status"] == "completed"


def test_continuation_overrides_and_removes_inherited_settings(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    chosen = ("--effort", "low", "--fallback-model", "haiku", "--tools", "Read", "--agent", "Plan")
    parent = run(sandbox, "launch", "Hi", *chosen)
    changed = run(sandbox, "continue", parent["id"], "More", "--effort", "max", "--tools", "", "--agent", "Explore")
    assert (changed["effort"], changed["tools"], changed["agent"]) == ("max", [], "Explore")
    empty = ("--effort", "", "--fallback-model", "", "--tools", "default", "--agent", "", "--agents", "")
    plain = run(sandbox, "continue", parent["id"], "More", *empty)
    assert {plain[name] for name in ("effort", "fallback_model", "tools", "agent")} == {None}
    assert efforts(sandbox)[:2] == ["low", "max"]
    assert (tools(sandbox, parent), tools(sandbox, changed)) == ({"Read"}, set())
    assert {"Bash", "Read"} <= tools(sandbox, plain)


def test_options_after_dashes_replace_inherited_and_configured_ones(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    sandbox.configure('effort = "low"\ntools = ["Read", "Grep"]\n')
    parent = run(sandbox, "launch", "Hi", "--", "--effort", "high", "--tools", "Bash", "Read")
    assert (parent["effort"], parent["tools"]) == (None, None)
    child = run(sandbox, "continue", parent["id"], "More", "--effort", "max", "--tools", "Bash")
    assert (child["effort"], child["tools"]) == ("max", ["Bash"])
    grandchild = run(sandbox, "continue", child["id"], "More", "--", "--effort=low")
    assert (grandchild["effort"], grandchild["tools"]) == (None, ["Bash"])
    assert efforts(sandbox) == ["high", "max", "low"]
    assert [tools(sandbox, session) for session in (parent, child, grandchild)] == [
        {"Bash", "Read"},
        {"Bash"},
        {"Bash"},
    ]


def test_effort_of_a_running_session_can_be_changed(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Hi", "--effort", "low", "--keep-open")
    sandbox.run("wait", session_id, "--until", "idle")
    done = sandbox.run("set", session_id, "--effort", "high")
    assert f"session {session_id[:8]} uses effort high from its next turn on" in done.stderr
    sandbox.ok("send", session_id, "More", "--wait")
    assert "uses the model's own effort from its next turn on" in sandbox.run("set", session_id, "--effort", "").stderr
    sandbox.ok("send", session_id, "And more", "--wait")
    sandbox.ok("close", session_id)
    assert sandbox.show(session_id)["effort"] is None
    assert efforts(sandbox)[:2] == ["low", "high"]
    assert efforts(sandbox)[2] not in ("low", "high")


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        (["--agent", "nosuch"], "--agent nosuch: Claude Code has no such agent in"),
        (["--agents", '{"a": {"description": "d"}}'], "--agents is refused by Claude Code: a.prompt: Invalid input"),
        (
            ["--agents", '{"a": {"description": "d", "prompt": "p", "tools": 5}}'],
            "--agents is refused by Claude Code: a.tools: Invalid input",
        ),
    ],
    ids=["unknown agent", "missing prompt", "invalid tools"],
)
def test_what_claude_code_refuses_or_ignores_is_refused_before_the_launch(
    sandbox: Sandbox, options: list[str], answer: str
) -> None:
    sandbox.serve_script("say Done.")
    (sandbox.home / ".claude").mkdir()
    hook = {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "touch hooked"}]}]}}
    (sandbox.home / ".claude" / "settings.json").write_text(json.dumps(hook))
    done = sandbox.run("launch", "Hi", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert answer in done.stderr
    assert done.stderr.count("\n") == 1
    assert not sandbox.state.sessions.exists()
    # It asked Claude Code, but began no session.
    assert not (sandbox.work / "hooked").exists()
    assert requests(sandbox) == []


def test_agents_of_the_project_are_known(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    agents = sandbox.work / ".claude" / "agents"
    agents.mkdir(parents=True)
    (agents / "scribe.md").write_text("---\nname: scribe\ndescription: Writes\n---\nYou only write.\n")
    assert run(sandbox, "launch", "Hi", "--agent", "scribe")["agent"] == "scribe"
    assert "You only write." in json.dumps(requests(sandbox)[0]["system"])


def test_claude_code_that_reads_no_file_of_agents_is_refused(sandbox: Sandbox) -> None:
    # As 2.1.257 does.
    message = "Error: Invalid --agents configuration:\\ninvalid JSON: JSON Parse error: Unrecognized token '/'\\n"
    path = sandbox.fake_claude(f'sys.stderr.write("{message}"); sys.exit(1)')
    done = sandbox.run("launch", "Hi", "--agents", json.dumps(AGENTS))
    assert done.returncode == 5
    assert f"Claude Code at {path} cannot read --agents from a file; upgrade it." in done.stderr


def test_session_cannot_give_itself_wide_agents(sandbox: Sandbox) -> None:
    agents = {"bold": {"description": "d", "prompt": "p", "permissionMode": "bypassPermissions"}}
    command = f"hldctl launch Go --agents {shlex.quote(json.dumps(agents))}"
    sandbox.serve_script(f"call Bash {json.dumps({'command': command})}\n\nsay Done.")
    session = run(sandbox, "launch", "Hi", "--allowed-tools", "Bash")
    results = [event["tool_result_content"] for event in sandbox.events(session["id"]) if event["tool_result_content"]]
    assert "Widening permissions" in results[0]


def test_projects_may_set_harmless_settings_only(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    (sandbox.work / ".hldctl.toml").write_text(
        'effort = "low"\nfallback_model = "haiku"\nagent = "Plan"\ntools = ["Bash"]\n'
    )
    session = run(sandbox, "launch", "Hi")
    assert (session["effort"], session["fallback_model"]) == ("low", "haiku")
    assert (session["agent"], session["tools"]) == (None, None)
