"""Commands run by a session: it can answer its own requests and widen permissions only with --from-session."""

from __future__ import annotations

import json
import os
import pwd
import shlex

import psutil
import pytest

from tests.helpers.approvals import (
    TOUCH_SCRIPT,
    all_requests,
    events_of_type,
    feed_events,
    launch_with_approvals,
    wait_for_requests,
)
from tests.helpers.sandbox import Json, Sandbox, eventually, kill_and_wait
from tests.helpers.terminal import Terminal

# The marker of a session that is deleted or belongs to another state directory.
UNKNOWN = {"HLDCTL_SESSION_ID": "11111111-1111-4111-8111-111111111111"}
OUTSIDE = "from a shell outside the session"
USER = pwd.getpwuid(os.getuid()).pw_name


def ended_session(sandbox: Sandbox, *options: str) -> str:
    sandbox.serve_script("say Done.")
    session_id = sandbox.launch("Hi", *options)
    sandbox.wait_for_end(session_id)
    return session_id


REFUSED: list[list[str]] = [
    ["approve", "abcdef"],
    ["approve", "--all"],
    ["deny", "abcdef"],
    ["deny", "--all"],
    ["set", "last", "--auto-accept-edits"],
    ["set", "last", "--dangerously-skip-permissions"],
    ["set", "last", "--dangerously-skip-permissions-timeout", "5m"],
    ["config", "set", "approvals", "false"],
    ["config", "set", "permission_mode", "acceptEdits"],
    ["config", "set", "allowed_tools", "Bash"],
    ["config", "set", "approval_timeout", "5m=allow"],
    ["config", "set", "on_approval", "true"],
    ["config", "set", "on_end", "true"],
    ["config", "set", "from_session", "true"],
    ["config", "unset", "approval_timeout"],
    ["config", "edit"],
    *(
        [*command, "Hi", *options]
        for command in (["launch"], ["continue", "last"])
        for options in (
            ["--from-session"],
            ["--auto-accept-edits"],
            ["--dangerously-skip-permissions"],
            ["--dangerously-skip-permissions-timeout", "5m"],
            ["--approvals", "--approval-timeout", "5m=allow"],
            ["--permission-mode", "acceptEdits"],
            ["--permission-mode", "bypassPermissions"],
            ["--", "--dangerously-skip-permissions"],
            ["--", "--permission-mode=bypassPermissions"],
            ["--", "--permission-mode", "acceptEdits"],
        )
    ),
]


def test_commands_that_widen_permissions_are_refused_in_a_session(sandbox: Sandbox) -> None:
    ended_session(sandbox)
    for arguments in REFUSED:
        refused = sandbox.run(*arguments, environment={**UNKNOWN, "EDITOR": "true"})
        assert (refused.returncode, refused.stdout) == (4, ""), (arguments, refused.stderr)
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert OUTSIDE in refused.stderr, arguments
    assert len(sandbox.ok("ls", "-q", "--all").split()) == 1
    assert not (sandbox.home / ".config").exists()


def test_commands_that_do_not_widen_permissions_still_work(sandbox: Sandbox) -> None:
    session_id = ended_session(sandbox)
    for arguments in (
        ["set", "last", "--no-auto-accept-edits", "--no-dangerously-skip-permissions", "--title", "narrow"],
        ["config", "set", "model", "opus"],
        ["config", "get", "approvals"],
        ["approvals", "--all"],
        ["launch", "Hi", "--approval-timeout", "5m=deny", "--permission-mode", "plan", "--wait"],
        ["continue", session_id, "Hi", "--wait"],
    ):
        sandbox.ok(*arguments, environment=UNKNOWN)


def test_continuation_does_not_inherit_another_sessions_permissions(sandbox: Sandbox) -> None:
    wide = ended_session(sandbox, "--auto-accept-edits")
    refused = sandbox.run("continue", wide, "Hi", environment=UNKNOWN)
    assert (refused.returncode, OUTSIDE in refused.stderr) == (4, True)
    # A session may pass on its permissions to its own continuation.
    sandbox.ok("continue", wide, "Hi", "--wait", environment={"HLDCTL_SESSION_ID": wide})


def tool_script(sandbox: Sandbox, *commands: str) -> str:
    """Return a script whose tool runs these commands and writes their exit codes to a file."""
    lines = [f'{command} > /dev/null 2> said; echo $? "$(cat said)" >> codes' for command in commands]
    (sandbox.work / "t.sh").write_text("\n".join([*lines, "touch over", ""]))
    return 'call Bash {"command": "sh t.sh"}\n\nsay Done.'


def exit_codes(sandbox: Sandbox) -> list[str]:
    return (sandbox.work / "codes").read_text().splitlines()


CLEAN = 'env -u HLDCTL_SESSION_ID -u CLAUDE_PID PATH="$PATH"'


