from __future__ import annotations

from hldctl.sessions.inspect.continuation_tree import walk_tree
from hldctl.store.session import Session
from tests.helpers.sandbox import Sandbox


def session(
    name: str, created_at: int, parent: str | None = None, after: tuple[str, ...] = (), launcher: str | None = None
) -> Session:
    predecessors = [{"id": each, "condition": "completed"} for each in after] or None
    columns = {"parent_session_id": parent, "launched_by": launcher, "after": predecessors}
    return Session.from_columns({"id": name, "created_at": created_at, **columns})


def test_dependants_are_below_the_newest_of_their_predecessors() -> None:
    sessions = [
        session("continuation", 9, "first", ("second",)),
        session("last", 8, None, ("second", "first", "deleted")),
        session("second", 7, None, ("first",)),
        session("first", 6),
    ]
    assert [(branch.depth, branch.session.id) for branch in walk_tree(sessions)] == [
        (0, "first"),
        (1, "second"),
        (2, "last"),
        (1, "continuation"),
    ]


def test_launched_sessions_are_below_their_launchers_unless_they_continue_another() -> None:
    sessions = [
        session("of-deleted", 9, launcher="deleted"),
        session("own-continuation", 8, "root", launcher="root"),
        session("continuation", 7, "child", launcher="root"),
        session("child", 6, after=("other",), launcher="root"),
        session("other", 5),
        session("root", 4),
    ]
    assert [(branch.depth, branch.session.id, branch.is_launched) for branch in walk_tree(sessions)] == [
        (0, "of-deleted", False),
        (0, "other", False),
        (0, "root", False),
        (1, "child", True),
        (2, "continuation", False),
        (1, "own-continuation", False),
    ]


def test_children_are_below_their_parents() -> None:
    sessions = [
        session("newest", 9),
        session("grandchild", 8, "younger"),
        session("younger", 7, "root"),
        session("older", 6, "root"),
        session("root", 5),
        session("orphan", 4, "deleted"),
    ]
    assert [(branch.depth, branch.session.id) for branch in walk_tree(sessions)] == [
        (0, "newest"),
        (0, "root"),
        (1, "older"),
        (1, "younger"),
        (2, "grandchild"),
        (0, "orphan"),
    ]


def test_families_are_drawn_also_after_a_parent_is_deleted(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Hello.")
    first = sandbox.wait_for_end(sandbox.launch("first"))["id"]
    second = sandbox.wait_for_end(sandbox.ok("continue", first, "second").strip())["id"]
    header, *rows = sandbox.ok("ls", "--tree").splitlines()
    assert [row[header.index("TITLE") :] for row in rows] == ["first", "└ second"]
    assert sandbox.show(first)["children"] == [second]
    assert sandbox.show(second)["parent_session_id"] == first
    assert second in sandbox.ok("show", first)
    sandbox.sql("DELETE FROM sessions WHERE id = ?", first)
    third = sandbox.wait_for_end(sandbox.ok("continue", second, "third").strip())
    assert (third["status"], third["parent_session_id"]) == ("completed", second)
    assert sandbox.ok("ls", "--tree", "-q").split() == [second, third["id"]]
