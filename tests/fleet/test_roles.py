"""Who may see, write and ask what in the record, by its real roles."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest

from hldctl.fleet import membership
from hldctl.fleet.record.members import OPERATOR
from hldctl.fleet.record.migrations import MIGRATIONS
from tests.fleet.comparison import differences
from tests.fleet.conftest import ROLES
from tests.helpers.postgres import Record, Server, running_server
from tests.helpers.sandbox import Sandbox, eventually

TABLES = ("machines", "sessions", "events", "approvals", "changes")
APPROVAL = (
    'INSERT INTO hldctl.approvals (id, session_id, status, created_at, "row")'
    " VALUES (%s, %s, 'pending', 1, '{\"tool_input\": \"secret\"}')"
)
CHANGE = (
    'INSERT INTO hldctl.changes (machine_id, id, type, session_id, run_id, "timestamp", data)'
    " VALUES (%s, %s, 'new_approval', %s, '', 1, '{}')"
)


class Owned(NamedTuple):
    """What a member has in the record."""

    owner: str
    machine: str
    session: str
    team: str | None


def run(record: Record, role: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement as a role; return its rows, or one with their number."""
    with psycopg.connect(f"{record.url} user={role}", autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return [(cursor.rowcount,)] if cursor.description is None else cursor.fetchall()


def is_refused(record: Record, role: str, statement: str, *values: Any) -> bool:
    """Return whether a statement is refused, without a word of what is there, or finds nothing to change."""
    try:
        return run(record, role, statement, *values) == [(0,)]
    except psycopg.Error as error:
        # HL001: the machine's cursor is not found.
        return "secret" not in str(error) and (error.sqlstate or "") in ("42501", "HL001")


def write_rows(record: Record, owner: str, team: str | None = None) -> Owned:
    """Write a row into each table as this role, as its link does."""
    owned = Owned(owner, str(uuid4()), str(uuid4()), team)
    with psycopg.connect(f"{record.url} user={owner}", autocommit=True) as connection:
        execute = connection.execute
        execute("SELECT hldctl.make_month('2026-11-01')")
        execute(
            "INSERT INTO hldctl.machines (id, name, team, lease) VALUES (%s, %s, %s, '30 s')",
            (owned.machine, f"{owner}-machine", team),
        )
        execute(
            "INSERT INTO hldctl.sessions (id, machine_id, team, name, status, archived, created_at, title,"
            " pending_approvals, \"row\") VALUES (%s, %s, %s, %s, 'running', false, 1796000000000, 'secret', 1, '{}')",
            (owned.session, owned.machine, team, f"{owner}-session"),
        )
        execute("INSERT INTO hldctl.events VALUES ('2026-11-01', %s, 1, '{}')", (owned.session,))
        execute(APPROVAL, (str(uuid4()), owned.session))
        execute(CHANGE, (owned.machine, 1, owned.session))
    return owned


def ask(owned: Owned) -> tuple[str, tuple[str, str]]:
    statement = (
        "INSERT INTO hldctl.intents (machine_id, session_id, kind, arguments, expires_at)"
        " VALUES (%s, %s, 'interrupt', '{}', clock_timestamp() + interval '1 h')"
    )
    return statement, (owned.machine, owned.session)


def forgeries(by: Owned, of: Owned) -> list[tuple[str, tuple[Any, ...]]]:
    """Return statements by which one member would change what another has, or write in the other's name."""
    session = (
        'INSERT INTO hldctl.sessions (id, machine_id, {}status, archived, created_at, "row")'
        " VALUES (%s, %s, {}'running', false, 1, '{{}}')"
    )
    upsert = " ON CONFLICT (id) DO UPDATE SET status = excluded.status"
    return [
        ("UPDATE hldctl.machines SET name = 'x' WHERE id = %s", (of.machine,)),
        ("UPDATE hldctl.machines SET team = NULL, left_at = clock_timestamp() WHERE id = %s", (of.machine,)),
        ("SELECT hldctl.forget(%s)", (of.machine,)),
        ("SELECT hldctl.declare_lost(%s, NULL)", (of.machine,)),
        ("SELECT hldctl.advance(%s, 0, 0, 9)", (of.machine,)),
        ("DELETE FROM hldctl.machines WHERE id = %s", (of.machine,)),
        ("INSERT INTO hldctl.machines (id, name, owner) VALUES (%s, 'x', %s)", (str(uuid4()), of.owner)),
        ("UPDATE hldctl.machines SET owner = %s WHERE id = %s", (of.owner, by.machine)),
        ("UPDATE hldctl.sessions SET title = 'x' WHERE id = %s", (of.session,)),
        ("DELETE FROM hldctl.sessions WHERE id = %s", (of.session,)),
        (session.format("", ""), (str(uuid4()), of.machine)),
        (session.format("owner, ", f"'{of.owner}', "), (str(uuid4()), by.machine)),
        (session.format("", "") + upsert, (of.session, by.machine)),
        ("UPDATE hldctl.sessions SET machine_id = %s WHERE id = %s", (of.machine, by.session)),
        ("UPDATE hldctl.sessions SET owner = %s WHERE id = %s", (of.owner, by.session)),
        ("UPDATE hldctl.sessions SET declared_lost_by = %s WHERE id = %s", (of.owner, by.session)),
        ("INSERT INTO hldctl.events VALUES ('2026-11-01', %s, 2, '{}')", (of.session,)),
        ("UPDATE hldctl.events SET event = 'null' WHERE session_id = %s", (of.session,)),
        ("UPDATE hldctl.events SET session_id = %s WHERE session_id = %s", (of.session, by.session)),
        ("DELETE FROM hldctl.events WHERE session_id = %s", (of.session,)),
        (APPROVAL, (str(uuid4()), of.session)),
        ("UPDATE hldctl.approvals SET status = 'approved' WHERE session_id = %s", (of.session,)),
        ("DELETE FROM hldctl.approvals WHERE session_id = %s", (of.session,)),
        (CHANGE, (of.machine, 2, by.session)),
        ("DELETE FROM hldctl.changes WHERE machine_id = %s", (of.machine,)),
        (
            "INSERT INTO hldctl.intents (machine_id, session_id, kind, arguments) VALUES (%s, %s, 'set', '{}')",
            (by.machine, of.session),
        ),
        (
            "INSERT INTO hldctl.intents (machine_id, kind, arguments, asked_by) VALUES (%s, 'set', '{}', %s)",
            (by.machine, of.owner),
        ),
        ("TRUNCATE hldctl.sessions", ()),
        ("INSERT INTO hldctl.migrations (number) VALUES (99)", ()),
        ("CREATE TABLE hldctl.mine (id integer)", ()),
    ]


def test_owner_team_and_operators_see_a_row_and_nobody_else(shared: Record) -> None:
    ann, bob = write_rows(shared, "ann", "web"), write_rows(shared, "bob")
    seen = {"ann": [ann], "bob": [bob], "tom": [ann], "eve": [], "op": [ann, bob], "hldctl": [ann, bob]}
    for role, owned in seen.items():
        for table in TABLES:
            column = {"machines": "id", "changes": "machine_id", "sessions": "id"}.get(table, "session_id")
            wanted = {each.machine if column == "machine_id" or table == "machines" else each.session for each in owned}
            rows = run(shared, role, f"SELECT {column}::text FROM hldctl.{table}")
            assert sorted(row[0] for row in rows) == sorted(wanted), (role, table)
            count = run(shared, role, f"SELECT count(*) FROM hldctl.{table}")
            assert count == [(len(owned),)], (role, table)


def test_nobody_changes_or_forges_what_another_has(shared: Record) -> None:
    ann, bob = write_rows(shared, "ann", "web"), write_rows(shared, "bob")
    tom, eve, op = (write_rows(shared, role) for role in ("tom", "eve", "op"))
    before = [run(shared, "hldctl", f"SELECT * FROM hldctl.{table} ORDER BY 1, 2, 3") for table in TABLES]
    pairs = [(by, of) for by in (ann, bob, tom, eve, op) for of in (ann, bob) if by is not of]
    for by, of in pairs:
        for statement, values in forgeries(by, of):
            # Operators may declare what is lost.
            if by is not op or ("lost(" not in statement and "forget(" not in statement):
                assert is_refused(shared, by.owner, statement, *values), (by.owner, of.owner, statement)
    after = [run(shared, "hldctl", f"SELECT * FROM hldctl.{table} ORDER BY 1, 2, 3") for table in TABLES]
    assert after == before
    assert run(shared, "hldctl", "SELECT count(*) FROM hldctl.intents") == [(0,)]


def test_change_of_another_members_session_is_not_shown_to_its_owner(shared: Record) -> None:
    ann, bob = write_rows(shared, "ann"), write_rows(shared, "bob")
    run(shared, "bob", CHANGE, bob.machine, 2, ann.session)
    assert run(shared, "ann", "SELECT id FROM hldctl.changes WHERE session_id = %s", ann.session) == [(1,)]


def test_partitions_are_reached_through_their_table_only(shared: Record) -> None:
    write_rows(shared, "ann", "web")
    for role in ROLES:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(shared, role, "SELECT * FROM hldctl.events_2026_11")
    # Nor with a right that default privileges gave.
    shared.rows("GRANT ALL ON hldctl.events_2026_11 TO bob")
    assert run(shared, "bob", "SELECT * FROM hldctl.events_2026_11") == []
    for month in ("2026-11-02", "1969-12-01", "2099-01-01", None):
        with pytest.raises(psycopg.errors.RaiseException):
            run(shared, "bob", "SELECT hldctl.make_month(%s)", month)


def test_only_a_member_of_a_team_writes_for_it(shared: Record) -> None:
    bob = write_rows(shared, "bob")
    for table, row in (("machines", bob.machine), ("sessions", bob.session)):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match='"bob" is not a member of the team "web"'):
            run(shared, "bob", f"UPDATE hldctl.{table} SET team = 'web' WHERE id = %s", row)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="not a member of the team"):
        write_rows(shared, "bob", "nowhere")


