"""What `hldctl doctor` finds of a machine's part in a fleet."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from hldctl.contract.finding import Level
from hldctl.doctor import fleet
from tests.helpers.postgres import USER, Record, fresh_record, running_server
from tests.helpers.sandbox import Sandbox, eventually


@pytest.fixture
def joined(sandbox: Sandbox, record: Record, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A machine of a fleet, whose configuration this process reads, too."""
    monkeypatch.setenv("HOME", str(sandbox.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    sandbox.ok("fleet", "join", record.url)
    eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
    return sandbox


def warnings(machine: Sandbox) -> list[str]:
    """Return the messages of what is not all right; each has advice."""
    found = [finding for finding in fleet.examine(machine.state) if finding.level is not Level.OK]
    assert all(finding.advice and finding.level is Level.WARNING for finding in found)
    return [finding.message for finding in found]


def configure(machine: Sandbox, record: Record, text: str) -> None:
    machine.configure(f'[fleet]\nurl = "{record.url}"\n{text}\n')


def test_nothing_is_wrong_with_a_machine_that_joined(joined: Sandbox) -> None:
    messages = [finding.message for finding in fleet.examine(joined.state)]
    assert messages == ["this machine has joined one", f"the record answers {USER}, by a socket of this machine"]


def test_nothing_is_asked_for_a_machine_of_no_fleet(sandbox: Sandbox) -> None:
    assert list(fleet.examine(sandbox.state)) == []


def test_server_that_cannot_be_reached(joined: Sandbox, record: Record) -> None:
    record.server.stop()
    try:
        (message,) = warnings(joined)
        assert message.startswith("The fleet's record cannot be reached: ")
    finally:
        record.server.start()


def test_schema_that_is_missing_or_older_but_not_newer(joined: Sandbox, record: Record) -> None:
    record.rows("INSERT INTO hldctl.migrations (number) VALUES (1000)")
    assert warnings(joined) == []
    record.rows("DELETE FROM hldctl.migrations WHERE number > 1")
    (message,) = warnings(joined)
    assert "has version 1, and this hldctl needs" in message
    record.rows("DROP SCHEMA hldctl CASCADE")
    (message,) = warnings(joined)
    assert "is not a fleet's record yet" in message


def test_machine_of_another_role(joined: Sandbox, record: Record) -> None:
    record.rows("UPDATE hldctl.machines SET owner = 'pg_monitor'")
    assert warnings(joined) == [f"the record has this machine as one of another role than {USER}"]


def test_clock_that_differs(joined: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() - 60)
    (message,) = warnings(joined)
    assert message in {f"the clock of this machine is {number} s slow, by the record's server" for number in (59, 60)}


def test_copy_of_this_machine_and_what_waits(joined: Sandbox, record: Record) -> None:
    record.rows("UPDATE hldctl.machines SET place = 'elsewhere', lease = '1 h', seen_at = clock_timestamp()")
    joined.serve_script("say Done.")
    joined.ok("launch", "Go", "--wait")
    eventually(joined.state.fleet.problem.exists, "the problem to be noted")
    (message,) = warnings(joined)
    assert message.startswith("Another machine writes to the fleet's record with the UUID of this one")
    assert message.endswith(" changes are not in the record yet")


def test_roles_that_are_missing_and_a_team_of_others(joined: Sandbox, record: Record) -> None:
    configure(joined, record, 'team = "nowhere"\naccept_from = ["pg_monitor", "nobody-here"]')
    assert warnings(joined) == ["the server has no role nobody-here, nowhere, which the configuration names"]
    record.server.execute("CREATE ROLE doc LOGIN")
    record.rows("DELETE FROM hldctl.machines")
    joined.configure(f'[fleet]\nurl = "{record.url} user=doc"\nteam = "pg_monitor"\n')
    assert warnings(joined) == ["doc is not a member of the team pg_monitor, so the team does not see what is here"]


def test_signers_that_cannot_be_trusted(joined: Sandbox, record: Record, tmp_path: Path) -> None:
    file = tmp_path / "signers"
    configure(joined, record, f'signers = "{file}"\nsigning_key = "{tmp_path}/key"')
    missing, key = warnings(joined)
    assert missing == f"fleet.signers: {file} cannot be read: No such file or directory"
    assert key == f"fleet.signing_key: {tmp_path}/key cannot be read"
    (tmp_path / "key").touch()
    file.touch(mode=0o644)
    assert warnings(joined) == []
    file.chmod(0o664)
    (message,) = warnings(joined)
    assert message.startswith(f"fleet.signers: {file} can be written by others")
    file.unlink()
    file.mkdir()
    assert warnings(joined) == [f"fleet.signers: {file} is not a file that can be read"]


def test_signers_of_another_user(
    joined: Sandbox, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "signers"
    file.touch(mode=0o644)
    if os.geteuid() == 0:
        os.chown(file, 65534, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
    configure(joined, record, f'signers = "{file}"')
    (message,) = warnings(joined)
    assert message.startswith(f"fleet.signers: {file} belongs to another user")


def test_missing_ssh_keygen(joined: Sandbox, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "signers"
    file.touch(mode=0o644)
    configure(joined, record, f'signers = "{file}"')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert warnings(joined) == ["ssh-keygen is missing, which signs and verifies requests"]


def test_connection_that_others_could_read_or_answer(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(sandbox.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with running_server(tls_host="localhost") as server, fresh_record(server) as record:
        trusted = sandbox.home / ".postgresql" / "root.crt"
        trusted.parent.mkdir()
        shutil.copy(server.directory / "server.crt", trusted)
        url = f"host=localhost user={USER} dbname={record.name} port={server.port}"
        sandbox.ok("fleet", "join", url)
        eventually(lambda: not sandbox.processes_with_argument("hldctl.fleet.link"), "the link to end")
        assert warnings(sandbox) == []
        assert [finding.message for finding in fleet.examine(sandbox.state)][1].endswith("and its name is verified")
        for mode, message in (
            ("disable", "the connection to the record is not encrypted"),
            ("require", "sslmode is require, so the server of the record does not have to prove its name"),
        ):
            sandbox.configure(f'[fleet]\nurl = "{url} sslmode={mode}"\n')
            assert warnings(sandbox) == [message]
