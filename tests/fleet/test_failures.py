"""What fails in a fleet: afterwards the record is equal to the machines, and nobody was misled."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

import hldctl
from tests.fleet.comparison import differences, recorded_rows
from tests.fleet.storm import running_fleet
from tests.fleet.talkative import TALKATIVE
from tests.helpers.postgres import USER, Record, fresh_record, running_server
from tests.helpers.sandbox import TIMEOUT_SECONDS, Sandbox, eventually
from tests.helpers.seed_database import seed_sessions

DAY_MS = 86_400_000


def links(sandbox: Sandbox) -> list[psutil.Process]:
    return sandbox.processes_with_argument("hldctl.fleet.link")


def wait_until_equal(record: Record, *machines: Sandbox) -> None:
    eventually(lambda: not differences(record, *machines), "the record to be equal")


def test_of_two_links_without_working_locks_the_newer_one_writes(sandbox: Sandbox, record: Record) -> None:
    """The file of the lock is replaced, so both have it, as on a file system without locks."""
    sandbox.ok("fleet", "join", record.url)
    sandbox.fake_claude(TALKATIVE)
    session_id = sandbox.launch("Go")
    (older,) = eventually(lambda: links(sandbox), "a link")
    eventually(lambda: recorded_rows(record)["events"], "its events")
    sandbox.state.fleet.lock.unlink()
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: len(links(sandbox)) == 1 and links(sandbox) != [older], "the newer link alone")
    assert "Another link writes" in sandbox.state.fleet.log.read_text() or not older.is_running()
    sandbox.release()
    sandbox.wait_for_end(session_id)
    wait_until_equal(record, sandbox)


@contextmanager
def proxy(port: int) -> Iterator[tuple[int, list[str]]]:
    """Pass connections on to a server; yield the port, and what was cut: once for each `COMMIT` in the first five.

    The connection is cut after the server has committed, before the client gets the answer.
    """
    cuts: list[str] = []

    def pump(source: socket.socket, target: socket.socket, *, from_client: bool, seen: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if from_client and b"COMMIT" in data and len(cuts) < 5:
                    cuts.append("COMMIT")
                    seen.set()
                if not from_client and seen.is_set():
                    break
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", port))
                seen = threading.Event()
                for source, target, from_client in ((client, server, True), (server, client, False)):
                    options = {"from_client": from_client, "seen": seen}
                    threading.Thread(target=pump, args=(source, target), kwargs=options, daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], cuts
        listener.shutdown(socket.SHUT_RDWR)


def test_answers_to_commit_that_are_lost_change_nothing(sandbox: Sandbox) -> None:
    with running_server(tls_host="localhost") as server, fresh_record(server) as record:
        assert server.port is not None
        with proxy(server.port) as (port, cuts):
            sandbox.ok("fleet", "join", f"host=127.0.0.1 port={port} user={USER} dbname={record.name} sslmode=disable")
            sandbox.fake_claude(TALKATIVE)
            session_id = sandbox.launch("Go")
            eventually(lambda: len(cuts) == 5 and len(recorded_rows(record)["events"]) > 50, "events after the cuts")
            sandbox.release()
            sandbox.wait_for_end(session_id)
            wait_until_equal(record, sandbox)


def test_record_that_is_restored_from_an_older_copy_is_filled_again(sandbox: Sandbox, record: Record) -> None:
    """It also forgets what was removed after the copy was made."""
    removed, kept = seed_sessions(sandbox.state.root, 2, 30)
    sandbox.ok("fleet", "join", record.url)
    wait_until_equal(record, sandbox)
    eventually(lambda: not links(sandbox), "the link to end")
    copy = record.server.make_database(record.name)
    sandbox.ok("rm", removed)
    sandbox.serve_script("say Done.")
    sandbox.ok("launch", "Go", "--wait")
    sandbox.ok("ls")
    eventually(lambda: len(record.rows("SELECT 1 FROM hldctl.sessions WHERE id <> %s", removed)) == 2, "both sessions")
    eventually(lambda: not links(sandbox), "the link to end")
    record.server.execute(f"DROP DATABASE {record.name} WITH (FORCE)")
    record.server.execute(f"ALTER DATABASE {copy} RENAME TO {record.name}")
    assert {row[0] for row in record.rows("SELECT id FROM hldctl.sessions")} == {removed, kept}
    # The machine believes that the record has all: the next session starts a link, which looks.
    sandbox.ok("launch", "Go", "--wait")
    wait_until_equal(record, sandbox)
    assert len(recorded_rows(record)["sessions"]) == 3


def test_session_that_was_removed_while_the_server_was_down_is_forgotten(sandbox: Sandbox, record: Record) -> None:
    removed, kept = seed_sessions(sandbox.state.root, 2, 4)
    sandbox.ok("fleet", "join", record.url)
    wait_until_equal(record, sandbox)
    eventually(lambda: not links(sandbox), "the link to end")
    record.server.stop()
    try:
        sandbox.ok("rm", removed)
        sandbox.serve_script("say Done.")
        sandbox.ok("launch", "Go", "--wait")
        sandbox.ok("rm", "last")
    finally:
        record.server.start()
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)
    assert {row[0] for row in record.rows("SELECT id FROM hldctl.sessions")} == {kept}


@pytest.mark.parametrize(("offset", "words"), [("-365d", "365d slow"), ("+36h", "1d fast")])
def test_clock_of_a_machine_is_wrong(sandbox: Sandbox, other: Sandbox, record: Record, offset: str, words: str) -> None:
    faketime = next(Path("/usr/lib").rglob("libfaketime.so.1"), None)
    assert faketime is not None, "libfaketime is not installed; run scripts/system-packages"
    # Times of files stay right: they are those of the kernel, which the tests have too.
    sandbox.environment |= {
        "LD_PRELOAD": str(faketime),
        "FAKETIME": offset,
        "NO_FAKE_STAT": "1",
    }
    sandbox.fake_claude(TALKATIVE)
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
    session_id = sandbox.launch("Go")
    eventually(lambda: other.run("show", session_id).returncode == 0, "the session in the record")
    machine_id = sandbox.state.fleet.machine_id.read_text().strip()
    found = {each["id"]: each for each in json.loads(other.ok("fleet", "--json"))}[machine_id]
    # By the server's clock.
    assert (found["unheard"], found["running"], found["heard_seconds"] < 60) == (False, 1, True)
    assert f"is {words}, compared" in other.run("fleet").stderr
    waiting = other.popen("wait", session_id, "--lost-after", "1h")
    sandbox.release()
    assert waiting.wait(TIMEOUT_SECONDS) == 0
    wait_until_equal(record, sandbox, other)


def test_machines_of_the_same_name_are_not_confused(sandbox: Sandbox, other: Sandbox, record: Record) -> None:
    for machine in (sandbox, other):
        machine.serve_script("say Done.")
        machine.ok("fleet", "join", record.url)
        machine.ok("launch", "Go", "--wait")
    wait_until_equal(record, sandbox, other)
    ids = [machine.state.fleet.machine_id.read_text().strip() for machine in (sandbox, other)]
    name = os.uname().nodename
    listed = sandbox.ok("ls", "--fleet")
    assert all(f"{name}~{machine_id[:4]}" in listed for machine_id in ids)
    assert len(sandbox.ok("ls", "-q", "--machine", name).split()) == 2
    assert len(sandbox.ok("ls", "-q", "--machine", ids[1][:8]).split()) == 1
    done = sandbox.run("fleet", "forget", name)
    assert (done.returncode, all(machine_id in done.stderr for machine_id in ids)) == (3, True)


def install_variant(sandbox: Sandbox, file: str, changes: dict[str, str]) -> None:
    """Let the machine run a copy of hldctl in which this file differs."""
    root = sandbox.root / "variant"
    shutil.copytree(Path(hldctl.__file__).parent, root / "hldctl", ignore=shutil.ignore_patterns("__pycache__"))
    path = root / "hldctl" / file
    text = path.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    sandbox.environment["PYTHONPATH"] = str(root)


def test_older_hldctl_writes_to_a_newer_record(sandbox: Sandbox, other: Sandbox, record: Record) -> None:
    """The older one does not know a column of sessions, nor the newest migration."""
    install_variant(sandbox, "fleet/columns.py", {'"restarts", ': ""})
    migrations = sandbox.root / "variant" / "hldctl" / "fleet" / "record" / "migrations.py"
    migrations.write_text(migrations.read_text() + "\nMIGRATIONS = MIGRATIONS[:1]\n")
    sandbox.serve_script("say Done.")
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
    sandbox.ok("launch", "Go", "--wait")
    session_id = sandbox.show("last")["id"]
    eventually(lambda: other.run("wait", session_id).returncode == 0, "the end in the record")
    ((row,),) = record.rows('SELECT "row" FROM hldctl.sessions')
    assert "restarts" not in json.loads(row)
    assert other.show(session_id)["status"] == "completed"
    assert other.events(session_id) == sandbox.events(session_id)


def test_newer_hldctl_writes_what_an_older_one_does_not_know(sandbox: Sandbox, other: Sandbox, record: Record) -> None:
    install_variant(
        sandbox,
        "fleet/link/outbox.py",
        {"row = json.dumps({name: values": 'row = json.dumps({"mood": "calm"} | {name: values'},
    )
    sandbox.serve_script("say Done.")
    for machine in (sandbox, other):
        machine.ok("fleet", "join", record.url)
    sandbox.ok("launch", "Go", "--wait")
    session_id = sandbox.show("last")["id"]
    eventually(lambda: other.run("wait", session_id).returncode == 0, "the end in the record")
    assert other.show(session_id)["status"] == "completed"
    ((row,),) = record.rows('SELECT "row" FROM hldctl.sessions')
    assert json.loads(row)["mood"] == "calm"


def test_older_record_is_refused_with_advice(sandbox: Sandbox, record: Record) -> None:
    sandbox.ok("fleet", "join", record.url)
    newer = record.rows("DELETE FROM hldctl.migrations WHERE number > 1 RETURNING number")
    sandbox.serve_script("say Done.")
    # The session does not notice.
    assert sandbox.ok("launch", "Go", "--wait") == "Done.\n"
    eventually(sandbox.state.fleet.problem.exists, "the problem to be noted")
    for done in (sandbox.run("ls", "--fleet"), sandbox.run("fleet", "join", record.url)):
        assert (done.returncode, bool(re.search(r"version 1.*run `hldctl fleet init`", done.stderr))) == (5, True)
    for row in newer:
        record.rows("INSERT INTO hldctl.migrations (number) VALUES (%s)", *row)
    sandbox.ok("ls")
    wait_until_equal(record, sandbox)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make networks")
def test_network_that_vanishes_for_a_while_loses_nothing(tmp_path: Path) -> None:
    """Nothing says that the connection is gone: the link has to notice."""
    with running_fleet(tmp_path, namespaces=True) as fleet:
        assert fleet.network is not None
        machine = fleet.machines["one"]
        session_id = machine.launch("Go")
        eventually(lambda: recorded_rows(fleet.record)["events"], "its events")
        fleet.network.pull_cable("one")
        eventually(machine.state.fleet.problem.exists, "the link to notice")
        assert machine.show(session_id)["status"] == "running"
        fleet.network.plug_in("one")
        eventually(lambda: not machine.state.fleet.problem.exists(), "the link to be back")
        machine.release()
        machine.wait_for_end(session_id)
        wait_until_equal(fleet.record, *fleet.machines.values())
        names = {row[0] for row in fleet.record.rows("SELECT name FROM hldctl.machines")}
        assert names == {"one", "two", "three"}
