from __future__ import annotations

import json

from tests.helpers.sandbox import Sandbox


def test_settings_change_while_the_session_runs(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hi")
    assert sandbox.ok("set", session_id, "--title", "Chores", "--auto-accept-edits", "--archive") == ""
    session = sandbox.show(session_id)
    assert (session["title"], session["auto_accept_edits"], session["archived"]) == ("Chores", True, True)
    assert session["status"] == "running"
    sandbox.ok("set", session_id, "--no-auto-accept-edits", "--unarchive")
    session = sandbox.show(session_id)
    assert (session["title"], session["auto_accept_edits"], session["archived"]) == ("Chores", False, False)
    sandbox.ok("interrupt", session_id)


def test_archived_sessions_are_listed_only_with_all(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    sandbox.ok("set", "last", "--archive")
    assert sandbox.ok("ls", "-q") == ""
    assert sandbox.ok("ls", "-q", "--all") != ""


def test_permissions_can_be_skipped_for_a_time(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    changed = json.loads(sandbox.ok("set", "last", "--dangerously-skip-permissions-timeout", "1h", "--json"))
    assert changed["dangerously_skip_permissions"] is True
    assert changed["dangerously_skip_permissions_expires_at"] > changed["completed_at"]
    # Without a timeout it does not expire.
    sandbox.ok("set", "last", "--dangerously-skip-permissions")
    assert sandbox.show("last")["dangerously_skip_permissions_expires_at"] is None
    sandbox.ok("set", "last", "--no-dangerously-skip-permissions")
    assert sandbox.show("last")["dangerously_skip_permissions"] is False


def test_expired_settings_are_dropped_and_not_inherited(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hello.")
    parent = sandbox.wait_for_end(sandbox.launch("Hi"))["id"]
    sandbox.ok(
        "set", parent, "--auto-accept-edits", "--dangerously-skip-permissions-timeout", "1h", "--title", "Chores"
    )
    child = sandbox.wait_for_end(sandbox.ok("continue", parent, "More").strip())
    parent_session = sandbox.show(parent)
    for name in (
        "auto_accept_edits",
        "dangerously_skip_permissions",
        "dangerously_skip_permissions_expires_at",
        "title",
    ):
        assert child[name] == parent_session[name] is not None
    sandbox.ok("set", parent, "--dangerously-skip-permissions-timeout", "0")
    assert sandbox.show(parent)["dangerously_skip_permissions"] is True
    late = sandbox.wait_for_end(sandbox.ok("continue", parent, "More").strip())
    for session in (late, sandbox.show(parent)):
        assert session["dangerously_skip_permissions"] is False
        assert session["dangerously_skip_permissions_expires_at"] is None
    assert late["auto_accept_edits"] is True


def test_changes_appear_in_the_feed(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    sandbox.ok("set", "last", "--title", "Chores")
    (event,) = map(json.loads, sandbox.ok("events", "--json", "--type", "session_settings_changed").splitlines())
    assert event["data"] == {"title": "Chores"}


def test_missing_or_contradictory_options_are_bad_usage(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    sandbox.run("launch", "Hi", "--wait")
    assert sandbox.run("set", "last").returncode == 2
    options = ("--no-dangerously-skip-permissions", "--dangerously-skip-permissions-timeout", "1h")
    assert sandbox.run("set", "last", *options).returncode == 2
    assert sandbox.run("set", "nobody", "--archive").returncode == 3


def test_several_sessions_are_changed_at_once(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    ids = [sandbox.launch(query) for query in ("one", "two", "three")]
    sandbox.run("wait", *ids)
    changed = json.loads(sandbox.ok("set", ids[0], ids[2], "--archive", "--json"))
    assert [(session["id"], session["archived"]) for session in changed] == [(ids[0], True), (ids[2], True)]
    assert sandbox.ok("ls", "-q").split() == [ids[1]]
    assert sandbox.run("set", ids[1], "nosuch", "--archive").returncode == 3
    assert sandbox.show(ids[1])["archived"] is False


def test_name_is_set_and_removed(sandbox: Sandbox) -> None:
    sandbox.fake_claude("")
    session_id = sandbox.launch("Hi")
    sandbox.run("wait", session_id)
    sandbox.ok("set", session_id, "--name", "parser")
    assert sandbox.show("parser")["id"] == session_id
    sandbox.ok("set", "parser", "--name", "")
    assert sandbox.show(session_id)["name"] is None
    for name in ("last", "a b", "-x"):
        assert sandbox.run("set", session_id, f"--name={name}").returncode == 2


def test_name_of_a_session_that_has_not_ended_is_not_given_twice(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    first, second = sandbox.launch("Hi", "--name", "nightly"), sandbox.launch("Hi")
    rejected = sandbox.run("set", second, "--name", "nightly")
    assert (rejected.returncode, first in rejected.stderr) == (4, True)
    assert sandbox.run("set", first, second, "--name", "both").returncode == 2
    assert sandbox.ok("set", first, "--name", "nightly") == ""
    sandbox.ok("interrupt", first)
    sandbox.ok("set", second, "--name", "nightly")
    assert sandbox.show("nightly")["id"] == second
    sandbox.ok("interrupt", second)
