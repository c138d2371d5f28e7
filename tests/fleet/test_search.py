"""`hldctl search --fleet`: the conversations in the record, as far as the role sees them."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from hldctl.fleet.record.full_text import as_query
from hldctl.store.search.terms import Term
from tests.fleet.comparison import differences
from tests.fleet.test_roles import run, write_rows
from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually

SCRIPT = """
say I will look at src/parser.py.
call Bash {"command": "echo zirconium-$((6 * 7)); printf 'a\\\\nb' # crème"}

say Done.
"""


def find_places(sandbox: Sandbox, *arguments: str) -> list[tuple[str, int]]:
    matches = json.loads(sandbox.ok("search", *arguments, "--fleet", "--json"))
    return [(match["session_id"], match["sequence"]) for match in matches]


def test_session_of_another_machine_is_found(sandbox: Sandbox, other: Sandbox, record: Record) -> None:
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
    sandbox.serve_script(SCRIPT)
    sandbox.launch("Find the metal", "--name", "metal", "--wait", "--allowed-tools", "Bash")
    session_id = sandbox.show("last")["id"]
    eventually(lambda: not differences(record, sandbox, other), "the record to be equal")
    here = json.loads(sandbox.ok("search", "zirconium-42", "--json"))
    (there,) = json.loads(other.ok("search", "zirconium-42", "--fleet", "--json"))
    assert there["machine"]["id"] == sandbox.state.fleet.machine_id.read_text().strip()
    # The record does not say of which call a result is.
    assert [{**match, "tool_name": None, "machine": None} for match in here] == [there | {"machine": None}]
    for words, count in (("parser.py", 1), ("PARSER", 1), ("crème", 1), ("b", 1), ('"printf" echo', 1), ("pars*", 1)):
        assert len(find_places(other, words)) == count, words
    assert find_places(other, "absent") == find_places(other, "py parser", "--role", "user") == []
    assert len(find_places(other, "zirconium*", "--tool", "bash", "--session", "metal")) == 1
    assert find_places(other, "metal", "--role", "user") == [(session_id, 1)]
    assert find_places(other, "metal", "--machine", there["machine"]["name"], "--since", "1h") == [(session_id, 1)]
    assert other.ok("search", "metal", "--owner", "nobody") == ""
    line = other.ok("search", "parser", "--fleet")
    assert line.startswith(there["machine"]["name"])
    assert f"  {session_id[:8]}  " in line
    assert other.ok("search", "parser") == ""
    assert other.run("search", "parser", "--fleet", "--session", "absent").returncode == 3


def test_only_visible_sessions_are_found(shared: Record) -> None:
    owned = {role: write_rows(shared, role, "web" if role == "ann" else None) for role in ("ann", "bob")}
    for role, each in owned.items():
        event = json.dumps({"content": f"needle of {role}", "role": "user", "created_at": 5, "tool_name": None})
        run(shared, role, "UPDATE hldctl.events SET event = %s WHERE session_id = %s", event, each.session)
    query = "SELECT session_id FROM hldctl.search('needle', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 9)"
    seen = {role: {str(row[0]) for row in run(shared, role, query)} for role in ("ann", "bob", "tom", "eve", "op")}
    ann, bob = owned["ann"].session, owned["bob"].session
    assert seen == {"ann": {ann}, "bob": {bob}, "tom": {ann}, "eve": set(), "op": {ann, bob}}


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"content": "a \x00 needle \ud83d here"}, "needle"),
        ({"content": "back\\\\u0000 needle\x00"}, "needle"),
        ({"content": "\x00\x00\ud800\udc00 needle"}, "needle"),
        ({"tool_input": json.dumps({"command": "cat a\nneedle\x00"})}, "needle"),
        ({"tool_input": json.dumps({"command": "Crème"})}, "crème"),
        ({"tool_result_content": "src/needle.py:3: e.g. needle@example.org"}, "needle <-> example <-> org"),
        ({"content": "needle " + " ".join(f"word{number}x" for number in range(200_000))}, "needle"),
        ({"content": "\u201cneedle\u201d\u2014or 5\u20ac\u2026"}, "needle <-> or <-> 5"),
        ({"content": "needle " + "é" * 300_000}, "needle"),
        ({"content": "needle " + " ".join(map(chr, range(0x4E00, 0x9000))) * 5}, "needle"),
    ],
)
def test_any_event_is_recorded_and_its_words_are_found(record: Record, event: dict[str, Any], words: str) -> None:
    with psycopg.connect(record.url, autocommit=True) as connection:
        text = json.dumps({"created_at": 1, "role": "user"} | event)
        row = connection.execute("SELECT hldctl.words(%s::json) @@ %s::tsquery", (text, words)).fetchone()
    assert row == (True,)


def test_search_uses_the_index(record: Record) -> None:
    with psycopg.connect(record.url, autocommit=True) as connection:
        connection.execute("SELECT hldctl.make_month('2026-11-01')")
        plan = connection.execute(
            "SET enable_seqscan = off; EXPLAIN SELECT 1 FROM hldctl.events WHERE hldctl.words(event) @@ 'needle'"
        )
        while plan.nextset():
            pass
        text = "\n".join(row[0] for row in plan.fetchall())
    assert "Index Cond: (words(event) @@ '''needle'''::tsquery)" in text.replace("hldctl.", "")


def test_terms_are_a_query_of_postgresql(record: Record) -> None:
    query = as_query([Term(("src", "pars"), is_prefix=True), Term(("crème",))])
    assert record.rows(f"SELECT $${query}$$::tsquery::text") == [("'src' <-> 'pars':* & 'crème'",)]
