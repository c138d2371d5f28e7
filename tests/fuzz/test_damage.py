"""Damaged databases and the real command; the target `damaged_database` does the same within one process."""

from __future__ import annotations

import struct
from random import Random

import pytest

from hldctl.errors import ExitCode
from tests.fuzz.damage import COMMANDS, PAGE, Template, damage
from tests.helpers.sandbox import Sandbox
from tests.helpers.seed_database import seed_sessions

# The first byte of a table's page that has child pages.
INTERIOR = 5


@pytest.mark.parametrize("seed", range(4))
def test_doctor_command_repairs_a_damaged_database(sandbox: Sandbox, seed: int) -> None:
    chance = Random(seed)
    sandbox.ok("ls")
    template = Template(sandbox.state.root)
    kinds = damage(chance, template)
    commands = [command.replace("ID", template.ids[0]).split() for command in chance.sample(COMMANDS, 3)]
    for command in [["doctor"], *commands]:
        done = sandbox.run(*command)
        assert "Traceback" not in done.stderr, (kinds, command)
        assert done.returncode in (ExitCode.DONE, ExitCode.NO_SUCH_SESSION, ExitCode.ENVIRONMENT), (kinds, command)
    fixed = sandbox.run("doctor", "--fix")
    assert "Traceback" not in fixed.stderr, kinds
    assert "error    database" not in fixed.stdout, (kinds, fixed.stdout)
    for command in commands:
        sandbox.ok(*command)


@pytest.mark.parametrize(("table", "command"), [("feed", "events --json"), ("conversation_events", "tail --json ID")])
def test_cyclic_database_pages_are_not_read_forever(sandbox: Sandbox, table: str, command: str) -> None:
    # With fewer events, the table's first page would have no child pages.
    (session_id,) = seed_sessions(sandbox.state.root, 1, 12_000)
    sandbox.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    ((page,),) = sandbox.sql("SELECT rootpage FROM sqlite_master WHERE name = ?", table)
    data = bytearray(sandbox.state.database.read_bytes())
    start = (page - 1) * PAGE
    assert data[start] == INTERIOR
    # The last children point back to the page itself.
    (cells,) = struct.unpack_from(">H", data, start + 3)
    pointers = struct.unpack_from(f">{cells}H", data, start + 12)
    for pointer in pointers[-3:]:
        struct.pack_into(">I", data, start + pointer, page)
    struct.pack_into(">I", data, start + 8, page)
    sandbox.state.database.write_bytes(data)
    done = sandbox.run(*command.replace("ID", session_id).split())
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1), done.stderr
    assert "`hldctl doctor --fix`" in done.stderr
    assert "Traceback" not in sandbox.run("doctor", "--fix").stderr
    for arguments in (command, "ls --json", "events"):
        sandbox.ok(*arguments.replace("ID", session_id).split())
