"""Sessions that launch sessions: who launched them is recorded and shown, and how many they may launch."""

from __future__ import annotations

import itertools
import json
import os
import shlex

import pytest

from tests.helpers.launching_sessions import CLEAN, STAY, results, run_within, script_of, serve, tool
from tests.helpers.sandbox import Sandbox, eventually

UNKNOWN = "11111111-1111-4111-8111-111111111111"


def launchers(sandbox: Sandbox) -> dict[str, str | None]:
    """Return the launcher of each session, by query."""
    return {each["query"]: each["launched_by"] for each in json.loads(sandbox.ok("ls", "--json", "--all"))}


def test_launcher_is_recorded_whatever_the_marker_says(sandbox: Sandbox) -> None:
    commands = (
        "hldctl launch plain -q --wait",
        f"{CLEAN} hldctl launch unmarked -q --wait",
        f"{CLEAN} setsid -w hldctl launch apart -q --wait",
        f"HLDCTL_SESSION_ID={UNKNOWN} hldctl launch forged -q --wait",
        "HLDCTL_SESSION_ID=supervisor hldctl launch supervised -q --wait",
        'hldctl continue "$(hldctl ls -q --limit 1)" continued -q --wait',
    )
    outer, found = run_within(sandbox, commands)
    assert [code for code, _ in found] == [0] * len(commands), found
    assert launchers(sandbox) == {
        "outer": None,
        **dict.fromkeys(("plain", "unmarked", "apart", "forged", "supervised", "continued"), outer),
    }
    assert sandbox.wait_for_end(sandbox.launch("by a person"))["launched_by"] is None
    # The marker alone counts for a process that has no parent in a session.
    marked = sandbox.launch("marked", environment={"HLDCTL_SESSION_ID": outer})
    assert sandbox.wait_for_end(marked)["launched_by"] == outer