def launch_pair(sandbox: Sandbox, script: str) -> Json:
    """Script the sessions "one" and "two", launch the first one and return its request; the second plays `script`."""
    sandbox.serve_script(f"[one]\n{TOUCH_SCRIPT}\n\n[two]\n{script}")
    sandbox.launch("one", "--approvals")
    return wait_for_requests(sandbox)[0]


def test_tool_without_its_marker_is_known_by_its_ancestors(sandbox: Sandbox) -> None:
    script = tool_script(
        sandbox,
        "hldctl approve --all",
        f"{CLEAN} hldctl approve --all",
        f"{CLEAN} setsid -w hldctl approve --all",
        f"{CLEAN} HLDCTL_SESSION_ID= hldctl set last --auto-accept-edits",
        f"{CLEAN} hldctl config set on_end true",
        # The supervisor is the parent of an orphan.
        f"({CLEAN} setsid sh -c 'sleep 1; hldctl approve --all 2> orphan; echo $? >> orphan; touch orphaned' &)",
        "until [ -e orphaned ]; do sleep 0.1; done",
    )
    request = launch_pair(sandbox, script)
    session_id = sandbox.launch("two", "--allowed-tools", "Bash(sh t.sh)", "--approvals")
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    results = exit_codes(sandbox)
    assert [line.split()[0] for line in results] == ["4"] * 5 + ["0"] * 2
    assert all(OUTSIDE in line for line in results[:5])
    assert (sandbox.work / "orphan").read_text().endswith("4\n")
    assert [(each["id"], each["status"]) for each in all_requests(sandbox)] == [(request["id"], "pending")]
    sandbox.ok("interrupt", request["session_id"])


def test_tool_is_known_by_claude_code_if_the_supervisor_is_dead(sandbox: Sandbox) -> None:
    wait = "touch begun; until [ -e go-on ]; do sleep 0.1; done"
    request = launch_pair(sandbox, tool_script(sandbox, wait, f"{CLEAN} hldctl approve --all"))
    session_id = sandbox.launch("two", "--allowed-tools", "Bash(sh t.sh)")
    eventually((sandbox.work / "begun").exists, "the tool to run")
    kill_and_wait(psutil.Process(sandbox.show(session_id)["supervisor_pid"]))
    sandbox.release()
    eventually((sandbox.work / "over").exists, "the tool to end")
    assert [line.split()[0] for line in exit_codes(sandbox)] == ["0", "4"]
    assert [each["status"] for each in all_requests(sandbox)] == ["pending"]
    sandbox.ok("interrupt", request["session_id"])


def test_session_with_the_right_answers_and_is_recorded(sandbox: Sandbox) -> None:
    request = launch_pair(sandbox, tool_script(sandbox, "hldctl approve --all", "hldctl set last --auto-accept-edits"))
    session_id = sandbox.launch("two", "--allowed-tools", "Bash(sh t.sh)", "--from-session")
    assert sandbox.wait_for_end(session_id)["from_session"] is True
    assert [line.split()[0] for line in exit_codes(sandbox)] == ["0"] * 2
    sandbox.wait_for_end(request["session_id"])
    (request,) = all_requests(sandbox)
    assert (request["status"], request["answered_by"]) == ("approved", USER)
    assert request["answered_from"]["session_id"] == session_id
    assert f"approved by {USER} (from session {session_id[:8]})" in sandbox.ok("approvals", "--all")


def test_continuations_inherit_the_right_unless_revoked(sandbox: Sandbox) -> None:
    session_id = ended_session(sandbox, "--from-session")
    for more, has_right in (([], True), (["--no-from-session"], False)):
        sandbox.ok("continue", session_id, "Hi", "--wait", *more)
        assert sandbox.show("last")["from_session"] is has_right


def test_right_can_be_a_configured_default(sandbox: Sandbox) -> None:
    sandbox.ok("config", "set", "from_session", "true")
    assert sandbox.show(ended_session(sandbox))["from_session"] is True


def test_users_command_run_by_hldctl_can_answer_and_launch(sandbox: Sandbox) -> None:
    launched = "hldctl launch after --auto-accept-edits --allowed-tools 'Bash(env)' > launched; echo $? > code"
    sandbox.serve_script(f'[after]\ncall Bash {{"command": "env"}}\n\nsay Done.\n\n[Hi]\n{TOUCH_SCRIPT}')
    approve = 'hldctl approve "$HLDCTL_APPROVAL_ID"'
    session_id = sandbox.launch("Hi", "--approvals", "--on-approval", approve, "--on-end", launched)
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    (request,) = all_requests(sandbox)
    assert (request["status"], request["answered_by"]) == ("approved", USER)
    assert request["answered_from"]["command_of"] == session_id
    assert request["answered_from"]["session_id"] is None
    assert f"(a command of session {session_id[:8]})" in sandbox.ok("approvals", "--all")
    code = sandbox.work / "code"
    eventually(lambda: code.exists() and code.read_text() == "0\n", "the command to launch a session")
    after = (sandbox.work / "launched").read_text().strip()
    sandbox.wait_for_end(after)
    variables = events_of_type(sandbox, after, "tool_result")[0]["tool_result_content"]
    assert f"HLDCTL_SESSION_ID={after}" in variables
    # Tools do not get the token.
    assert "HLDCTL_COMMAND_TOKEN" not in variables


