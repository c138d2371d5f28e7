"""The link: what happens on a machine is in the record, and a session never depends on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from random import Random

import psutil
import psycopg

from hldctl.fleet.identity import Identity
from hldctl.fleet.record import machines
from hldctl.fleet.record.connection import open_record
from hldctl.system import file_lock
from hldctl.system.clock import current_time_ms
from tests.fleet.comparison import differences, recorded_rows
from tests.fleet.talkative import TALKATIVE
from tests.helpers.postgres import Record
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually, kill
from tests.helpers.seed_database import seed_sessions

TOOLS = ("--allowed-tools", "Bash")
GATED = 'call Bash {"command": "until [ -e go-on ]; do sleep 0.05; done"}\n\nsay Done.'
WORK = 'call Bash {"command": "echo one"}\n\nsay Done.'


def test_session_is_in_the_record_with_all_its_events(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script(WORK)
    sandbox.launch("Go", "--allowed-tools", "Bash", "--wait")
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    assert differences(record, sandbox) == []
    assert len(recorded_rows(record)["events"]) == len(sandbox.events("last"))


def links(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("hldctl.fleet.link")


def wait_until_equal(record: Record, *machines: Sandbox) -> None:
    eventually(lambda: not differences(record, *machines), "the record to be equal")


def test_link_starts_with_a_session_and_ends_after_it(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not links(sandbox), "the link that joined to end")
    sandbox.serve_script(GATED)
    sandbox.launch("Go", *TOOLS)
    (link,) = eventually(lambda: links(sandbox), "a link")
    sandbox.release()
    eventually(lambda: not links(sandbox), "the link to end")
    assert differences(record, sandbox) == []
    assert record.rows("SELECT lease = interval '0' FROM hldctl.machines") == [(True,)]
    assert link.pid


def test_session_ends_and_is_recorded_later_if_the_server_is_down(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    record.server.stop()
    try:
        sandbox.serve_script(WORK)
        assert sandbox.run("launch", "Go", "--wait", *TOOLS).stdout == "Done.\n"
        eventually(sandbox.state.fleet.problem.exists, "the problem to be noted")
        done = sandbox.run("ls", "--fleet")
        assert (done.returncode, done.stdout) == (5, "")
        assert done.stderr.startswith("hldctl: The fleet's record cannot be reached: ")
        assert sandbox.show("last")["status"] == "completed"
        kill(links(sandbox))
    finally:
        record.server.start()
    # A command that finds the record late starts a link.
    eventually(lambda: sandbox.ok("ls") and not differences(record, sandbox), "the record to be equal")


def test_record_is_equal_after_links_were_killed_and_connections_cut(
    sandbox: Sandbox, other: Sandbox, record: Record
) -> None:
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
        machine.fake_claude(TALKATIVE)
    ids = [(machine, machine.launch("Go")) for machine in (sandbox, other) for _ in range(2)]
    random = Random(7)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hldctl link'"
    for number in range(24):
        machine = random.choice((sandbox, other))
        if number % 2:
            kill(links(machine))
            machine.ok("ls")
        else:
            record.rows(cut)
    for machine in (sandbox, other):
        (machine.work / "go-on").touch()
    for machine, session_id in ids:
        assert machine.wait_for_end(session_id)["status"] == "completed"
    for machine in (sandbox, other):
        machine.ok("ls")
    wait_until_equal(record, sandbox, other)
    assert len(recorded_rows(record)["sessions"]) == 4


def test_batch_whose_commit_was_not_answered_is_not_sent_twice(sandbox: Sandbox, record: Record) -> None:
    """The link is killed while its COMMIT waits for a lock, and the transaction is committed without it."""
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not links(sandbox), "the link that joined to end")
    sandbox.serve_script(WORK)
    with psycopg.connect(record.url) as blocker:
        blocker.execute("LOCK TABLE hldctl.changes IN EXCLUSIVE MODE")
        sandbox.ok("launch", "Go", "--wait", *TOOLS)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'hldctl link'"
        eventually(lambda: record.rows(waiting), "the link to wait for the lock")
        kill(links(sandbox))
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)


def test_emptied_record_is_filled_again(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    seed_sessions(sandbox.state.root, 5, 30)
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)
    eventually(lambda: not links(sandbox), "the link to end")
    record.rows("TRUNCATE hldctl.machines, hldctl.sessions, hldctl.events, hldctl.approvals, hldctl.changes CASCADE")
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    wait_until_equal(record, sandbox)
    assert len(recorded_rows(record)["sessions"]) == 6


def join_and_work(sandbox: Sandbox, record: Record) -> None:
    """Run a session on a machine that has joined."""
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script(WORK)
    sandbox.ok("launch", "Go", "--wait", *TOOLS)


def test_rebuilt_database_is_sent_again(sandbox: Sandbox, record: Record) -> None:
    join_and_work(sandbox, record)
    wait_until_equal(record, sandbox)
    with sandbox.state.database.open("r+b") as database:
        database.seek(100)
        database.write(b"\0" * 4000)
    assert "rebuil" in sandbox.run("doctor", "--fix").stdout
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)
    assert len(recorded_rows(record)["sessions"]) == 1


def test_older_copy_of_the_database_is_sent_again(sandbox: Sandbox, record: Record) -> None:
    join_and_work(sandbox, record)
    eventually(lambda: not links(sandbox), "the link to end")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = sandbox.state.database.read_bytes()
    sandbox.ok("set", "last", "--title", "Later")
    sandbox.ok("ls")
    eventually(lambda: record.rows("SELECT 1 FROM hldctl.sessions WHERE title = 'Later'"), "the title")
    eventually(lambda: not links(sandbox), "the link to end")
    for suffix in ("-wal", "-shm"):
        sandbox.state.database.with_name(f"hldctl.db{suffix}").unlink(missing_ok=True)
    sandbox.state.database.write_bytes(copy)
    with psycopg.connect(record.url) as connection:
        connection.execute("UPDATE hldctl.machines SET reached = reached + 5")
    (sandbox.state.fleet.reached).unlink()
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)


def test_copied_state_directory_is_refused(sandbox: Sandbox, other: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not links(sandbox), "the link that joined to end")
    shutil.copytree(sandbox.state.root, other.state.root)
    other.configure(f'[fleet]\nurl = "{record.url}"\n')
    for machine in (sandbox, other):
        machine.fake_claude(TALKATIVE)
    session_id = sandbox.launch("Go")
    eventually(lambda: record.rows("SELECT 1 FROM hldctl.sessions"), "the session in the record")
    copied = other.launch("Go")
    eventually(other.state.fleet.problem.exists, "the refusal")
    assert "--new-identity" in other.state.fleet.problem.read_text()
    assert record.rows("SELECT id FROM hldctl.sessions") == [(session_id,)]
    other.ok("fleet", "join", record.url, "--new-identity")
    eventually(lambda: record.rows("SELECT 1 FROM hldctl.sessions WHERE id = %s", copied), "the session of the copy")
    assert len(record.rows("SELECT DISTINCT machine_id FROM hldctl.sessions")) == 2


def test_removed_session_is_forgotten_and_pruned_one_is_kept(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    removed, pruned, kept = seed_sessions(sandbox.state.root, 3, 4)
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)
    sandbox.ok("rm", removed)
    sandbox.ok("prune", "--keep", "1", "--force")
    sandbox.ok("ls")
    eventually(lambda: len(record.rows("SELECT id FROM hldctl.sessions")) == 2, "the session to be forgotten")
    assert {row[0] for row in record.rows("SELECT id FROM hldctl.sessions")} == {pruned, kept}
    assert {row[0] for row in record.rows("SELECT DISTINCT session_id FROM hldctl.events")} == {pruned, kept}
    changes = record.rows("SELECT type FROM hldctl.changes WHERE session_id = %s", removed)
    assert changes == [("session_deleted",)]
    assert sandbox.show(pruned)["id"] == pruned
    assert sandbox.run("show", removed).returncode == 3


def test_session_that_was_not_sent_yet_is_not_pruned(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not links(sandbox), "the link that joined to end")
    record.server.stop()
    try:
        seed_sessions(sandbox.state.root, 2, 4)
        assert sandbox.ok("prune", "--keep", "0", "--force") == ""
    finally:
        record.server.start()
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)
    eventually(lambda: sandbox.ok("prune", "--keep", "0", "--force").split(), "the sessions to be pruned")


def test_share_decides_what_the_record_gets(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.ok("config", "set", "fleet.share", "outline")
    sandbox.serve_script(WORK)
    sandbox.ok("launch", "Go", "--wait", *TOOLS)
    eventually(lambda: record.rows("SELECT 1 FROM hldctl.sessions WHERE status = 'completed'"), "the end")
    texts = record.rows('SELECT "row", texts, query, summary FROM hldctl.sessions')
    texts += record.rows("SELECT event FROM hldctl.events")
    assert "Done." not in str(texts)
    assert "echo one" not in str(texts)
    assert len(record.rows("SELECT 1 FROM hldctl.events")) == len(sandbox.events("last"))


def test_address_with_a_password_is_refused(sandbox: Sandbox) -> None:
    for url in ("host=db password=secret dbname=x", "postgresql://me:secret@db/x"):
        for command in (("fleet", "join", url), ("fleet", "init", url), ("config", "set", "fleet.url", url)):
            done = sandbox.run(*command)
            assert (done.returncode, "password" in done.stderr) == (2, True), done.stderr
    assert not sandbox.state.fleet.has_joined


def test_forgotten_machine_loses_its_live_sessions_until_it_comes_back(
    sandbox: Sandbox, other: Sandbox, record: Record
) -> None:
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    eventually(lambda: other.run("show", session_id).returncode == 0, "the session in the record")
    machine_id = sandbox.state.fleet.machine_id.read_text().strip()
    kill(links(sandbox))
    # As on a machine that is gone, no other link starts.
    lock = file_lock.acquire(sandbox.state.fleet.lock, 10)
    assert lock is not None
    assert "1 of its sessions" in other.run("fleet", "forget", machine_id).stderr
    session = other.show(session_id)
    assert (session["status"], session["end_reason"]) == ("failed", "lost")
    assert other.run("wait", session_id).returncode == 1
    os.close(lock)
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: other.show(session_id)["status"] == "running", "its own word")


def test_interrupt_of_the_session_that_started_the_link_spares_it(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not links(sandbox), "the link that joined to end")
    sandbox.serve_script(GATED)
    session_id = sandbox.launch("Go", *TOOLS)
    (link,) = eventually(lambda: links(sandbox), "a link")
    sandbox.launch("Go", *TOOLS)
    sandbox.ok("interrupt", session_id, "--timeout", "0s")
    assert links(sandbox) == [link]
    eventually(
        lambda: record.rows("SELECT 1 FROM hldctl.sessions WHERE status = 'interrupted'"), "the end in the record"
    )


def test_fleet_of_a_newer_version_is_used_and_one_of_an_older_waits(sandbox: Sandbox, record: Record) -> None:
    record.rows("INSERT INTO hldctl.migrations (number) SELECT max(number) + 1 FROM hldctl.migrations")
    record.rows("ALTER TABLE hldctl.sessions ADD COLUMN mood text")
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    wait_until_equal(record, sandbox)
    eventually(lambda: not links(sandbox), "the link to end")
    record.rows("DELETE FROM hldctl.migrations")
    done = sandbox.run("ls", "--fleet")
    assert (done.returncode, "hldctl fleet init" in done.stderr) == (5, True)


def test_link_in_the_foreground_stays_while_nothing_runs(sandbox: Sandbox, record: Record) -> None:
    assert sandbox.run("fleet", "link").returncode == 4
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not links(sandbox), "the link that joined to end")
    link = sandbox.popen("fleet", "link")
    resting = "SELECT lease = interval '0' FROM hldctl.machines"
    eventually(lambda: record.rows(resting) == [(False,)], "the link to be heard")
    seed_sessions(sandbox.state.root, 1, 5)
    wait_until_equal(record, sandbox)
    assert links(sandbox) == []
    sandbox.ok("fleet", "leave")
    assert link.wait(TIMEOUT_SECONDS) == 0


def test_clock_of_a_machine_is_compared_with_the_servers(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    (machine,) = eventually(lambda: json.loads(sandbox.ok("fleet", "--json")), "the machine in the record")
    assert abs(machine["clock_offset_ms"]) < 5000
    identity = Identity(machine["id"], "build", "another life", "another place")
    eventually(lambda: not links(sandbox), "the link to end")
    with open_record(record.url) as connection:
        assert machines.register(connection, identity, current_time_ms() - 3_600_000)
    assert "the clock of build is 1h slow" in sandbox.run("fleet").stderr


def test_missing_driver_is_named(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    program = "import sys; sys.modules['psycopg'] = None; from hldctl.cli.app import main; main(['fleet'])"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=sandbox.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "pipx install 'hldctl[fleet]'" in done.stderr) == (5, True)


def test_live_session_that_its_machine_does_not_know_any_more_is_lost(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    wait_until_equal(record, sandbox)
    eventually(lambda: not links(sandbox), "the link to end")
    record.rows("UPDATE hldctl.sessions SET id = gen_random_uuid(), status = 'running', completed_at = NULL")
    sandbox.ok("fleet", "join", record.url)
    lost = "SELECT status, end_reason FROM hldctl.sessions WHERE declared_lost_at IS NOT NULL"
    eventually(lambda: record.rows(lost) == [("failed", "lost")], "the session to be lost")
