"""`hldctl doctor`: it finds problems, says how to fix them, and fixes them with --fix."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.crash.audit import faults
from tests.faults.namespace import Namespace
from tests.helpers.another_user import UNPRIVILEGED_PREFIX, owned_by_another_user
from tests.helpers.sandbox import GATED_SCRIPT, Sandbox, eventually, kill_and_wait

SCRIPT = 'think Hm.\nsay One.\ncall Bash {"command": "echo out"}\n\nsay Two.'


def examine(sandbox: Sandbox, *arguments: str, **environment: str) -> dict[str, dict[str, Any]]:
    """Return the findings by subject. Assert that the exit code agrees with them."""
    done = sandbox.run("doctor", "--json", *arguments, environment=environment)
    assert done.stdout, done.stderr
    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    is_open = any(finding["level"] == "error" and not finding["fixed"] for finding in findings.values())
    assert done.returncode == (5 if is_open else 0), done.stderr
    return findings


def problem_levels(findings: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return the level of each warning and error by its subject."""
    return {
        subject: finding["level"] for subject, finding in findings.items() if finding["level"] not in ("ok", "note")
    }


def run_session(sandbox: Sandbox) -> str:
    sandbox.serve_script(SCRIPT)
    sandbox.ok("launch", "Hello", "--title", "A title", "--allowed-tools", "Bash", "--wait")
    return sandbox.ok("ls", "-q").strip()


def make_old(directory: Path) -> None:
    """Set the time of a directory to an hour ago, so that it does not belong to a launch in progress."""
    os.utime(directory, (time.time() - 3600,) * 2)


def test_doctor_finds_nothing_in_a_sound_installation(sandbox: Sandbox) -> None:
    run_session(sandbox)
    findings = examine(sandbox)
    # The key of the mock API is in the environment, which cron jobs do not get.
    assert problem_levels(findings) == {"login under cron": "warning"}
    assert findings["login"]["message"].startswith("by ")
    assert findings["sessions"]["message"].startswith("1 recorded")


def test_finding_is_one_line_with_advice_below(sandbox: Sandbox) -> None:
    done = sandbox.run("doctor")
    assert done.returncode == 5
    lines = done.stdout.splitlines()
    (login,) = (
        number for number, line in enumerate(lines) if line.startswith("error    login: Claude Code is not logged in")
    )
    assert "auth login" in lines[login + 1]


def test_missing_claude_code_is_an_error(sandbox: Sandbox) -> None:
    findings = examine(sandbox, HLDCTL_CLAUDE="/nowhere/claude")
    assert findings["Claude Code"]["level"] == "error"
    assert "/nowhere/claude" in findings["Claude Code"]["message"]


def test_old_or_broken_claude_code_is_reported(sandbox: Sandbox) -> None:
    sandbox.fake_claude("print('2.1.200 (Claude Code)')")
    assert examine(sandbox)["Claude Code"]["level"] == "warning"
    sandbox.fake_claude("sys.exit('broken')")
    assert examine(sandbox)["Claude Code"]["level"] == "error"