def test_intents_are_asked_by_who_sees_the_session_and_done_by_the_machines_owner(shared: Record) -> None:
    ann, bob = write_rows(shared, "ann", "web"), write_rows(shared, "bob")
    for role, of, is_allowed in (
        ("ann", ann, True),
        ("tom", ann, True),
        ("op", ann, True),
        ("bob", ann, False),
        ("eve", ann, False),
        ("tom", bob, False),
    ):
        statement, values = ask(of)
        assert is_refused(shared, role, statement, *values) is not is_allowed, (role, of.owner)
    asked = {"ann": 3, "tom": 1, "op": 3, "bob": 0, "eve": 0}
    for role, count in asked.items():
        assert run(shared, role, "SELECT count(*) FROM hldctl.intents") == [(count,)], role
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(shared, "tom", "UPDATE hldctl.intents SET arguments = '[]'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only the owner of a machine"):
        run(shared, "tom", "UPDATE hldctl.intents SET done_at = clock_timestamp(), outcome = '{}'")
    assert run(shared, "tom", "UPDATE hldctl.intents SET expires_at = clock_timestamp()") == [(1,)]
    assert run(shared, "bob", "UPDATE hldctl.intents SET expires_at = clock_timestamp()") == [(0,)]
    assert run(shared, "ann", "UPDATE hldctl.intents SET taken_at = clock_timestamp(), outcome = '{}'") == [(3,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(shared, "ann", "DELETE FROM hldctl.intents")
    assert run(shared, "op", "DELETE FROM hldctl.intents") == [(3,)]


def test_members_can_be_one_role_and_others_then_see_nothing(shared: Record, sandbox: Sandbox) -> None:
    sandbox.ok("fleet", "init", shared.url, "--members", "staff")
    # A later call keeps them.
    assert membership.init(shared.url).migrations == 0
    for role in ("eve", "op", "bob", "ann"):
        is_member = role != "eve"
        assert is_refused(shared, role, "SELECT 1 FROM hldctl.sessions") is not is_member, role
        assert is_refused(shared, role, "SELECT hldctl.teams()") is not is_member, role
    done = sandbox.run("fleet", "join", f"{shared.url} user=eve")
    assert (done.returncode, "role eve is not a member of this fleet" in done.stderr) == (5, True), done.stderr
    done = sandbox.run("fleet", "init", shared.url, "--members", "nobody-at-all")
    assert (done.returncode, "no role 'nobody-at-all'" in done.stderr) == (2, True), done.stderr
    sandbox.ok("fleet", "init", shared.url, "--members", "public")
    assert run(shared, "eve", "SELECT count(*) FROM hldctl.sessions") == [(0,)]


def test_owner_of_the_database_needs_no_right_to_make_roles(sandbox: Sandbox) -> None:
    with running_server(template=False) as server:
        server.execute("CREATE ROLE boss LOGIN")
        server.execute("CREATE ROLE ann LOGIN")
        server.execute("CREATE DATABASE fleet OWNER boss")
        url = f"{server.url('fleet')} user=boss"
        done = sandbox.run("fleet", "init", url)
        assert (done.returncode, "CREATE ROLE hldctl_operator NOLOGIN" in done.stderr) == (0, True), done.stderr
        record = Record(server, server.url("fleet"), "fleet")
        ann = write_rows(record, "ann")
        assert run(record, "boss", "SELECT id::text FROM hldctl.sessions") == [(ann.session,)]
        server.execute(f"CREATE ROLE {OPERATOR} NOLOGIN")
        server.execute(f"CREATE ROLE op LOGIN IN ROLE {OPERATOR}")
        assert run(record, "op", "SELECT id FROM hldctl.sessions") == []
        assert "CREATE ROLE" not in sandbox.run("fleet", "init", url).stderr
        assert run(record, "op", "SELECT id::text FROM hldctl.sessions") == [(ann.session,)]


def test_members_write_into_one_record_and_each_reads_its_own(sandbox: Sandbox, other: Sandbox, shared: Record) -> None:
    ann, bob = f"{shared.url} user=ann", f"{shared.url} user=bob"
    sandbox.ok("fleet", "join", ann)
    other.ok("fleet", "join", bob)
    for machine in (sandbox, other):
        machine.serve_script('call Bash {"command": "echo one"}\n\nsay Done.')
    hers = sandbox.launch("Keep this to yourself", "--allowed-tools", "Bash", "--name", "parser")
    his = other.launch("Go", "--allowed-tools", "Bash")
    sandbox.wait_for_end(hers)
    other.wait_for_end(his)
    eventually(lambda: not differences(shared, sandbox, other), "the record to be equal")
    assert run(shared, "hldctl", "SELECT owner::text FROM hldctl.sessions ORDER BY owner") == [("ann",), ("bob",)]
    for machine, own in ((sandbox, hers), (other, his)):
        assert machine.ok("ls", "--fleet", "-q").split() == [own]
        (sums,) = json.loads(machine.ok("stats", "--fleet", "--json"))
        assert sums["sessions"] == 1
        assert [each["owner"] for each in json.loads(machine.ok("fleet", "--json"))] == [
            "ann" if machine is sandbox else "bob"
        ]
        changes = [json.loads(line) for line in machine.ok("events", "--fleet", "--json").splitlines()]
        assert {each["session_id"] for each in changes} == {own}
    unknown = other.run("show", "aaaaaaaa")
    for reference in (hers, hers[:8], "parser"):
        done = other.run("show", reference)
        assert (done.returncode, done.stderr) == (3, unknown.stderr.replace("aaaaaaaa", reference))
    machine_id = sandbox.state.fleet.machine_id.read_text().strip()
    assert other.run("ls", "--machine", machine_id).returncode == 3
    assert other.run("fleet", "forget", machine_id).returncode == 3


def test_team_of_a_machine_sees_its_sessions_as_long_as_it_is_the_team(
    sandbox: Sandbox, other: Sandbox, shared: Record
) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("fleet", "join", f"{shared.url} user=ann")
    other.ok("fleet", "join", f"{shared.url} user=tom")
    sandbox.ok("launch", "Go", "--wait")
    first = sandbox.show("last")["id"]
    eventually(lambda: not differences(shared, sandbox), "the record to be equal")
    assert other.ok("ls", "--fleet", "-q") == ""
    sandbox.ok("config", "set", "fleet.team", "web")
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    sandbox.ok("launch", "Go", "--wait")
    second = sandbox.show("last")["id"]
    eventually(
        lambda: sorted(other.ok("ls", "--fleet", "-q").split()) == sorted([first, second]), "the team to see both"
    )
    assert other.show(first)["query"] == "Go"
    machine_id = sandbox.state.fleet.machine_id.read_text().strip()
    done = other.run("fleet", "forget", machine_id)
    assert (done.returncode, "is one of ann; only that role" in done.stderr) == (5, True), done.stderr
    # A team that is not one's own gets nothing, and the record stays current.
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    sandbox.ok("config", "set", "fleet.team", "staffs")
    sandbox.ok("launch", "Go", "--wait")
    eventually(lambda: not differences(shared, sandbox), "the record to be equal")
    assert run(shared, "tom", "SELECT count(*) FROM hldctl.sessions") == [(0,)]


def test_operator_forgets_a_machine(sandbox: Sandbox, other: Sandbox, shared: Record) -> None:
    ann = write_rows(shared, "ann")
    other.ok("fleet", "join", f"{shared.url} user=op")
    assert "1 of its sessions are lost" in other.run("fleet", "forget", ann.machine).stderr
    query = "SELECT status, declared_lost_by::text FROM hldctl.sessions WHERE id = %s"
    assert run(shared, "ann", query, ann.session) == [("failed", "op")]
    assert run(shared, "ann", "SELECT left_at IS NOT NULL FROM hldctl.machines WHERE id = %s", ann.machine) == [(True,)]


def test_machine_of_another_role_joins_as_that_role_or_as_a_new_one(sandbox: Sandbox, shared: Record) -> None:
    sandbox.serve_script("say Done.")
    sandbox.ok("fleet", "join", f"{shared.url} user=ann")
    sandbox.ok("launch", "Go", "--wait")
    first = sandbox.show("last")["id"]
    eventually(lambda: not differences(shared, sandbox), "the record to be equal")
    for role in ("bob", "hldctl"):
        done = sandbox.run("fleet", "join", f"{shared.url} user={role}")
        sentence = f"The record has this machine as one of another role than {role}: connect as that role, or join as"
        assert (done.returncode, sentence in done.stderr) == (5, True), done.stderr
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    sandbox.ok("config", "set", "fleet.url", f"{shared.url} user=bob")
    sandbox.ok("launch", "Go", "--wait")
    eventually(sandbox.state.fleet.problem.exists, "the problem to be noted")
    assert "as one of another role than bob" in sandbox.run("fleet").stderr
    sandbox.ok("fleet", "join", f"{shared.url} user=bob", "--new-identity")
    eventually(lambda: run(shared, "bob", "SELECT count(*) FROM hldctl.machines") == [(1,)], "the new machine")
    # What was recorded before belongs to the other role.
    third = sandbox.launch("Go", "--wait", "-q") and sandbox.show("last")["id"]
    second = json.loads(sandbox.ok("ls", "--json"))[1]["id"]
    query = "SELECT id::text FROM hldctl.sessions WHERE status = 'completed'"
    eventually(lambda: {row[0] for row in run(shared, "bob", query)} == {second, third}, "the new sessions")
    assert [row[0] for row in run(shared, "ann", query)] == [first]
    assert not sandbox.state.fleet.problem.exists()


def test_record_that_was_made_without_roles_gets_them(roles: Server) -> None:
    name = roles.make_database("template0")
    url = roles.url(name)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA hldctl")
        connection.execute("CREATE TABLE hldctl.migrations (number integer PRIMARY KEY)")
        for number in (1, 2):
            for statement in MIGRATIONS[number - 1]:
                connection.execute(statement)
            connection.execute("INSERT INTO hldctl.migrations VALUES (%s)", (number,))
        connection.execute("SELECT hldctl.make_month('2026-10-01')")
        connection.execute("INSERT INTO hldctl.machines (id, name) VALUES (%s, 'build')", (str(uuid4()),))
    assert membership.init(url).migrations == len(MIGRATIONS) - 2
    record = Record(roles, url, name)
    ann = write_rows(record, "ann")
    assert run(record, "ann", "SELECT id::text FROM hldctl.machines") == [(ann.machine,)]
    assert run(record, "hldctl", "SELECT count(*) FROM hldctl.machines") == [(2,)]
    record.rows("GRANT SELECT ON hldctl.events_2026_10 TO ann")
    record.rows("INSERT INTO hldctl.events VALUES ('2026-10-01', %s, 1, '{}')", str(uuid4()))
    assert run(record, "ann", "SELECT * FROM hldctl.events_2026_10") == []
    roles.execute(f"DROP DATABASE {name} WITH (FORCE)")
