"""Permission requests of the real Claude Code, answered by a command, by a rule, or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from hldctl.permission_hook.command import build_hook_command
from tests.crash.audit import faults
from tests.helpers.approvals import (
    HOOK_REQUEST,
    TOUCH_CALL,
    TOUCH_SCRIPT,
    WRITE_CALL,
    all_requests,
    events_of_type,
    feed_events,
    launch_with_approvals,
    wait_for_requests,
)
from tests.helpers.sandbox import (
    TIMEOUT_SECONDS,
    Json,
    Sandbox,
    count_wakeups,
    eventually,
    kill,
    kill_and_wait,
    wait_until_asleep,
)

THEN_TOUCH_OTHER = 'call Bash {"command": "touch other"}\n\n'


def hooks(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("hldctl/permission_hook")


def assert_nothing_is_left(sandbox: Sandbox) -> None:
    eventually(lambda: not sandbox.processes(), "all processes to leave")


def test_request_is_visible_everywhere_until_it_is_approved(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    assert (request["session_id"], request["tool_name"], request["status"]) == (session_id, "Bash", "pending")
    assert request["tool_input"]["command"] == "touch made; echo out"
    call = eventually(
        lambda: [call for call in events_of_type(sandbox, session_id, "tool_call") if call["approval_id"]], "the call"
    )[0]
    assert (call["approval_id"], call["approval_status"]) == (request["id"], "pending")
    session = sandbox.show(session_id)
    assert (session["status"], session["pending_approvals"]) == ("waiting_input", 1)
    assert "Bash" in sandbox.ok("ls")
    assert request["id"][:8] in sandbox.ok("show", session_id)
    sandbox.ok("wait", session_id, "--until", "waiting_input")
    assert sandbox.ok("approve", request["id"][:6], "--comment", "go ahead") == f"{request['id']}\n"
    ended = sandbox.wait_for_end(session_id)
    assert (ended["end_reason"], ended["pending_approvals"], ended["permission_denials"]) == ("success", 0, [])
    assert (sandbox.work / "made").exists()
    (answered,) = all_requests(sandbox)
    assert (answered["status"], answered["comment"]) == ("approved", "go ahead")
    assert answered["tool_use_id"] == call["tool_id"]
    assert answered["responded_at"] is not None
    (call,) = events_of_type(sandbox, session_id, "tool_call")
    assert call["approval_status"] == "approved"
    assert_nothing_is_left(sandbox)


def test_feed_has_requests_answers_and_status_changes(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    sandbox.ok("approve", request["id"])
    sandbox.wait_for_end(session_id)
    events = feed_events(sandbox)
    assert [event["data"]["approval_id"] for event in events if event["type"] == "new_approval"] == [request["id"]]
    (resolved,) = (event["data"] for event in events if event["type"] == "approval_resolved")
    assert (resolved["approval_id"], resolved["status"]) == (request["id"], "approved")
    statuses = [event["data"]["new_status"] for event in events if event["type"] == "session_status_changed"]
    assert statuses == ["starting", "running", "waiting_input", "running", "completed"]


def test_denial_message_reaches_the_model(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    sandbox.ok("deny", request["id"], "--message", "Use the existing file instead.")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    (result,) = events_of_type(sandbox, session_id, "tool_result")
    assert result["is_error"]
    assert "Use the existing file instead." in result["tool_result_content"]
    assert not (sandbox.work / "made").exists()
    assert all_requests(sandbox)[0]["status"] == "denied"


def test_denial_can_interrupt_the_session(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    sandbox.ok("deny", request["id"], "--interrupt", "--message", "Rather not.")
    assert sandbox.wait_for_end(session_id)["status"] == "interrupted"
    assert events_of_type(sandbox, session_id, "message")[-1]["content"] != "Done."
    assert [event["content"] for event in events_of_type(sandbox, session_id, "system")] == [
        "Permission denied for Bash: Rather not."
    ]
    assert faults(sandbox, session_id) == []


def test_call_that_was_allowed_and_then_interrupted_was_not_denied(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(
        sandbox, 'call Bash {"command": "until [ -e go-on ]; do touch runs; sleep 0.1; done"}\n\nsay Done.'
    )
    sandbox.ok("approve", wait_for_requests(sandbox)[0]["id"])
    eventually((sandbox.work / "runs").exists, "the command to run")
    sandbox.ok("interrupt", session_id)
    assert events_of_type(sandbox, session_id, "system") == []


def test_changed_input_is_what_runs(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    sandbox.ok("approve", request["id"], "--input", json.dumps({"command": "echo instead"}))
    sandbox.wait_for_end(session_id)
    (result,) = events_of_type(sandbox, session_id, "tool_result")
    assert result["tool_result_content"] == "instead"
    assert not (sandbox.work / "made").exists()


def test_second_answer_reports_the_first_one(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, f"{TOUCH_SCRIPT}\n")
    (request,) = wait_for_requests(sandbox)
    commands = [sandbox.popen("approve", request["id"]) for _ in range(3)]
    commands += [sandbox.popen("deny", request["id"]) for _ in range(3)]
    errors = [command.communicate(timeout=TIMEOUT_SECONDS)[1] for command in commands]
    codes = [command.returncode for command in commands]
    assert sorted(codes) == [0, 4, 4, 4, 4, 4]
    (answered,) = all_requests(sandbox)
    assert all(f"was {answered['status']} by" in text for text, code in zip(errors, codes, strict=True) if code == 4)
    sandbox.wait_for_end(session_id)
    assert (sandbox.work / "made").exists() == (answered["status"] == "approved")


def test_always_allows_commands_with_the_same_prefix_only(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(
        sandbox,
        'call Bash {"command": "touch first"}\n\ncall Bash {"command": "touch second"}\n\n'
        'call Bash {"command": "touch third; mkdir fourth"}\n\nsay Done.',
        *("--permission-mode", "default", "--settings", json.dumps({"permissions": {"ask": ["Bash(touch *)"]}})),
    )
    (request,) = wait_for_requests(sandbox)
    sandbox.sql("UPDATE approvals SET suggested_rule = 'touch *'")
    sandbox.ok("approve", request["id"], "--always")
    (request,) = wait_for_requests(sandbox)
    assert request["tool_input"]["command"] == "touch third; mkdir fourth"
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert [approval["status"] for approval in all_requests(sandbox)] == ["approved", "approved", "denied"]
    assert all_requests(sandbox)[1]["comment"] == "allowed always: Bash(touch *)"
    assert (sandbox.work / "second").exists()


def test_always_for_an_edit_allows_edits_of_the_project(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(
        sandbox,
        f'{WRITE_CALL}call Write {{"file_path": "two", "content": "2"}}\n\nsay Done.',
    )
    sandbox.ok("approve", wait_for_requests(sandbox)[0]["id"], "--always")
    sandbox.wait_for_end(session_id)
    assert [approval["comment"] for approval in all_requests(sandbox)] == [None, "allowed always: Edit"]


def test_edits_are_accepted_by_rule_but_commands_are_not(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, f"{WRITE_CALL}{THEN_TOUCH_OTHER}say Done.", "--auto-accept-edits")
    (request,) = wait_for_requests(sandbox)
    assert request["tool_name"] == "Bash"
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert (sandbox.work / "made").read_text() == "text"
    accepted = all_requests(sandbox)[0]
    assert (accepted["tool_name"], accepted["comment"]) == ("Write", "allowed by auto_accept_edits")


def test_skipping_permissions_expires_during_the_session(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(
        sandbox,
        f'{TOUCH_CALL}call Bash {{"command": "until [ -e go-on ]; do sleep 0.1; done"}}\n\n{THEN_TOUCH_OTHER}say Done.',
        *("--dangerously-skip-permissions-timeout", "1h"),
    )
    sandbox.wait_for_journal(session_id, "go-on")
    assert len(all_requests(sandbox)) == 1
    sandbox.sql("UPDATE sessions SET dangerously_skip_permissions_expires_at = 1")
    sandbox.release()
    (request,) = wait_for_requests(sandbox)
    assert sandbox.show(session_id)["dangerously_skip_permissions"] is False
    sandbox.ok("approve", request["id"])
    sandbox.wait_for_end(session_id)
    comments = [approval["comment"] for approval in all_requests(sandbox)]
    assert comments == ["allowed by dangerously_skip_permissions", None]
    changed = feed_events(sandbox, "session_settings_changed")
    assert changed[-1]["data"]["dangerously_skip_permissions"] is False


def test_new_setting_answers_pending_requests(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, f"{WRITE_CALL}{TOUCH_CALL}say Done.")
    wait_for_requests(sandbox)
    sandbox.ok("set", session_id, "--auto-accept-edits")
    eventually(
        lambda: [request["tool_name"] for request in wait_for_requests(sandbox)] == ["Bash"], "the edit to be allowed"
    )
    sandbox.ok("set", session_id, "--dangerously-skip-permissions")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    rules = ["auto_accept_edits", "dangerously_skip_permissions"]
    assert [approval["comment"] for approval in all_requests(sandbox)] == [f"allowed by {rule}" for rule in rules]


@pytest.mark.parametrize(("outcome", "is_allowed"), [("allow", True), ("deny", False)])
def test_unanswered_request_gets_the_configured_answer(sandbox: Sandbox, outcome: str, is_allowed: bool) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT, "--approval-timeout", f"1s={outcome}")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert (sandbox.work / "made").exists() == is_allowed
    (answered,) = all_requests(sandbox)
    assert "--approval-timeout" in answered["comment"]


def test_claude_code_decides_as_usual_without_approvals(sandbox: Sandbox) -> None:
    sandbox.serve_script(TOUCH_SCRIPT)
    session_id = sandbox.launch("Hi")
    assert len(sandbox.wait_for_end(session_id)["permission_denials"]) == 1
    assert all_requests(sandbox) == []
    assert not sandbox.files(session_id).settings_with_hook.exists()


def test_session_without_a_hook_rejects_rules(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hi.\nhang")
    session_id = sandbox.launch("Hi")
    done = sandbox.run("set", session_id, "--auto-accept-edits")
    assert (done.returncode, "continuations" in done.stderr) == (0, True)
    assert sandbox.run("set", session_id, "--title", "New").stderr == ""
    sandbox.ok("interrupt", session_id)


def test_wait_reports_that_the_session_waits_for_approval(sandbox: Sandbox) -> None:
    sandbox.serve_script(TOUCH_SCRIPT)
    with sandbox.popen("launch", "Hi", "--approvals", "--wait") as launched:
        (request,) = wait_for_requests(sandbox)
        sandbox.ok("approve", request["id"])
        answer, errors = launched.communicate(timeout=TIMEOUT_SECONDS)
    assert (answer, launched.returncode) == ("Done.\n", 0)
    assert f"hldctl approve {request['id'][:8]}" in errors


def test_followers_see_requests_and_answers(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    with sandbox.popen("tail", "-f", session_id) as follower:
        assert follower.stdout is not None
        lines = [follower.stdout.readline() for _ in range(3)]
        sandbox.ok("approve", request["id"], "--comment", "go ahead")
        rest = follower.communicate(timeout=TIMEOUT_SECONDS)[0]
    assert f"waits for permission {request['id'][:8]}: Bash" in lines[2]
    assert f"approved {request['id'][:8]} by" in rest
    assert "go ahead" in rest
    with sandbox.popen("approvals", "-f", "--json", stdout=subprocess.PIPE) as follower:
        child = sandbox.ok("continue", session_id, "Again").strip()
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["session_id"] == child
        sandbox.ok("interrupt", child)
        assert json.loads(follower.stdout.readline())["status"] == "expired"
        follower.kill()


def test_rules_alone_create_no_requests(sandbox: Sandbox) -> None:
    sandbox.serve_script(f"{WRITE_CALL}{THEN_TOUCH_OTHER}say Done.")
    session_id = sandbox.launch("Hi", "--no-approvals", "--auto-accept-edits")
    session = sandbox.wait_for_end(session_id)
    assert [denial["tool_name"] for denial in session["permission_denials"]] == ["Bash"]
    assert (sandbox.work / "made").exists()


def test_users_settings_and_hooks_are_kept(sandbox: Sandbox) -> None:
    log = sandbox.work / "told"
    own = {"hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": f"cat >> {log}"}]}]}, "env": {"A": "b"}}
    session_id = launch_with_approvals(
        sandbox, TOUCH_SCRIPT.replace("touch made", "touch made$A"), "--settings", json.dumps(own)
    )
    sandbox.ok("approve", wait_for_requests(sandbox)[0]["id"])
    sandbox.wait_for_end(session_id)
    assert "PreToolUse" in log.read_text()
    assert (sandbox.work / "madeb").exists()
    assert not list(sandbox.work.glob(".claude*"))
    child = sandbox.ok("continue", session_id, "More").strip()
    # The inherited settings contain the hook only once.
    hooked = json.loads(sandbox.files(child).settings_with_hook.read_text())
    assert len(hooked["hooks"]["PermissionRequest"]) == 1
    assert sandbox.show(child)["id"] == child
    sandbox.run("interrupt", child)


def test_three_parallel_requests_with_two_equal_ones_are_answered(sandbox: Sandbox) -> None:
    script = 'call Bash {"command": "touch made"}\ncall Bash {"command": "touch made"}\ncall Bash {"command": "ls"}\n'
    session_id = launch_with_approvals(sandbox, f'{script}call Bash {{"command": "touch other"}}\n\nsay Done.')
    answered: set[str] = set()
    while sandbox.show(session_id)["completed_at"] is None:
        for request in json.loads(sandbox.ok("approvals", "--json")):
            sandbox.run("approve", request["id"])
            answered.add(request["id"])
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    calls = [
        call for call in events_of_type(sandbox, session_id, "tool_call") if "touch" in call["tool_input"]["command"]
    ]
    assert {call["approval_id"] for call in calls} == answered
    assert [call["approval_status"] for call in calls] == ["approved"] * 3


def test_twenty_sessions_wait_at_once(sandbox: Sandbox) -> None:
    sandbox.serve_script(f"{TOUCH_CALL}say Done.")
    launched = [sandbox.popen("launch", "Hi", "--approvals") for _ in range(20)]
    ids = {process.communicate(timeout=TIMEOUT_SECONDS)[0].strip() for process in launched}
    requests = wait_for_requests(sandbox, count=20)
    assert {request["session_id"] for request in requests} == ids
    first = requests[0]
    sandbox.ok("approve", "--all", "--session", first["session_id"], "--tool", "Bash")
    assert sandbox.wait_for_end(first["session_id"])["end_reason"] == "success"
    assert len(json.loads(sandbox.ok("approvals", "--json"))) == 19
    assert len(sandbox.ok("approve", "--all").split()) == 19
    sandbox.ok("wait", *ids)
    assert_nothing_is_left(sandbox)


def test_interrupt_expires_the_pending_request(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    sandbox.ok("interrupt", session_id)
    assert sandbox.show(session_id)["status"] == "interrupted"
    assert all_requests(sandbox)[0]["status"] == "expired"
    late = sandbox.run("approve", request["id"])
    assert (late.returncode, "expired" in late.stderr) == (4, True)
    assert_nothing_is_left(sandbox)


def test_kill_of_claude_expires_the_pending_request(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    os.kill(sandbox.show(session_id)["pid"], signal.SIGKILL)
    assert sandbox.wait_for_end(session_id)["end_reason"] == "killed"
    assert all_requests(sandbox)[0]["status"] == "expired"
    assert sandbox.run("deny", request["id"]).returncode == 4
    assert_nothing_is_left(sandbox)


def test_killed_supervisor_does_not_block_an_answer(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    kill_and_wait(supervisor)
    sandbox.ok("approve", request["id"])
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    (call,) = events_of_type(sandbox, session_id, "tool_call")
    assert (call["approval_id"], call["approval_status"]) == (request["id"], "approved")


@pytest.mark.parametrize("supervised", [True, False])
def test_kill_of_the_hook_expires_the_pending_request(sandbox: Sandbox, supervised: bool) -> None:
    session_id = launch_with_approvals(sandbox, f"{TOUCH_SCRIPT}\nhang")
    (request,) = wait_for_requests(sandbox)
    if not supervised:
        os.kill(sandbox.show(session_id)["supervisor_pid"], signal.SIGKILL)
    kill(hooks(sandbox))
    eventually(lambda: all_requests(sandbox)[0]["status"] == "expired", "it to expire")
    assert sandbox.run("approve", request["id"]).returncode == 4
    sandbox.run("interrupt", session_id)
    assert not (sandbox.work / "made").exists()
    assert_nothing_is_left(sandbox)


def test_answer_during_a_kill_of_the_hook_is_recorded_once(sandbox: Sandbox) -> None:
    script = "".join(f'call Bash {{"command": "touch {number}"}}\n\n' for number in range(8))
    session_id = launch_with_approvals(sandbox, f"{script}say Done.")
    seen: set[str] = set()
    while sandbox.show(session_id)["completed_at"] is None:
        for request in json.loads(sandbox.ok("approvals", "--json")):
            if request["id"] not in seen:
                seen.add(request["id"])
                with sandbox.popen("approve", request["id"]) as answer:
                    kill(hooks(sandbox))
                    answer.communicate(timeout=TIMEOUT_SECONDS)
    statuses = {approval["id"]: approval["status"] for approval in all_requests(sandbox)}
    assert set(statuses.values()) <= {"approved", "expired"}
    resolved = [event["data"] for event in feed_events(sandbox, "approval_resolved")]
    assert sorted((data["approval_id"], data["status"]) for data in resolved) == sorted(statuses.items())


def test_waiting_hook_uses_no_cpu(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    wait_for_requests(sandbox)
    (hook,) = [process for process in hooks(sandbox) if process.name().startswith("python")]
    wait_until_asleep(hook)
    before = count_wakeups(hook)
    subprocess.run(["sleep", "2"], check=True)
    assert count_wakeups(hook) - before <= 2
    sandbox.ok("interrupt", session_id)


def test_on_approval_command_is_run(sandbox: Sandbox) -> None:
    output = sandbox.root / "told"
    command = f'cat > {output}; echo "$HLDCTL_TOOL_NAME $HLDCTL_APPROVAL_ID" > {output}.names'
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT, "--on-approval", command)
    (request,) = wait_for_requests(sandbox)
    eventually(lambda: (sandbox.root / "told.names").exists() and output.read_text(), "the notice")
    assert json.loads(output.read_text()) == request | {"tool_use_id": None}
    assert (sandbox.root / "told.names").read_text() == f"Bash {request['id']}\n"
    sandbox.ok("approve", request["id"])
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"


@pytest.mark.parametrize("command", ["exit 7", "/no/such/program", "sleep 300"])
def test_failing_or_hanging_on_approval_command_does_no_harm(sandbox: Sandbox, command: str) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT, "--on-approval", command)
    sandbox.ok("approve", wait_for_requests(sandbox)[0]["id"])
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    if command == "exit 7":
        assert "exit code 7" in sandbox.files(session_id).log.read_text()


def test_users_permission_prompt_tool_replaces_the_hook(sandbox: Sandbox) -> None:
    refused = sandbox.run("launch", "Hi", "--approvals", "--permission-prompt-tool", "mcp__a__b")
    assert (refused.returncode, "--permission-prompt-tool" in refused.stderr) == (2, True)
    sandbox.serve_script("say Hi.")
    session_id = sandbox.launch("Hi", "--permission-prompt-tool", "mcp__no__such", "--auto-accept-edits")
    sandbox.wait_for_end(session_id)
    assert not sandbox.files(session_id).settings_with_hook.exists()


def test_claude_code_without_permission_hooks_is_refused(sandbox: Sandbox) -> None:
    sandbox.fake_claude("print('2.1.267 (Claude Code)')")
    refused = sandbox.run("launch", "Hi", "--approvals")
    assert (refused.returncode, "2.1.268" in refused.stderr) == (5, True)
    assert sandbox.ok("ls", "-q") == ""
    assert sandbox.run("launch", "Hi").returncode == 0


def run_hook(sandbox: Sandbox, hook_input: str, session_id: str = "none") -> Json:
    """Run the hook as Claude Code does; return its answer."""
    done = subprocess.run(
        build_hook_command(session_id, sandbox.state.root),
        shell=True,
        input=hook_input,
        env={},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=True,
    )
    decision: Json = json.loads(done.stdout)["hookSpecificOutput"]["decision"]
    return decision


INVALID_REQUESTS = ["", "{", "[]", "{}", '{"tool_name": 1, "tool_input": {}}', "\xff" * 10, "[" * 100_000]


@pytest.mark.parametrize("hook_input", INVALID_REQUESTS, ids=range(len(INVALID_REQUESTS)))
def test_invalid_request_is_denied(sandbox: Sandbox, hook_input: str) -> None:
    sandbox.ok("ls")
    decision = run_hook(sandbox, hook_input)
    assert (decision["behavior"], "could not read" in decision["message"]) == ("deny", True)


def test_request_of_no_session_is_denied(sandbox: Sandbox) -> None:
    assert run_hook(sandbox, HOOK_REQUEST)["behavior"] == "deny"
    sandbox.ok("ls")
    assert "has no session" in run_hook(sandbox, HOOK_REQUEST)["message"]
    assert "outside" in run_hook(sandbox, HOOK_REQUEST, "")["message"]
    sandbox.state.database.write_bytes(b"not a database" * 100)
    assert "hldctl doctor" in run_hook(sandbox, HOOK_REQUEST)["message"]


def test_request_that_cannot_be_recorded_is_denied(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, "say Hi.\nhang")
    hold = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); d.execute('BEGIN IMMEDIATE')"
    with subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print('held', flush=True); sys.stdin.read()", sandbox.state.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        decision = run_hook(sandbox, HOOK_REQUEST, session_id)
        assert (decision["behavior"], "locked" in decision["message"]) == ("deny", True)
        holder.kill()
    assert all_requests(sandbox) == []
    sandbox.ok("interrupt", session_id)


def test_request_of_an_ended_session_is_denied(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Hi", "--approvals", "--wait")
    (session_id,) = sandbox.ok("ls", "-q").split()
    assert "has ended" in run_hook(sandbox, HOOK_REQUEST, session_id)["message"]


def test_configuration_gives_the_defaults(sandbox: Sandbox) -> None:
    directory = sandbox.home / ".config" / "hldctl"
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text('approvals = true\napproval_timeout = "1s=deny"\n')
    sandbox.serve_script(TOUCH_SCRIPT)
    session_id = sandbox.launch("Hi")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert all_requests(sandbox)[0]["comment"] == "denied by --approval-timeout"
    (directory / "config.toml").write_text("approval = true\n")
    refused = sandbox.run("launch", "Hi")
    assert (refused.returncode, "config.toml" in refused.stderr, "'approval'" in refused.stderr) == (2, True, True)
    (directory / "config.toml").write_text("approvals = 1\n")
    assert "true or false" in sandbox.run("launch", "Hi").stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["approve"], 2),
        (["approve", "--all", "abcdef"], 2),
        (["approve", "--all", "--input", "{}"], 2),
        (["approve", "abcdef", "--input", "{}", "--always"], 2),
        (["approve", "abcdef", "--input", '{"n": NaN}'], 2),
        (["launch", "Hi", "--approvals", "--", "--settings", "{}"], 2),
        (["approve", "abcdef", "--tool", "Bash"], 2),
        (["approve", "abcdef"], 3),
        (["approve", "abc"], 3),
        (["approve", "abcdef", "--input", "[]"], 2),
        (["deny", "abcdef", "--message", "no"], 3),
        (["approve", "--all", "--session", "abcdef"], 3),
        (["approvals", "abcdef"], 3),
        (["launch", "Hi", "--approval-timeout", "5m"], 2),
        (["launch", "Hi", "--approval-timeout", "soon=deny"], 2),
    ],
)
def test_references_that_match_nothing_are_errors(sandbox: Sandbox, arguments: list[str], exit_code: int) -> None:
    sandbox.fake_claude("")
    done = sandbox.run(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (exit_code, False)


def test_request_after_the_end_is_denied_without_approvals_too(sandbox: Sandbox) -> None:
    """Otherwise Claude Code would decide."""
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Hi", "--no-approvals", "--auto-accept-edits")
    sandbox.wait_for_end(session_id)
    settings = json.loads(sandbox.files(session_id).settings_with_hook.read_text())
    (hook,) = settings["hooks"]["PermissionRequest"][0]["hooks"]
    done = subprocess.run(
        ["sh", "-c", hook["command"]],
        input=json.dumps({"tool_name": "Bash", "tool_input": {"command": "touch made"}}),
        env=sandbox.environment | {"HLDCTL_SESSION_ID": session_id},
        capture_output=True,
        text=True,
        check=True,
    )
    decision = json.loads(done.stdout)["hookSpecificOutput"]["decision"]
    assert decision["behavior"] == "deny"
    assert "has ended" in decision["message"]
    assert all_requests(sandbox) == []
