"""The tutorial of two machines: its commands as they are written, with a real sshd and a real PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.doc_blocks import read_block
from tests.helpers.other_machine import NAME, OtherMachine, other_machine
from tests.helpers.postgres import USER, Server, running_server
from tests.helpers.sandbox import TIMEOUT_SECONDS, Completed, Sandbox, eventually

PAGE = "two-machines.md"
SERVER = "db.example.org"


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server(tls_host=SERVER) as running:
        yield running


@pytest.fixture
def build(sandbox: Sandbox, tmp_path: Path, server: Server) -> Iterator[OtherMachine]:
    """The other machine; both reach the server by the name that the page uses, and trust it."""
    with other_machine(sandbox, tmp_path) as machine:
        for each in (machine.here, machine.there):
            # What the name server and ~/.pgpass would say.
            each.environment |= {"PGHOSTADDR": server.address, "PGPORT": str(server.port), "PGUSER": USER}
            trusted = each.home / ".postgresql" / "root.crt"
            trusted.parent.mkdir()
            shutil.copy(server.directory / "server.crt", trusted)
        machine.there.serve_script("say Hello.")
        machine.install()
        yield machine


def run(machine: Sandbox, command: str) -> Completed:
    return subprocess.run(
        ["bash", "-ec", command],
        cwd=machine.work,
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def run_all(machine: Sandbox, section: str, number: int = 0) -> list[str]:
    """Run the commands of a section one after the other; return their output."""
    outputs = []
    for command in read_block(PAGE, "sh", number, section=section).splitlines():
        done = run(machine, command)
        assert done.returncode == 0, f"{command}: exit {done.returncode}: {done.stdout}{done.stderr}"
        outputs.append(done.stdout)
    return outputs


def test_commands_of_the_tutorial_work_as_they_are_written(sandbox: Sandbox, build: OtherMachine) -> None:
    assert NAME == "build"
    _, listed, _, shown = run_all(sandbox, "## By ssh")
    assert "hello" in listed
    assert "Hello." in shown
    run_all(sandbox, "## Make a record")
    run_all(sandbox, "## Join")
    # Both have the name of this host.
    eventually(lambda: len(run(sandbox, "hldctl fleet").stdout.splitlines()) == 3, "both machines in the list")
    run_all(sandbox, "## Look from here")
    # Typed, the next command comes later.
    eventually(lambda: run(sandbox, "hldctl show parser").returncode == 0, "the session in the record")
    listed, followed, _, shown, exported = run_all(sandbox, "## Look from here", 1)
    assert ("parser" in listed or "Describe the parser." in listed, "Hello." in followed) == (True, True)
    assert "Say hello." in shown
    assert "Describe the parser." in exported
    assert not sandbox.ok("ls", "-q", "--all")
    run_all(sandbox, "## Talk from here")
    eventually(lambda: '"idle"' in run(sandbox, "hldctl show chat --json").stdout, "the session to be idle")
    sent, closed = run_all(sandbox, "## Talk from here", 1)
    assert (sent, closed.endswith(" completed\n")) == ("Hello.\n", True)
    run_all(sandbox, "## Leave")
    assert not sandbox.state.fleet.has_joined
    assert not build.there.state.fleet.has_joined
