"""Retention: what `fleet prune` removes from the record, what it leaves, and what links notice of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import psutil
import psycopg
import pytest

from tests.fleet.comparison import differences, recorded_rows
from tests.fleet.talkative import TALKATIVE
from tests.helpers.postgres import Record
from tests.helpers.sandbox import Sandbox, eventually
from tests.helpers.seed_database import seed_sessions
from tests.helpers.terminal import Terminal

DAY_MS = 86_400_000


def links(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("hldctl.fleet.link")


def make_older(sandbox: Sandbox, session_id: str, days: int, *, ended_days: int | None = None) -> None:
    """Let a session have been created, and have ended, this many days earlier."""
    sandbox.sql(
        "UPDATE sessions SET created_at = created_at - ?, completed_at = completed_at - ? WHERE id = ?",
        days * DAY_MS,
        (days if ended_days is None else ended_days) * DAY_MS,
        session_id,
    )


def send(sandbox: Sandbox, record: Record) -> None:
    """Join, and wait until the record has all, and the link has ended."""
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not differences(record, sandbox), "the record to be equal")
    eventually(lambda: not links(sandbox), "the link to end")


def prune(sandbox: Sandbox, *options: str) -> Any:
    return json.loads(sandbox.ok("fleet", "prune", "--json", *options))


def session_ids(record: Record) -> set[str]:
    return {row[0] for row in record.rows("SELECT id FROM hldctl.sessions")}


def months(record: Record) -> set[str]:
    query = (
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE c.relname ~ '^events_.*[0-9]$'"
    )
    return {row[0] for row in record.rows(query)}


def month_of(sandbox: Sandbox, session_id: str) -> str:
    ((created_ms,),) = sandbox.sql("SELECT created_at FROM sessions WHERE id = ?", session_id)
    return datetime.fromtimestamp(created_ms / 1000, UTC).strftime("%Y-%m")


def test_old_sessions_are_removed_with_all_they_have(sandbox: Sandbox, record: Record) -> None:
    old, long_lived, young = seed_sessions(sandbox.state.root, 3, 9)
    make_older(sandbox, old, 200)
    make_older(sandbox, long_lived, 200, ended_days=0)
    other_month = month_of(sandbox, old)
    # A month of its own.
    make_older(sandbox, old, 62)
    send(sandbox, record)
    assert len(months(record)) == 3
    found = {"sessions": 1, "months": [month_of(sandbox, old)], "intents": 0, "machines": [], "busy_months": []}
    before = recorded_rows(record)
    assert prune(sandbox, "--older-than", "90d", "--dry-run") == {"dry_run": True, **found}
    assert (
        "would remove 1 session, 1 whole month of events"
        in sandbox.run("fleet", "prune", "--older-than", "90d", "--dry-run").stderr
    )
    assert recorded_rows(record) == before
    assert prune(sandbox, "--older-than", "90d") == {"dry_run": False, **found}
    assert session_ids(record) == {long_lived, young}
    after = recorded_rows(record)
    assert after["events"] == {key: event for key, event in before["events"].items() if key[0] != old}
    assert months(record) == {f"events_{each.replace('-', '_')}" for each in (other_month, month_of(sandbox, young))}
    # The machine has it as before.
    assert len(sandbox.events(old)) == 9


def test_events_of_a_month_that_is_needed_are_removed_one_by_one(sandbox: Sandbox, record: Record) -> None:
    ids = seed_sessions(sandbox.state.root, 3, 9)
    for each in ids:
        make_older(sandbox, each, 200)
    sandbox.sql("UPDATE sessions SET completed_at = completed_at + ? WHERE id = ?", 200 * DAY_MS, ids[1])
    send(sandbox, record)
    removed = prune(sandbox, "--older-than", "90d")
    assert (removed["sessions"], removed["months"]) == (2, [])
    assert {key[0] for key in recorded_rows(record)["events"]} == {ids[1]}


def test_only_the_conversations_are_removed_with_events(sandbox: Sandbox, record: Record) -> None:
    old, young = seed_sessions(sandbox.state.root, 2, 9)
    make_older(sandbox, old, 200)
    send(sandbox, record)
    removed = prune(sandbox, "--older-than", "90d", "--events")
    assert (removed["sessions"], removed["months"]) == (1, [month_of(sandbox, old)])
    assert session_ids(record) == {old, young}
    assert {key[0] for key in recorded_rows(record)["events"]} == {young}
    assert prune(sandbox, "--older-than", "90d", "--events")["sessions"] == 0


def test_links_write_while_old_sessions_are_removed(sandbox: Sandbox, other: Sandbox, record: Record) -> None:
    old = seed_sessions(sandbox.state.root, 300, 20)
    for each in old:
        make_older(sandbox, each, 200)
    for machine in (sandbox, other):
        machine.fake_claude(TALKATIVE)
        machine.ok("fleet", "join", record.url)
    running = [(machine, machine.launch("Go")) for machine in (sandbox, other) for _ in range(2)]
    eventually(lambda: {*old} <= session_ids(record), "all sessions in the record")
    assert prune(other, "--older-than", "90d")["sessions"] == 300
    for machine, session_id in running:
        machine.release()
        assert machine.wait_for_end(session_id)["status"] == "completed"
    eventually(
        lambda: len(sandbox.ok("prune", "--older-than", "90d").split()) == 300, "the local database to be pruned"
    )
    eventually(lambda: sandbox.ok("ls") and not differences(record, sandbox, other), "the record to be equal")
    assert not any(machine.state.fleet.problem.exists() for machine in (sandbox, other))


def test_session_that_is_sent_again_stays_until_the_next_time(sandbox: Sandbox, record: Record) -> None:
    """The link knows the month that was dropped, so it has to make it again."""
    (old,) = seed_sessions(sandbox.state.root, 1, 9)
    make_older(sandbox, old, 200)
    sandbox.ok("fleet", "join", record.url)
    sandbox.fake_claude(TALKATIVE)
    running = sandbox.launch("Go")
    eventually(lambda: {old, running} <= session_ids(record), "both in the record")
    assert prune(sandbox, "--older-than", "90d")["months"] == [month_of(sandbox, old)]
    sandbox.ok("set", old, "--title", "Later")
    eventually(lambda: old in session_ids(record), "the session to be sent again")
    # All again, as after a loss of the record.
    record.rows("UPDATE hldctl.machines SET reached = 0, epoch = epoch + 1")
    eventually(
        lambda: sandbox.ok("ls") and record.rows("SELECT 1 FROM hldctl.events WHERE session_id = %s", old), "all"
    )
    sandbox.release()
    sandbox.wait_for_end(running)
    eventually(lambda: sandbox.ok("ls") and not differences(record, sandbox), "the record to be equal")
    assert prune(sandbox, "--older-than", "90d")["sessions"] == 1
    assert session_ids(record) == {running}


def test_machines_that_left_and_done_intents_are_removed(sandbox: Sandbox, other: Sandbox, record: Record) -> None:
    seed_sessions(sandbox.state.root, 1, 1)
    send(sandbox, record)
    other.ok("fleet", "join", record.url)
    eventually(lambda: len(record.rows("SELECT 1 FROM hldctl.machines")) == 2, "both machines")
    eventually(lambda: not links(other), "the link to end")
    other.ok("fleet", "leave")
    insert = (
        "INSERT INTO hldctl.intents (machine_id, kind, arguments, expires_at, done_at) SELECT id, 'x', '{}', now(), "
    )
    record.rows(f"{insert} now() - interval '100 days' FROM hldctl.machines")
    record.rows(f"{insert} NULL FROM hldctl.machines WHERE left_at IS NULL")
    assert prune(sandbox, "--older-than", "90d")["machines"] == []
    record.rows("UPDATE hldctl.machines SET left_at = left_at - interval '91 days'")
    record.rows(f"{insert} NULL FROM hldctl.machines WHERE left_at IS NOT NULL")
    removed = prune(sandbox, "--older-than", "90d")
    (left,) = removed["machines"]
    assert record.rows("SELECT count(*) FROM hldctl.machines") == [(1,)]
    assert record.rows("SELECT done_at FROM hldctl.intents") == [(None,)]
    assert left
    # It is a new machine, and sends all it has.
    other.serve_script("say Done.")
    other.ok("launch", "Go", "--wait")
    other.ok("fleet", "join", record.url)
    eventually(lambda: not differences(record, sandbox, other), "the record to be equal")


def test_session_of_a_slow_clock_is_not_removed_too_early(sandbox: Sandbox, record: Record) -> None:
    (old,) = seed_sessions(sandbox.state.root, 1, 1)
    make_older(sandbox, old, 365)
    send(sandbox, record)
    record.rows("UPDATE hldctl.machines SET clock_offset_ms = %s", 365 * DAY_MS)
    assert prune(sandbox, "--older-than", "90d")["sessions"] == 0
    record.rows("UPDATE hldctl.machines SET clock_offset_ms = 0")
    assert prune(sandbox, "--older-than", "90d")["sessions"] == 1


def test_month_in_use_is_left_to_the_next_time(sandbox: Sandbox, record: Record) -> None:
    (old,) = seed_sessions(sandbox.state.root, 1, 9)
    make_older(sandbox, old, 200)
    send(sandbox, record)
    month = month_of(sandbox, old)
    with psycopg.connect(record.url) as reader:
        reader.execute("SELECT count(*) FROM hldctl.events")
        done = sandbox.run("fleet", "prune", "--older-than", "90d")
    assert (done.returncode, f"the events of {month} are in use" in done.stderr) == (0, True)
    assert prune(sandbox, "--older-than", "90d")["months"] == [month]
    assert recorded_rows(record)["events"] == {}


def test_somebody_at_a_terminal_is_asked(sandbox: Sandbox, record: Record) -> None:
    (old,) = seed_sessions(sandbox.state.root, 1, 1)
    make_older(sandbox, old, 200)
    send(sandbox, record)
    question = (
        "this removes 1 session, 1 whole month of events, 0 intents and 0 machines from the record for all machines"
    )
    for answer, left in (("n", {old}), ("y", set())):
        with Terminal(sandbox, "fleet", "prune", "--older-than", "90d", columns=160) as terminal:
            terminal.wait_for_output(f"{question}. Remove? [y/N]")
            terminal.enter(f"{answer}\r")
            code, _ = terminal.wait_for_exit()
        assert (code, session_ids(record)) == (0, left)


@pytest.fixture
def reader(record: Record) -> str:
    """The address of the record for a role that does not own it."""
    record.rows("GRANT USAGE ON SCHEMA hldctl TO pg_monitor")
    record.rows("GRANT SELECT ON ALL TABLES IN SCHEMA hldctl TO pg_monitor")
    name = f"reader_{record.name}"
    record.rows(f"CREATE ROLE {name} LOGIN IN ROLE pg_monitor")
    return record.url.replace("user=hldctl", f"user={name}")


def test_only_the_owner_may_prune(sandbox: Sandbox, record: Record, reader: str) -> None:
    done = sandbox.run("fleet", "prune", "--older-than", "90d", reader)
    assert (done.returncode, "belongs to the role hldctl" in done.stderr) == (5, True), done.stderr
    # The owner needs no fleet.
    assert json.loads(sandbox.ok("fleet", "prune", "--older-than", "90d", "--json", record.url))["sessions"] == 0
    done = sandbox.run("fleet", "prune")
    assert (done.returncode, done.stderr) == (2, "hldctl: Specify what to remove: --older-than 90d.\n")


def test_session_cannot_prune(sandbox: Sandbox, record: Record) -> None:
    command = f"hldctl fleet prune --older-than 1d '{record.url}' 2>&1"
    sandbox.serve_script(f'call Bash {{"command": "{command}"}}\n\nsay Done.')
    sandbox.ok("launch", "Go", "--wait", "--allowed-tools", "Bash")
    assert "not allowed from within session" in sandbox.ok("tail", "last")
