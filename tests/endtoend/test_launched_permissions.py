"""Sessions that launch sessions: a launched one has at most the permissions of its launcher."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import pytest

from tests.helpers.launching_sessions import CLEAN, run_within
from tests.helpers.sandbox import Json, Sandbox

OUTSIDE = "from a shell outside the session"
LIMITED = "limited by the launching session: "


def sessions(sandbox: Sandbox) -> dict[str, Json]:
    """Return the sessions by query."""
    return {each["query"]: each for each in json.loads(sandbox.ok("ls", "--json"))}


def row(sandbox: Sandbox, query: str, column: str) -> Any:
    return sandbox.sql(f"SELECT {column} FROM sessions WHERE query = ?", query)[0][0]


def test_more_than_the_launcher_has_is_refused(sandbox: Sandbox) -> None:
    elsewhere = sandbox.root / "elsewhere"
    elsewhere.mkdir()
    options = (
        "--permission-mode acceptEdits",
        "--permission-mode auto",
        "--permission-mode bypassPermissions",
        "--auto-accept-edits",
        "--dangerously-skip-permissions",
        "--dangerously-skip-permissions-timeout 5m",
        "--approval-timeout 1m=allow",
        "--from-session",
        "--allowed-tools Bash",
        "--allowed-tools 'Bash(sh outer.sh)',Edit",
        "--permission-prompt-tool mcp__a__b --mcp-config '{\"mcpServers\": {}}'",
        "--mcp-config '{\"mcpServers\": {}}'",
        "--settings '{}'",
        '--agents \'{"helper": {"description": "d", "prompt": "p"}}\'',
        "--agent Plan",
        f"-C {elsewhere}",
        f"--add-dir {elsewhere}",
        "-- --add-dir /",
    )
    # A marker that names no session, or another one, does not help.
    plain = [f"hldctl launch wider {each}" for each in options]
    unmarked = [f"{CLEAN} {command}" for command in plain]
    outer, found = run_within(sandbox, [*plain, *unmarked])
    for option, (code, message) in zip((*options, *options), found, strict=True):
        assert (code, message.count("\n"), OUTSIDE in message) == (4, 0, True), (option, message)
    assert set(sessions(sandbox)) == {"outer"}
    assert [path.name for path in sandbox.state.sessions.iterdir()] == [outer]


def test_restrictions_of_the_launcher_are_handed_on(sandbox: Sandbox) -> None:
    deny = '{"permissions": {"deny": ["WebFetch"]}}'
    commands = ["hldctl launch inner --wait --no-approvals --disallowed-tools Edit"]
    options = ("--approvals", "--disallowed-tools", "WebSearch", "--settings", deny, "--private", "--add-dir", "/tmp")
    _, ((code, printed),) = run_within(sandbox, commands, *options)
    assert code == 0, printed
    assert f"{LIMITED}--disallowed-tools WebSearch, --approvals, --settings\n" in printed
    inner = sessions(sandbox)["inner"]
    assert inner["disallowed_tools"] == ["Edit", "WebSearch"]
    assert (row(sandbox, "inner", "approvals"), row(sandbox, "inner", "private")) == (1, 1)
    files = sandbox.files(inner["id"])
    assert json.loads(files.claude_settings.read_text()) == json.loads(deny)
    assert json.loads(files.settings_with_hook.read_text())["permissions"] == {"deny": ["WebFetch"]}
    saved = json.loads(files.session_record.read_text())
    assert (saved["disallowed_tools"], saved["approvals"], saved["private"]) == (["Edit", "WebSearch"], True, True)


@pytest.mark.parametrize("mode", ["plan", "dontAsk"])
def test_narrow_mode_is_handed_on(sandbox: Sandbox, mode: str) -> None:
    commands = ["hldctl launch none --wait", "hldctl launch plain -q --permission-mode default"]
    commands += ["hldctl launch plan --wait -q --permission-mode plan"]
    _, found = run_within(sandbox, commands, "--permission-mode", mode)
    assert [code for code, _ in found] == [0, 4, 0], found
    assert f"{LIMITED}--permission-mode {mode}\n" in found[0][1]
    modes = {query: each["permission_mode"] for query, each in sessions(sandbox).items()}
    assert modes == {"outer": mode, "none": mode, "plan": "plan"}


def test_what_the_configuration_gives_is_reduced(sandbox: Sandbox) -> None:
    sandbox.configure(
        'permission_mode = "acceptEdits"\nallowed_tools = ["Read", "Edit"]\napproval_timeout = "5m=allow"'
    )
    own = ("--permission-mode", "default", "--approval-timeout", "9m=deny")
    _, ((code, printed),) = run_within(sandbox, ["hldctl launch inner --wait"], *own)
    assert code == 0, printed
    note = "--permission-mode default, --approval-timeout …=deny, without Read, Edit"
    assert f"{LIMITED}{note}\n" in printed
    inner = sessions(sandbox)["inner"]
    assert (inner["permission_mode"], inner["allowed_tools"]) == ("default", [])
    assert row(sandbox, "inner", "approval_timeout_allows") == 0


def test_launcher_gives_what_it_has(sandbox: Sandbox) -> None:
    same = "--auto-accept-edits --approval-timeout 5m=allow --allowed-tools 'Bash(sh outer.sh)'"
    below = sandbox.work / "below"
    below.mkdir()
    commands = [f"hldctl launch same -q --wait {same}", f"hldctl launch below -q --wait -C {below} --add-dir /tmp/"]
    own = ("--auto-accept-edits", "--approval-timeout", "5m=allow", "--approvals", "--add-dir", "/tmp")
    _, found = run_within(sandbox, commands, *own)
    assert found == [(0, "Done."), (0, "Done.")]
    assert sessions(sandbox)["same"]["auto_accept_edits"] is True
    assert row(sandbox, "same", "approval_timeout_allows") == 1


def test_tools_of_the_launcher_are_all_that_it_gives(sandbox: Sandbox) -> None:
    commands = [
        "hldctl launch none --wait",
        "hldctl launch fewer -q --wait --tools Bash",
        "hldctl launch more -q --tools Bash,Write",
        "hldctl launch usual -q --tools default",
    ]
    _, found = run_within(sandbox, commands, "--tools", "Bash,Read")
    assert [code for code, _ in found] == [0, 0, 4, 4], found
    assert f"{LIMITED}--tools Bash,Read\n" in found[0][1]
    tools = {query: each["tools"] for query, each in sessions(sandbox).items()}
    assert tools == {"outer": ["Bash", "Read"], "none": ["Bash", "Read"], "fewer": ["Bash"]}


def test_agents_of_a_continued_session_lose_their_wide_mode(sandbox: Sandbox) -> None:
    agents = {"helper": {"description": "d", "prompt": "p", "permissionMode": "acceptEdits"}}
    sandbox.run("launch", "wide", "--name", "wider", "--agents", json.dumps(agents))
    _, ((code, printed),) = run_within(sandbox, ["hldctl continue wider again --wait"])
    assert code == 0, printed
    assert f"{LIMITED}without the permission mode of helper\n" in printed
    written = json.loads(sandbox.files(sessions(sandbox)["again"]["id"]).agents.read_text())
    assert written == {"helper": {"description": "d", "prompt": "p"}}


def test_skipping_ends_with_that_of_the_launcher(sandbox: Sandbox) -> None:
    commands = [
        "hldctl launch forever --wait --dangerously-skip-permissions",
        "hldctl launch longer --wait --dangerously-skip-permissions-timeout 9h",
        "hldctl launch shorter -q --wait --dangerously-skip-permissions-timeout 1m",
        "hldctl launch mode -q --permission-mode bypassPermissions",
        "hldctl launch tools -q --allowed-tools Edit",
    ]
    _, found = run_within(sandbox, commands, "--dangerously-skip-permissions-timeout", "30m")
    assert [code for code, _ in found] == [0, 0, 0, 4, 4], found
    assert all(LIMITED in printed for _, printed in found[:2])
    ends = {query: each["dangerously_skip_permissions_expires_at"] for query, each in sessions(sandbox).items()}
    assert ends["forever"] == ends["longer"] == ends["outer"]
    assert datetime.fromisoformat(ends["shorter"]).timestamp() < time.time() + 60


def test_launcher_that_may_do_everything_gives_everything_except_what_is_forbidden(sandbox: Sandbox) -> None:
    commands = [
        "hldctl launch inner --wait --permission-mode bypassPermissions --allowed-tools Edit -C / -- --add-dir /tmp"
    ]
    own = ("--permission-mode", "bypassPermissions", "--disallowed-tools", "WebFetch")
    _, ((code, printed),) = run_within(sandbox, commands, *own)
    assert code == 0, printed
    assert sessions(sandbox)["inner"]["disallowed_tools"] == ["WebFetch"]


def test_forged_marker_only_adds_restrictions(sandbox: Sandbox) -> None:
    sandbox.run("launch", "narrow")
    narrow = sandbox.ok("ls", "-q").strip()
    commands = [
        f"HLDCTL_SESSION_ID={narrow} hldctl launch forged -q --wait --allowed-tools 'Bash(sh outer.sh)'",
        f"HLDCTL_SESSION_ID={narrow} hldctl launch wide -q --allowed-tools Edit",
    ]
    _, found = run_within(sandbox, commands)
    assert [code for code, _ in found] == [4, 4], found
    assert "forged" not in sessions(sandbox)


def test_continuation_gets_no_more_than_its_launcher(sandbox: Sandbox) -> None:
    commands = ["hldctl continue wider again --wait", "hldctl continue wider twice -q --allowed-tools Edit"]
    sandbox.run("launch", "wide", "--name", "wider", "--allowed-tools", "Edit")
    _, found = run_within(sandbox, commands)
    assert [code for code, _ in found] == [0, 4], found
    assert f"{LIMITED}without Edit\n" in found[0][1]
    assert sessions(sandbox)["again"]["allowed_tools"] == []
