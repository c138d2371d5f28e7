from __future__ import annotations

import json
import uuid

from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox

SCRIPT = """
say First answer.

[and then]
say Second answer.

[slow]
say Begun.
hang
"""


def test_continue_resumes_conversation_in_a_new_session(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent = sandbox.wait_for_end(sandbox.launch("Hello", "--title", "Chores"))
    child_id = sandbox.ok("continue", parent["id"], "and then").strip()
    child = sandbox.wait_for_end(child_id)
    assert (child["status"], child["result_content"]) == ("completed", "Second answer.")
    assert child["parent_session_id"] == parent["id"]
    assert child["claude_session_id"] not in (None, parent["claude_session_id"])
    assert child["title"] == "Chores"
    assert [event["content"] for event in sandbox.events(child_id)] == ["and then", "Second answer."]
    assert sandbox.show(parent["id"]) == parent | {"children": [child_id]}


def test_spending_of_the_parent_is_not_counted_twice(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent = sandbox.wait_for_end(sandbox.launch("Hello"))
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "and then").strip())
    (result,) = [
        line
        for line in map(json.loads, sandbox.files(child["id"]).journal.read_bytes().splitlines())
        if line["type"] == "result"
    ]
    # Claude Code's own total includes that of the parent.
    assert result["total_cost_usd"] > child["cost_usd"]
    assert abs(parent["cost_usd"] + child["cost_usd"] - result["total_cost_usd"]) < 1e-9
    (new,) = result["model_usage_since_last_result"].values()
    assert (child["input_tokens"], child["output_tokens"]) == (new["inputTokens"], new["outputTokens"])


def test_all_settings_except_max_turns_are_inherited(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    elsewhere, extra = sandbox.root / "elsewhere", sandbox.root / "extra"
    for directory in (elsewhere, extra):
        directory.mkdir()
    settings = (
        *("-C", str(elsewhere), "--model", "sonnet", "--add-dir", str(extra), "--max-budget-usd", "5"),
        *("--append-system-prompt", "Be kind.", "--custom-instructions", "Rhyme.", "--permission-mode", "plan"),
        *("--allowed-tools", "Read", "--disallowed-tools", "WebFetch", "--settings", '{"env": {"A": "1"}}'),
        *("--env", "PLANET=Mars", "--max-turns", "7"),
    )
    parent = sandbox.wait_for_end(sandbox.launch("Hello", *settings, "--", "--fallback-model", "haiku"))
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "and then").strip())
    inherited = (
        *("working_dir", "model", "additional_directories", "max_budget_usd", "append_system_prompt"),
        *("custom_instructions", "permission_mode", "allowed_tools", "disallowed_tools"),
    )
    assert child["end_reason"] == "success"
    assert {name: child[name] for name in inherited} == {name: parent[name] for name in inherited}
    assert (parent["max_turns"], child["max_turns"]) == (7, None)
    for name in ("settings.json", "environment.json"):
        parent_file, child_file = (sandbox.files(session["id"]).directory / name for session in (parent, child))
        assert child_file.read_text() == parent_file.read_text()


def test_inherited_settings_can_be_overridden(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent = sandbox.wait_for_end(
        sandbox.launch("Hello", "--model", "sonnet", "--title", "Chores", "--allowed-tools", "Read")
    )
    overrides = ("--model", "opus", "--title", "More", "--allowed-tools", "Bash", "--max-turns", "2")
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "and then", *overrides).strip())
    assert (child["model"], child["title"]) == ("opus", "More")
    assert (child["allowed_tools"], child["max_turns"]) == (["Bash"], 2)


