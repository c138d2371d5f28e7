"""Rules: which calls of the real Claude Code they allow, and which still need approval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.approvals import all_requests, feed_events, launch_with_approvals, wait_for_requests
from tests.helpers.sandbox import Json, Sandbox, eventually
from tests.helpers.terminal import Terminal

# Requests are denied after a moment, so that the whole script runs.
UNANSWERED = ("--approval-timeout", "1s=deny")


def script(*calls: tuple[str, dict[str, Any]]) -> str:
    """Return the script of a conversation that makes these calls one after the other."""
    return "".join(f"call {tool} {json.dumps(tool_input)}\n\n" for tool, tool_input in calls) + "say Done."


def write(path: Path | str) -> tuple[str, dict[str, Any]]:
    return "Write", {"file_path": str(path), "content": "text\n"}


def bash(command: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return "Bash", {"command": command, "description": "Run it", **more}


def comments(sandbox: Sandbox) -> list[str | None]:
    return [request["comment"] for request in all_requests(sandbox)]


def approve(sandbox: Sandbox, session_id: str, *options: str) -> str:
    """Approve the only pending request; return the command's standard error."""
    (request,) = wait_for_requests(sandbox, session_id)
    done = sandbox.run("approve", request["id"], *options)
    assert (done.returncode, done.stdout) == (0, f"{request['id']}\n")
    return done.stderr


def wait_for_request(sandbox: Sandbox, name: str, value: Any) -> Json:
    """Wait for a pending request with this value in its input; return it."""
    return eventually(
        lambda: [request for request in wait_for_requests(sandbox) if request["tool_input"].get(name) == value],
        f"a request: {value}",
    )[0]


def rules(sandbox: Sandbox, session_id: str) -> list[Json]:
    rules: list[Json] = sandbox.show(session_id)["rules"]
    return rules


def test_edits_are_accepted_in_the_project_only(sandbox: Sandbox) -> None:
    (sandbox.work / "link").symlink_to(sandbox.home)
    plain = sandbox.work / "new" / "plain.txt"
    guarded = [
        sandbox.home / ".bashrc",
        sandbox.home / ".ssh" / "authorized_keys",
        sandbox.home / ".config" / "hldctl" / "config.toml",
        sandbox.root / "outside.txt",
        sandbox.work / ".git" / "hooks" / "pre-commit",
        sandbox.work / ".claude" / "settings.json",
        sandbox.work / ".mcp.json",
        sandbox.state.root / "made",
        sandbox.work / "link" / "through-a-link",
    ]
    calls = [write(path) for path in (plain, *guarded)]
    session_id = launch_with_approvals(sandbox, script(*calls), "--auto-accept-edits", *UNANSWERED)
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    statuses = {request["tool_input"]["file_path"]: request["status"] for request in all_requests(sandbox)}
    assert statuses == {str(plain): "approved"} | {str(path): "denied" for path in guarded}
    assert plain.exists()
    assert not [path for path in guarded if path.exists()]


def test_editable_home_directory_excludes_hidden_files(sandbox: Sandbox) -> None:
    guarded = [
        sandbox.home / ".bashrc",
        sandbox.home / ".ssh" / "authorized_keys",
        sandbox.home / ".config" / "hldctl" / "config.toml",
        sandbox.home / ".local" / "bin" / "ls",
    ]
    plain = sandbox.home / "notes.txt"
    calls = [write(path) for path in (plain, *guarded)]
    session_id = launch_with_approvals(
        sandbox, script(*calls), "--auto-accept-edits", "--add-dir", str(sandbox.home), *UNANSWERED
    )
    sandbox.wait_for_end(session_id)
    assert [request["status"] for request in all_requests(sandbox)] == ["approved", *["denied"] * 4]
    assert plain.exists()


def test_notebook_edit_is_an_edit_of_its_path(sandbox: Sandbox) -> None:
    cell = {"cell_type": "markdown", "source": [], "metadata": {}, "id": "a"}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    paths = [sandbox.work / "inside.ipynb", sandbox.root / "outside.ipynb"]
    for path in paths:
        path.write_text(json.dumps(notebook))
    calls = []
    for path in paths:
        calls += [("Read", {"file_path": str(path)})]
        calls += [("NotebookEdit", {"notebook_path": str(path), "cell_id": "a", "new_source": "text"})]
    session_id = launch_with_approvals(
        sandbox, script(*calls), "--auto-accept-edits", "--allowed-tools", "Read", *UNANSWERED
    )
    sandbox.wait_for_end(session_id)
    edits = [
        (Path(request["tool_input"]["notebook_path"]).name, request["status"]) for request in all_requests(sandbox)
    ]
    assert edits == [("inside.ipynb", "approved"), ("outside.ipynb", "denied")]


