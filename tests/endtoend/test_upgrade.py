"""Upgrades of hldctl while sessions of the older version run."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import psutil

import hldctl
from hldctl.store.migrations import MIGRATIONS
from tests.crash.audit import faults
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, kill_and_wait

NOVELTY = '\nMIGRATIONS = (*MIGRATIONS, ("ALTER TABLE sessions ADD COLUMN novelty TEXT",))\n'


def install_copy(sandbox: Sandbox) -> Path:
    """Create a copy of hldctl that can be upgraded."""
    package_root = sandbox.root / "installed"
    shutil.copytree(Path(hldctl.__file__).parent, package_root / "hldctl")
    sandbox.environment["PYTHONPATH"] = str(package_root)
    return package_root


def upgrade(package_root: Path) -> None:
    """Upgrade the copy to a version with one more migration."""
    migrations = package_root / "hldctl" / "store" / "migrations.py"
    migrations.write_text(migrations.read_text() + NOVELTY)


def test_older_versions_session_continues_and_is_readable(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    package_root = install_copy(sandbox)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    upgrade(package_root)
    before = sandbox.show(session_id)
    assert sandbox.sql("PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]
    sandbox.release()
    after = sandbox.wait_for_end(session_id)
    assert (after["end_reason"], after["supervisor_pid"]) == ("success", before["supervisor_pid"])
    assert faults(sandbox, session_id) == []


def test_newer_version_adopts_an_older_orphan(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    package_root = install_copy(sandbox)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    kill_and_wait(supervisor)
    upgrade(package_root)
    assert sandbox.show(session_id)["supervisor_pid"] != supervisor.pid
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    assert faults(sandbox, session_id) == []


def test_supervisor_of_a_removed_version_becomes_the_newer(sandbox: Sandbox) -> None:
    """A migration may remove what the older version needs; its supervisor then re-executes as the newer one."""
    sandbox.serve_script(GATED_SCRIPT)
    package_root = install_copy(sandbox)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    upgrade(package_root)
    supervisor = sandbox.show(session_id)["supervisor_pid"]
    # Only the next commit of the older version fails.
    refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF fold_state ON sessions BEGIN SELECT RAISE(ABORT, 'not so'); END"
    sandbox.sql(refuse)
    sandbox.release()
    log = sandbox.files(session_id).log
    eventually(lambda: "NewerDatabase" in log.read_text(), "the older one to notice")
    sandbox.sql("DROP TRIGGER refuse")
    after = sandbox.wait_for_end(session_id)
    assert (after["end_reason"], after["exit_code"], after["supervisor_pid"]) == ("success", 0, supervisor)
    assert faults(sandbox, session_id) == []


def downgrade(sandbox: Sandbox, session_id: str) -> None:
    """Turn the database into one of the first version, with an older reducer state."""
    first = sandbox.root / "first.db"
    with sqlite3.connect(first) as database:
        for statement in MIGRATIONS[0]:
            database.execute(statement)
        database.execute("ATTACH ? AS newest", (str(sandbox.state.database),))
        for table in ("sessions", "conversation_events"):
            columns = ", ".join(row[1] for row in database.execute(f"PRAGMA main.table_info({table})"))
            database.execute(f"INSERT INTO main.{table} SELECT {columns} FROM newest.{table}")
        (stored,) = database.execute("SELECT fold_state FROM main.sessions WHERE id = ?", (session_id,)).fetchone()
        state = {**json.loads(stored), "no_longer_known": 1}
        del state["reads"], state["interrupted"]
        database.execute("UPDATE main.sessions SET fold_state = ? WHERE id = ?", (json.dumps(state), session_id))
        database.execute("PRAGMA user_version = 1")
    database.close()
    for path in sandbox.state.root.glob("hldctl.db*"):
        path.unlink()
    first.rename(sandbox.state.database)


def test_session_of_the_first_version_is_adopted(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    eventually(lambda: len(sandbox.events(session_id)) >= 3, "what is there to be recorded")
    os.kill(sandbox.show(session_id)["supervisor_pid"], 9)
    downgrade(sandbox, session_id)
    assert sandbox.show(session_id)["status"] == "running"
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["end_reason"] == "success"
    events = sandbox.events(session_id)
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["content"] == "Two."