def test_command_of_the_user_launches_for_the_user(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Done.")
    first = sandbox.launch("first", "--on-end", "hldctl launch second --wait < /dev/null; touch over")
    sandbox.wait_for_end(first)
    eventually((sandbox.work / "over").exists, "the command for the end")
    assert launchers(sandbox) == {"first": None, "second": None}


def test_tree_and_show_name_launcher_and_launched(sandbox: Sandbox) -> None:
    inner = script_of(sandbox, "inner", "hldctl launch innermost --wait -q")
    outer = script_of(
        sandbox, "outer", "hldctl launch inner --wait -q --allowed-tools 'Bash(sh inner.sh)'", "hldctl launch second -q"
    )
    serve(sandbox, outer, inner)
    outer_id = sandbox.launch("outer", *tool("outer", "inner"))
    assert sandbox.wait_for_end(outer_id)["status"] == "completed"
    assert [code for code, _ in results(sandbox, "outer")] == [0, 0], results(sandbox, "outer")
    continued = sandbox.ok("continue", outer_id, "again", "--wait", "--json")
    assert json.loads(continued)["launched_by"] is None
    header, *rows = sandbox.ok("ls", "--tree").splitlines()
    assert [row[header.index("TITLE") :] for row in rows] == [
        "outer",
        "└▸ inner",
        "  └▸ innermost",
        "└▸ second",
        "└ again",
    ]
    ids = {each["query"]: each["id"] for each in json.loads(sandbox.ok("ls", "--json"))}
    shown = sandbox.show(outer_id)
    assert (shown["launched_by"], shown["launched"]) == (None, [ids["inner"], ids["second"]])
    assert sandbox.show(ids["innermost"])["launched_by"] == ids["inner"]
    assert f"\nlaunched                    {ids['inner']}\n" in sandbox.ok("show", outer_id)
    assert f"\nlaunched by                 {outer_id}\n" in sandbox.ok("show", ids["inner"])
    # Children stay when their launcher is deleted, and still name it.
    sandbox.ok("rm", outer_id)
    assert sandbox.show(ids["second"])["launched_by"] == outer_id
    assert [row[header.index("TITLE") :] for row in sandbox.ok("ls", "--tree").splitlines()[1:]] == [
        "again",
        "second",
        "inner",
        "└▸ innermost",
    ]


def test_launcher_outlives_the_loss_of_the_database(sandbox: Sandbox) -> None:
    outer, _ = run_within(sandbox, ["hldctl launch inner -q --wait"])
    eventually(lambda: not sandbox.processes(), "the supervisors to leave")
    for path in sandbox.state.root.glob("hldctl.db*"):
        path.unlink()
    for directory in sandbox.state.sessions.iterdir():
        # A newer one could belong to a launch.
        os.utime(directory, (0, 0))
    sandbox.ok("doctor", "--fix", "--json")
    assert launchers(sandbox) == {"outer": None, "inner": outer}
    assert sandbox.sql("SELECT launchers FROM sessions WHERE launched_by IS NOT NULL") == [(json.dumps([outer]),)]


def test_depth_is_limited_below_the_session_of_a_person(sandbox: Sandbox) -> None:
    sandbox.configure("max_launch_depth = 2")
    names = ("outer", "second", "third", "fourth")
    launch = f"hldctl launch {{}} --wait -q {shlex.join(tool(*names))}"
    sections = [script_of(sandbox, name, launch.format(after)) for name, after in itertools.pairwise(names)]
    serve(sandbox, *sections)
    sandbox.wait_for_end(sandbox.launch("outer", *tool(*names)))
    assert set(launchers(sandbox)) == {"outer", "second", "third"}
    ((code, message),) = results(sandbox, "third")
    assert (code, message.count("\n")) == (4, 0)
    assert "at most 2 levels below session" in message
    assert "max_launch_depth in" in message
    assert len(list(sandbox.state.sessions.iterdir())) == 3


def test_launches_at_once_cannot_exceed_the_number(sandbox: Sandbox) -> None:
    sandbox.configure("max_launched = 3")
    at_once = "for each in 1 2 3 4 5 6 7 8 9 10 11 12; do (hldctl launch child$each -q; echo $?) & done; wait"
    gate = STAY.format("go-on")
    child = f'[child]\ncall Bash {{"command": "{gate}"}}\n\nsay Done.\n'
    serve(sandbox, script_of(sandbox, "outer", at_once, "hldctl launch later"), child)
    outer = sandbox.launch("outer", *tool("outer"))
    assert sandbox.wait_for_end(outer)["status"] == "completed"
    (_, printed), (code, message) = results(sandbox, "outer")
    codes = [line for line in printed.splitlines() if line in ("0", "4")]
    assert sorted(codes) == ["0"] * 3 + ["4"] * 9, printed
    assert (code, "3 sessions launched within session" in message) == (4, True), message
    assert len(list(sandbox.state.sessions.iterdir())) == 4
    # Others are not limited by it, and an ended one makes room.
    sandbox.launch("by a person")
    marked = {"HLDCTL_SESSION_ID": outer}
    assert sandbox.run("launch", "more", environment=marked).returncode == 4
    sandbox.ok("interrupt", json.loads(sandbox.ok("ls", "--json", "--search", "child"))[0]["id"])
    sandbox.ok("launch", "more", environment=marked)
    sandbox.ok("interrupt", "--all")


@pytest.mark.parametrize("key", ["max_launch_depth", "max_launched"])
def test_session_cannot_raise_the_limits(sandbox: Sandbox, key: str) -> None:
    _, found = run_within(sandbox, [f"hldctl config set {key} 100"])
    assert [code for code, _ in found] == [4], found
    (sandbox.work / ".hldctl.toml").write_text(f"{key} = 100\n")
    refused = sandbox.run("launch", "with a project's file")
    assert (refused.returncode, f"{key} is not an option of a session" in refused.stderr) == (2, True), refused.stderr