def test_always_for_an_edit_allows_no_command(sandbox: Sandbox) -> None:
    calls = [
        write(sandbox.work / "one"),
        write(sandbox.work / "two"),
        bash("touch made"),
        write(sandbox.root / "other"),
    ]
    session_id = launch_with_approvals(sandbox, script(*calls))
    message = approve(sandbox, session_id, "--always")
    assert "edits in the session's directories, as with --auto-accept-edits, in this session" in message
    (request,) = wait_for_requests(sandbox)
    assert request["tool_name"] == "Bash"
    sandbox.ok("deny", request["id"])
    (request,) = wait_for_requests(sandbox)
    assert request["tool_input"]["file_path"] == str(sandbox.root / "other")
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert comments(sandbox)[1] == "allowed always: Edit"
    assert not (sandbox.work / "made").exists()


def test_always_for_an_edit_elsewhere_allows_only_that_file(sandbox: Sandbox) -> None:
    elsewhere = sandbox.root / "other"
    calls = [write(elsewhere), write(elsewhere), write(sandbox.root / "another"), write(sandbox.work / "plain")]
    session_id = launch_with_approvals(sandbox, script(*calls))
    assert f"edits of {elsewhere}, in this session" in approve(sandbox, session_id, "--always")
    for path in (sandbox.root / "another", sandbox.work / "plain"):
        sandbox.ok("deny", wait_for_request(sandbox, "file_path", str(path))["id"])
    sandbox.wait_for_end(session_id)
    assert [request["status"] for request in all_requests(sandbox)] == ["approved", "approved", "denied", "denied"]


@pytest.mark.parametrize("command", ["env *", "sh *", "bash -c *", "sudo *", "python3 build.py *", "touch *"])
def test_command_that_ends_in_a_star_is_allowed_literally(sandbox: Sandbox, command: str) -> None:
    other = command.replace("*", "-c 'touch pwned'")
    session_id = launch_with_approvals(sandbox, script(bash(command), bash(command), bash(other)))
    assert f"the Bash command `{command}`, in this session" in approve(sandbox, session_id, "--always")
    request = wait_for_request(sandbox, "command", other)
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert comments(sandbox)[1] == f"allowed always: Bash({command})"
    assert not (sandbox.work / "pwned").exists()


def test_safe_suggested_prefix_is_allowed_as_a_prefix(sandbox: Sandbox) -> None:
    (sandbox.work / "package.json").write_text('{"scripts": {"build": "true", "test": "true"}}')
    session_id = launch_with_approvals(
        sandbox, script(bash("npm run build"), bash("npm run build -- --all"), bash("npm exec other"))
    )
    (request,) = wait_for_requests(sandbox)
    sandbox.sql("UPDATE approvals SET suggested_rule = 'npm run *'")
    message = approve(sandbox, session_id, "--always")
    assert "Bash commands that start with `npm run`, in this session" in message
    request = wait_for_request(sandbox, "command", "npm exec other")
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert comments(sandbox)[1] == "allowed always: Bash(npm run *)"


def test_unsafe_suggested_prefix_allows_only_the_command(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, script(bash("xargs touch one"), bash("xargs touch pwned")))
    wait_for_requests(sandbox)
    sandbox.sql("UPDATE approvals SET suggested_rule = 'xargs *'")
    assert "the Bash command `xargs touch one`" in approve(sandbox, session_id, "--always")
    request = wait_for_request(sandbox, "command", "xargs touch pwned")
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)


def test_rule_includes_how_a_command_runs(sandbox: Sandbox) -> None:
    calls = [bash("touch made"), bash("touch made", timeout=9000), bash("touch made", run_in_background=True)]
    session_id = launch_with_approvals(sandbox, script(*calls))
    approve(sandbox, session_id, "--always")
    request = wait_for_request(sandbox, "run_in_background", True)
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert [each["status"] for each in all_requests(sandbox)] == ["approved", "approved", "denied"]


