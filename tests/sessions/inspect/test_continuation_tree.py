from __future__ import annotations

from hldctl.sessions.inspect.continuation_tree import walk_tree
from hldctl.store.session import Session
from tests.helpers.sandbox import Sandbox


def session(name: str, created_at: int, parent: str | None = None, after: tuple[str, ...] = ()) -> Session:
    predecessors = [{"id": each, "condition": "completed"} for each in after] or None
    return Session.from_columns(
        {"id": name, "created_at": created_at, "parent_session_id": parent, "after": predecessors}
    )


def test_dependants_are_below_the_newest_of_their_predecessors() -> None:
    sessions = [
        session("continuation", 9, "first", ("second",)),
        session("last", 8, None, ("second", "first", "deleted")),
        session("second", 7, None, ("first",)),
        session("first", 6),
    ]
    assert [(depth, child.id) for depth, child in walk_tree(sessions)] == [
        (0, "first"),
        (1, "second"),
        (2, "last"),
        (1, "continuation"),
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
    assert [(depth, child.id) for depth, child in walk_tree(sessions)] == [
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