def test_fix_restricts_file_modes(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    journal = sandbox.files(session_id).journal
    journal.chmod(0o644)
    journal.parent.chmod(0o755)
    finding = examine(sandbox)["modes"]
    assert (finding["level"], finding["fixable"]) == ("error", True)
    assert examine(sandbox, "--fix")["modes"]["fixed"]
    assert (journal.stat().st_mode & 0o777, journal.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert examine(sandbox)["modes"]["level"] == "ok"


def test_fix_restarts_a_missing_supervisor(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    supervisor = psutil.Process(sandbox.show(session_id)["supervisor_pid"])
    for process in (*sandbox.guards(), supervisor):
        kill_and_wait(process)
    assert examine(sandbox)["supervisors"]["level"] == "error"
    assert examine(sandbox, "--fix")["supervisors"]["fixed"]
    assert "supervisors" not in examine(sandbox)
    sandbox.ok("interrupt", session_id)


def test_fix_adopts_sessions_of_a_renamed_host(sandbox: Sandbox) -> None:
    sandbox.serve_script("say Here.\nhang")
    session_id = sandbox.launch("Hello")
    sandbox.wait_for_journal(session_id, "Here.")
    sandbox.power_off()
    eventually(lambda: not sandbox.processes(), "all to die")
    sandbox.sql("UPDATE sessions SET host = 'old-name', boot_id = 'another' WHERE id = ?", session_id)
    assert sandbox.show(session_id)["status"] == "running"
    assert "old-name" in examine(sandbox)["hosts"]["message"]
    assert examine(sandbox, "--fix")["hosts"]["fixed"]
    assert sandbox.show(session_id)["end_reason"] == "lost"


def test_fix_removes_files_of_a_killed_launch(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    directory = sandbox.state.sessions / "11111111-1111-4111-8111-111111111111"
    directory.mkdir(mode=0o700)
    (directory / "prompt.txt").touch(mode=0o600)
    assert "left-overs" not in examine(sandbox)
    make_old(directory)
    assert examine(sandbox)["left-overs"]["level"] == "warning"
    assert examine(sandbox, "--fix")["left-overs"]["fixed"]
    assert not directory.exists()
    assert sandbox.files(session_id).directory.exists()


def test_fix_leaves_foreign_files_alone(sandbox: Sandbox) -> None:
    run_session(sandbox)
    for directory in (sandbox.state.sessions / "my-backup", sandbox.state.root / "bin"):
        directory.mkdir()
        (directory / "notes").write_text("mine")
        (directory / "notes").chmod(0o755)
        make_old(directory)
    examine(sandbox, "--fix")
    for directory in (sandbox.state.sessions / "my-backup", sandbox.state.root / "bin"):
        assert (directory / "notes").read_text() == "mine"
        assert (directory / "notes").stat().st_mode & 0o777 == 0o755


def test_truncated_journal_keeps_recorded_events(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    events = sandbox.events(session_id)
    os.truncate(sandbox.files(session_id).journal, 0)
    findings = examine(sandbox, "--fix")
    assert (findings["journals"]["level"], findings["journals"]["fixed"]) == ("warning", False)
    assert sandbox.events(session_id) == events


def test_fix_restores_a_session_without_output(sandbox: Sandbox) -> None:
    sandbox.fake_claude("sys.exit(3)")
    session_id = sandbox.launch("Hello")
    sandbox.run("wait", session_id)
    eventually(lambda: not sandbox.processes(), "the supervisor to leave")
    for path in sandbox.state.root.glob("hldctl.db*"):
        path.unlink()
    make_old(sandbox.files(session_id).directory)
    assert examine(sandbox, "--fix")["lost rows"]["fixed"]
    assert (sandbox.show(session_id)["end_reason"], sandbox.show(session_id)["exit_code"]) == ("error", 3)


def test_unrestorable_session_is_not_reported_as_fixed(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    for path in sandbox.state.root.glob("hldctl.db*"):
        path.unlink()
    sandbox.files(session_id).session_record.write_text("{")
    make_old(sandbox.files(session_id).directory)
    finding = examine(sandbox, "--fix")["lost rows"]
    assert (finding["level"], finding["fixed"]) == ("warning", False)
    assert sandbox.files(session_id).journal.exists()


def test_fix_repairs_database_despite_pending_request(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    session_id = sandbox.launch("Hello", "--approvals")
    eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "the request")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.state.database.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xa5" * 60_000)
    assert examine(sandbox, "--fix")["database"]["fixed"]
    assert sandbox.wait_for_end(session_id)["pending_approvals"] == 0
    assert not (sandbox.work / "made").exists()


def test_fix_restores_lost_events(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    session, events = sandbox.show(session_id), sandbox.events(session_id)
    feed = sandbox.ok("events", "--json")
    sandbox.sql("DELETE FROM conversation_events WHERE session_id = ? AND sequence IN (2, 4)", session_id)
    assert examine(sandbox)["events"]["level"] == "error"
    assert examine(sandbox, "--fix")["events"]["fixed"]
    assert sandbox.events(session_id) == events
    assert sandbox.show(session_id) == session
    assert sandbox.ok("events", "--json") == feed
    assert "events" not in examine(sandbox)


def test_fix_completes_an_interrupted_rebuild(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    events = sandbox.events(session_id)
    sandbox.sql("DELETE FROM conversation_events WHERE session_id = ? AND sequence > 1", session_id)
    progress = (
        "UPDATE sessions SET journal_offset = 0, fold_state = json_set(fold_state, '$.offset', 0, '$.sequence', 1)"
    )
    sandbox.sql(f"{progress}, journal_offset = 0 WHERE id = ?", session_id)
    assert examine(sandbox, "--fix")["events"]["fixed"]
    assert sandbox.events(session_id) == events


DAMAGES = {
    "overwritten in the middle": lambda file: (file.seek(4096), file.write(b"\xa5" * 60_000)),
    "no database at all": lambda file: (file.truncate(0), file.write(b"not a database" * 100)),
    "cut short": lambda file: file.truncate(9000),
    "emptied": lambda file: file.truncate(0),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_fix_rebuilds_damaged_database_from_journals(sandbox: Sandbox, damage: Any) -> None:
    session_id = run_session(sandbox)
    session, events = sandbox.show(session_id), sandbox.events(session_id)
    last_id = json.loads(sandbox.ok("events", "--json").splitlines()[-1])["id"]
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.state.database.open("r+b") as database:
        damage(database)
    make_old(sandbox.files(session_id).directory)
    findings = examine(sandbox)
    subject = "database" if "database" in problem_levels(findings) else "lost rows"
    assert findings[subject]["fixable"]
    assert examine(sandbox, "--fix")[subject]["fixed"]
    assert "error" not in problem_levels(examine(sandbox)).values()
    assert sandbox.events(session_id) == events
    rebuilt = sandbox.show(session_id)
    assert {name for name in session if session[name] != rebuilt[name]} <= {
        "exit_code",
        "completed_at",
        "supervisor_pid",
    }
    assert faults(sandbox, session_id) == []
    if subject == "database":
        assert json.loads(sandbox.ok("events", "--json").splitlines()[-1])["id"] > last_id
    # New sessions can be launched.
    assert sandbox.ok("launch", "Hello", "--allowed-tools", "Bash", "--wait") == "Two.\n"


def damage_text(sandbox: Sandbox, session_id: str) -> None:
    """Store a title that is not UTF-8."""
    sandbox.sql("UPDATE sessions SET title = CAST(x'54ff' AS TEXT) WHERE id = ?", session_id)


def damage_index(sandbox: Sandbox) -> None:
    ((page,),) = sandbox.sql("SELECT rootpage FROM sqlite_master WHERE name = 'events_by_sequence'")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.state.database.open("r+b") as database:
        database.seek((page - 1) * 4096)
        database.write(b"\xab")


@pytest.mark.parametrize("is_index_damaged", [False, True])
@pytest.mark.parametrize("is_title_kept", [False, True])
def test_fix_repairs_text_that_is_not_utf8(sandbox: Sandbox, is_index_damaged: bool, is_title_kept: bool) -> None:
    session_id = run_session(sandbox)
    events = sandbox.events(session_id)
    damage_text(sandbox, session_id)
    if is_index_damaged:
        damage_index(sandbox)
    if not is_title_kept:
        record = sandbox.files(session_id).session_record
        record.write_text(json.dumps({**json.loads(record.read_text()), "title": None}))
    for command in (["ls"], ["show", session_id], ["export", session_id], ["ls", "--json"]):
        done = sandbox.run(*command)
        assert (done.returncode, len(done.stderr.splitlines())) == (5, 1), done.stderr
        assert "is damaged" in done.stderr
        assert "`hldctl doctor --fix`" in done.stderr
    assert examine(sandbox)["database"]["level"] == "error"
    assert examine(sandbox, "--fix")["database"]["fixed"]
    assert examine(sandbox)["database"]["level"] == "ok"
    assert sandbox.show(session_id)["title"] == ("A title" if is_title_kept else "T\ufffd")
    assert sandbox.events(session_id) == events
    assert faults(sandbox, session_id) == []


def test_repair_keeps_events_without_a_journal(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    events = sandbox.events(session_id)
    sandbox.files(session_id).journal.unlink()
    damage_text(sandbox, session_id)
    assert examine(sandbox, "--fix")["database"]["fixed"]
    assert sandbox.events(session_id) == events
    assert "error" not in problem_levels(examine(sandbox)).values()


def test_repair_drops_permissions_from_a_damaged_database(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    sandbox.sql("UPDATE sessions SET dangerously_skip_permissions = 1, on_end = 'touch evil' WHERE id = ?", session_id)
    damage_text(sandbox, session_id)
    assert examine(sandbox, "--fix")["database"]["fixed"]
    assert sandbox.show(session_id)["dangerously_skip_permissions"] is False
    assert sandbox.show(session_id)["on_end"] is None


def test_repair_reports_losses_and_keeps_the_damaged_file(sandbox: Sandbox) -> None:
    run_session(sandbox)
    ((page,),) = sandbox.sql("SELECT rootpage FROM sqlite_master WHERE name = 'approvals'")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.state.database.open("r+b") as database:
        database.seek((page - 1) * 4096)
        database.write(b"\xa5" * 4096)
    finding = examine(sandbox, "--fix")["database"]
    assert finding["fixed"]
    assert "some permission requests could not be read" in finding["message"]
    (aside,) = sandbox.state.root.glob("hldctl.db.damaged-*[0-9Z]")
    assert str(aside) in finding["message"]


def test_approvals_survive_damage_to_another_table(sandbox: Sandbox) -> None:
    sandbox.serve_script('call Bash {"command": "touch made"}\n\nsay Done.')
    session_id = sandbox.launch("Hello", "--approvals")
    eventually(lambda: json.loads(sandbox.ok("approvals", "--json")), "the request")
    sandbox.ok("approve", "--all", "--always")
    sandbox.wait_for_end(session_id)
    events, requests = sandbox.events(session_id), sandbox.ok("approvals", "--all", "--json")
    ((page,),) = sandbox.sql("SELECT rootpage FROM sqlite_master WHERE name = 'conversation_events'")
    ((size,),) = sandbox.sql("PRAGMA page_size")
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.state.database.open("r+b") as database:
        database.seek((page - 1) * size)
        database.write(b"\xa5" * size)
    assert examine(sandbox, "--fix")["database"]["fixed"]
    assert sandbox.events(session_id) == events
    assert sandbox.ok("approvals", "--all", "--json") == requests
    assert sandbox.sql("SELECT count(*) FROM approval_rules") == [(1,)]


def test_running_session_survives_deleted_database(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--title", "A title", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    before = sandbox.show(session_id)
    for path in sandbox.state.root.glob("hldctl.db*"):
        path.unlink()
    assert sandbox.ok("ls", "-q") == ""
    make_old(sandbox.files(session_id).directory)
    assert examine(sandbox, "--fix")["lost rows"]["fixed"]
    after = sandbox.show(session_id)
    assert (after["status"], after["pid"], after["title"]) == ("running", before["pid"], "A title")
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Two."
    assert faults(sandbox, session_id) == []


def test_running_session_survives_damaged_database(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    session_id = sandbox.launch("Hello", "--title", "A title", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    before = sandbox.show(session_id)
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.state.database.open("r+b") as database:
        database.seek(4096)
        database.write(b"\xa5" * 60_000)
    assert examine(sandbox, "--fix")["database"]["fixed"]
    after = sandbox.show(session_id)
    assert (after["status"], after["pid"], after["title"]) == ("running", before["pid"], "A title")
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Two."
    assert faults(sandbox, session_id) == []
    (aside,) = sandbox.state.root.glob("hldctl.db.damaged-*[0-9Z]")
    assert aside.stat().st_mode & 0o077 == 0


def test_database_in_use_is_not_replaced(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with sandbox.popen("events", "-f", "--json") as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        # Stopped, because it would read the damaged pages and exit.
        reader.send_signal(signal.SIGSTOP)
        with sandbox.state.database.open("r+b") as database:
            database.seek(4096)
            database.write(b"\xa5" * 60_000)
        finding = examine(sandbox, "--fix")["database"]
        assert (finding["fixed"], "in use" in finding["advice"]) == (False, True)
        reader.kill()
    assert examine(sandbox, "--fix")["database"]["fixed"]
    assert sandbox.show(session_id)["status"] == "completed"


def test_newer_database_is_not_changed(sandbox: Sandbox) -> None:
    sandbox.ok("ls")
    sandbox.sql("PRAGMA user_version = 999")
    finding = examine(sandbox, "--fix")["database"]
    assert ("newer hldctl" in finding["message"], finding["fixed"]) == (True, False)
    assert sandbox.sql("PRAGMA user_version") == [(999,)]


def test_impossible_state_directory_is_an_error(sandbox: Sandbox) -> None:
    findings = examine(sandbox, HLDCTL_HOME="/proc/hldctl")
    assert findings["state directory"]["level"] == "error"
    assert "database" not in findings


def test_deleted_session_files_are_not_recreated(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    shutil.rmtree(sandbox.files(session_id).directory)
    assert "error" not in problem_levels(examine(sandbox, "--fix")).values()
    assert sandbox.show(session_id)["result_content"] == "Two."


def test_unreachable_state_directory_is_reported(sandbox: Sandbox) -> None:
    sandbox.prefix = UNPRIVILEGED_PREFIX
    closed = sandbox.root / "closed"
    closed.mkdir(mode=0o600)
    findings = examine(sandbox, HLDCTL_HOME=str(closed / "state"))
    assert "Permission denied" in findings["state directory"]["message"]
    assert findings["Claude Code"]["level"] == "ok"
    assert "database" not in findings


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o300])
def test_unreadable_session_directory_does_not_hide_others(sandbox: Sandbox, mode: int) -> None:
    session_id = run_session(sandbox)
    other = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.run("wait", other)
    eventually(lambda: not sandbox.processes(), "all to leave")
    sandbox.sql("DELETE FROM conversation_events WHERE session_id = ? AND sequence > 1", other)
    sandbox.files(other).log.write_text("Oh.")
    directory = sandbox.files(session_id).directory
    sandbox.prefix = UNPRIVILEGED_PREFIX
    directory.chmod(mode)
    findings = examine(sandbox)
    assert session_id[:8] in findings["session directories"]["message"]
    assert other[:8] in findings["events"]["message"]
    assert findings["supervisor.log"]["advice"].endswith(f"{other}/supervisor.log.")
    assert examine(sandbox, "--fix")["events"]["fixed"]
    directory.chmod(0o700)


def test_unreadable_running_session_does_not_hide_others(sandbox: Sandbox) -> None:
    sandbox.serve_script(GATED_SCRIPT)
    other = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(other, "go-on")
    sandbox.release()
    sandbox.wait_for_end(other)
    eventually(lambda: not sandbox.processes(), "all to leave")
    (sandbox.work / "go-on").unlink()
    sandbox.sql("DELETE FROM conversation_events WHERE session_id = ? AND sequence > 1", other)
    session_id = sandbox.launch("Hello", "--allowed-tools", "Bash")
    sandbox.wait_for_journal(session_id, "go-on")
    sandbox.prefix = UNPRIVILEGED_PREFIX
    sandbox.files(session_id).directory.chmod(0)
    findings = examine(sandbox)
    sandbox.files(session_id).directory.chmod(0o700)
    assert session_id[:8] in findings["session directories"]["message"]
    assert other[:8] in findings["events"]["message"]
    sandbox.prefix = ()
    sandbox.release()
    assert sandbox.wait_for_end(session_id)["result_content"] == "Two."


def test_files_of_another_user_are_reported(sandbox: Sandbox) -> None:
    session_id = run_session(sandbox)
    with owned_by_another_user(sandbox.files(session_id).directory):
        findings = examine(sandbox)
        assert session_id in findings["owner"]["message"]
        assert session_id[:8] in findings["session directories"]["message"]
    with owned_by_another_user(sandbox.state.root):
        findings = examine(sandbox, "--fix")
        assert "belongs to" in findings["state directory"]["message"]
        assert "database" not in findings


def test_file_system_is_unknown_without_mount_list(sandbox: Sandbox) -> None:
    run_session(sandbox)
    namespace = Namespace(sandbox, "mount -t tmpfs none /proc")
    findings = examine(sandbox)
    namespace.close()
    assert findings["file system"]["message"] == "unknown"
    assert findings["sessions"]["level"] == "ok"