def test_monitor_is_allowed_only_for_its_command(sandbox: Sandbox) -> None:
    def monitor(command: str) -> tuple[str, dict[str, Any]]:
        return "Monitor", {"command": command, "description": "Look", "timeout_ms": 5000, "persistent": False}

    session_id = launch_with_approvals(sandbox, script(monitor("touch one"), monitor("id > pwned")))
    message = approve(sandbox, session_id, "--always")
    assert "touch one" in message
    request = wait_for_request(sandbox, "command", "id > pwned")
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert not (sandbox.work / "pwned").exists()


def test_rule_applies_to_one_session(sandbox: Sandbox) -> None:
    first = launch_with_approvals(sandbox, script(bash("touch made")))
    approve(sandbox, first, "--always")
    sandbox.wait_for_end(first)
    (sandbox.work / "made").unlink()
    second = sandbox.launch("Hi", "--approvals")
    (request,) = wait_for_requests(sandbox, second)
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(second)
    assert not (sandbox.work / "made").exists()
    assert (len(rules(sandbox, first)), rules(sandbox, second)) == (1, [])


def test_rules_can_be_listed_and_revoked(sandbox: Sandbox) -> None:
    calls = [bash("touch one"), bash("touch two"), bash("touch two"), bash("touch one")]
    session_id = launch_with_approvals(sandbox, script(*calls))
    message = approve(sandbox, session_id, "--always")
    wait_for_requests(sandbox)
    approve(sandbox, session_id, "--always")
    sandbox.wait_for_end(session_id)
    first, second = rules(sandbox, session_id)
    assert (first["tool_name"], first["kind"], first["content"]) == ("Bash", "exact", "touch one")
    assert first["words"] == "the Bash command `touch one`, in this session"
    assert f"--forget-rule {first['id']}" in message
    assert f"{first['id']}: {first['words']}" in sandbox.ok("show", session_id)
    assert comments(sandbox) == [None, None, *(f"allowed always: Bash({name})" for name in ("touch two", "touch one"))]
    assert second["content"] == "touch two"
    with Terminal(sandbox, "show", session_id, columns=120) as terminal:
        terminal.wait_for_output(f"{first['id']}: {first['words']}")
        assert terminal.wait_for_exit()[0] == 0
    assert sandbox.run("set", session_id, "--forget-rule", "none").returncode == 2
    sandbox.ok("set", session_id, "--forget-rule", first["id"][:4])
    assert rules(sandbox, session_id) == [second]
    (change,) = feed_events(sandbox, "session_settings_changed")
    assert change["data"] == {"forgotten_rules": [first["id"]]}
    sandbox.ok("set", session_id, "--forget-rule", "all")
    assert rules(sandbox, session_id) == []


def test_revoked_rule_allows_nothing(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, script(bash("touch one"), bash("touch two"), bash("touch one")))
    approve(sandbox, session_id, "--always")
    request = wait_for_request(sandbox, "command", "touch two")
    sandbox.ok("set", session_id, "--forget-rule", "all")
    # The pending request stays pending.
    assert sandbox.ok("approvals", "--json") != "[]\n"
    sandbox.ok("approve", request["id"])
    request = wait_for_request(sandbox, "command", "touch one")
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert [each["status"] for each in all_requests(sandbox)] == ["approved", "approved", "denied"]


def test_old_rule_for_a_whole_tool_allows_no_command(sandbox: Sandbox) -> None:
    session_id = launch_with_approvals(sandbox, script(bash("touch first"), bash("touch made"), write("plain")))
    (request,) = wait_for_requests(sandbox)
    for tool in ("Bash", "Write"):
        sandbox.sql("INSERT INTO approval_rules VALUES (?, ?, 'tool', '')", session_id, tool)
    sandbox.ok("approve", request["id"])
    request = wait_for_request(sandbox, "command", "touch made")
    sandbox.ok("deny", request["id"])
    sandbox.wait_for_end(session_id)
    assert [each["status"] for each in all_requests(sandbox)] == ["approved", "denied", "approved"]
    bash_rule, write_rule = rules(sandbox, session_id)
    assert bash_rule["words"].startswith("no Bash calls")
    assert write_rule["words"].startswith("edits in the session's directories")