def test_forged_token_does_not_make_a_command_the_users(sandbox: Sandbox) -> None:
    session_id = ended_session(sandbox, "--on-end", 'printf %s "$HLDCTL_COMMAND_TOKEN" > token.new; mv token.new token')
    file = sandbox.work / "token"
    eventually(file.exists, "the command for the end")
    token = file.read_text()
    within = {"HLDCTL_SESSION_ID": session_id}
    widen = ["set", session_id, "--auto-accept-edits"]
    for forged in ("made-up", token[:-1], token.upper()):
        refused = sandbox.run(*widen, environment={**within, "HLDCTL_COMMAND_TOKEN": forged})
        assert (refused.returncode, OUTSIDE in refused.stderr) == (4, True)
    sandbox.ok(*widen, environment={**within, "HLDCTL_COMMAND_TOKEN": token})


def test_commands_chosen_by_a_session_cannot_answer(sandbox: Sandbox) -> None:
    chosen = "hldctl approve --all 2> chosen; echo $? >> chosen"
    launch = f"hldctl launch three --approvals --on-approval {shlex.quote(chosen)} --on-end {shlex.quote(chosen)}"
    request = launch_pair(sandbox, f"{tool_script(sandbox, launch)}\n\n[three]\n{TOUCH_SCRIPT}")
    sandbox.wait_for_end(sandbox.launch("two", "--allowed-tools", "Bash(sh t.sh)"))
    assert exit_codes(sandbox)[0].startswith("0 ")
    file = sandbox.work / "chosen"
    eventually(lambda: file.exists() and file.read_text().endswith("4\n"), "the command for the request")
    assert OUTSIDE in file.read_text()
    file.unlink()
    (nested,) = (each["session_id"] for each in all_requests(sandbox) if each["id"] != request["id"])
    sandbox.ok("interrupt", nested)
    eventually(lambda: file.exists() and file.read_text().endswith("4\n"), "the command for the end")
    assert [each["status"] for each in all_requests(sandbox) if each["id"] == request["id"]] == ["pending"]
    sandbox.ok("interrupt", request["session_id"])


def test_record_has_who_answered_and_from_where(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    (request,) = wait_for_requests(sandbox)
    assert (request["answered_by"], request["answered_from"]) == (None, None)
    lies = {"LOGNAME": "somebody", "USER": "somebody", "LNAME": "somebody", "USERNAME": "somebody"}
    sandbox.ok("approve", request["id"], environment={**lies, "SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 22"})
    sandbox.wait_for_end(session_id)
    (request,) = all_requests(sandbox)
    origin = request["answered_from"]
    assert request["answered_by"] == USER
    assert origin["pid"] > 1
    assert {name: value for name, value in origin.items() if name != "pid"} == {
        "uid": os.getuid(),
        "tty": None,
        "host": os.uname().nodename,
        "command": "approve",
        "session_id": None,
        "command_of": None,
        "ssh_client": "192.0.2.7",
        "asked_by": None,
    }
    assert feed_events(sandbox, "approval_resolved")[-1]["data"]["answered_from"] == origin
    exported = json.loads(sandbox.ok("export", session_id, "--format", "json"))
    assert exported["approvals"] == [request]
    assert f"approved by {USER} (ssh from 192.0.2.7)" in sandbox.ok("approvals", "--all")
    second = sandbox.run("deny", request["id"])
    assert (second.returncode, f"approved by {USER}" in second.stderr) == (4, True)


@pytest.mark.parametrize(("arguments", "command"), [(["approve"], "approve"), (["tail", "-f", "last"], "tail")])
def test_record_has_the_terminal_and_the_command(sandbox: Sandbox, arguments: list[str], command: str) -> None:
    session_id = launch_with_approvals(sandbox, TOUCH_SCRIPT)
    wait_for_requests(sandbox)
    with Terminal(sandbox, *arguments) as terminal:
        terminal.wait_for_output("[q]uit")
        terminal.enter("y\n")
        assert terminal.wait_for_exit()[0] == 0
    sandbox.wait_for_end(session_id)
    origin = all_requests(sandbox)[0]["answered_from"]
    assert (origin["command"], str(origin["tty"]).startswith("/dev/")) == (command, True)