def test_changed_system_prompt_reaches_the_model(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent = sandbox.wait_for_end(sandbox.launch("Hello", "--append-system-prompt", "Speak like a pirate."))
    sandbox.wait_for_end(
        sandbox.ok("continue", parent["id"], "and then", "--append-system-prompt", "Speak in riddles.").strip()
    )
    assert sandbox.server is not None
    prompts = [json.dumps(request["system"]) for request in sandbox.server.requests]
    assert ["pirate" in prompt for prompt in prompts] == [True, False]
    assert ["riddles" in prompt for prompt in prompts] == [False, True]


def test_running_parent_is_interrupted_first(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent_id = sandbox.launch("slow work")
    sandbox.wait_for_journal(parent_id, "Begun.")
    child = sandbox.wait_for_end(sandbox.ok("continue", parent_id, "and then").strip())
    assert sandbox.show(parent_id)["status"] == "interrupted"
    assert (child["status"], child["result_content"]) == ("completed", "Second answer.")


def test_failed_session_can_be_continued(sandbox: Sandbox) -> None:
    sandbox.serve_script("fail 400 no luck\n\n[and then]\nsay Better now.")
    parent = sandbox.wait_for_end(sandbox.launch("Hello"))
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "and then").strip())
    assert (parent["status"], child["status"]) == ("failed", "completed")


def test_missing_working_directory_is_named(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    directory = sandbox.root / "gone"
    parent = sandbox.wait_for_end(sandbox.launch("Hello", "-C", str(directory), "--create-dir"))
    directory.rmdir()
    rejected = sandbox.run("continue", parent["id"], "and then")
    assert (rejected.returncode, str(directory) in rejected.stderr) == (2, True)
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "and then", "--create-dir").strip())
    assert child["status"] == "completed"


def test_parallel_continuations_have_separate_conversations(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent = sandbox.wait_for_end(sandbox.launch("Hello"))
    commands = [sandbox.popen("continue", parent["id"], "and then", "--wait") for _ in range(2)]
    assert [command.communicate(timeout=TIMEOUT_SECONDS)[0] for command in commands] == ["Second answer.\n"] * 2
    children = {sandbox.show(session_id)["claude_session_id"] for session_id in sandbox.ok("ls", "-q").split()}
    assert len(children) == 3


def test_rejected_continuation_leaves_its_parent_running(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent_id = sandbox.launch("slow work")
    sandbox.wait_for_journal(parent_id, "Begun.")
    assert sandbox.run("continue", parent_id, "and then", "-C", "/nonexistent").returncode == 2
    assert sandbox.run("continue", parent_id, " ").returncode == 2
    assert sandbox.show(parent_id)["status"] == "running"
    sandbox.ok("interrupt", parent_id)


def test_continue_waits_for_the_conversation_to_begin(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent_id = sandbox.launch("slow work")
    child = sandbox.wait_for_end(sandbox.ok("continue", parent_id, "and then").strip())
    assert child["parent_session_id"] == parent_id
    assert sandbox.show(parent_id)["status"] == "interrupted"


def test_given_conversation_id_is_not_inherited(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    conversation_id = str(uuid.uuid4())
    parent = sandbox.wait_for_end(
        sandbox.launch("Hello", "--", "--session-id", conversation_id, "--fallback-model", "haiku")
    )
    child = sandbox.wait_for_end(sandbox.ok("continue", parent["id"], "and then").strip())
    assert parent["claude_session_id"] == conversation_id
    assert child["claude_session_id"] not in (None, conversation_id)
    assert (child["status"], child["result_content"]) == ("completed", "Second answer.")


def test_environment_variables_are_inherited_singly(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    parent = sandbox.wait_for_end(sandbox.launch("Hello", "--env", "A=1", "--env", "B=1"))
    child_id = sandbox.ok("continue", parent["id"], "and then", "--env", "B=2").strip()
    sandbox.wait_for_end(child_id)
    assert json.loads(sandbox.files(child_id).environment.read_text()) == {"A": "1", "B": "2"}


def test_failed_resume_cannot_be_continued(sandbox: Sandbox) -> None:
    sandbox.serve_script(SCRIPT)
    assert sandbox.run("launch", "Hello", "--", "--resume", str(uuid.uuid4())).returncode == 5
    failed = sandbox.show("last")
    assert failed["claude_session_id"] is None
    assert sandbox.run("continue", failed["id"], "and then").returncode == 4
